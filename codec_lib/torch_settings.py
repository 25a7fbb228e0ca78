"""PyTorch settings of the application are reset while the library codes, and restored afterwards.

Reduced precision, autotuning, autocast, a default device or type: each would give other pixels, and some
of them other bytes. Some are switches of the whole process (`process_wide.py`).

A process that was forked from one that has imported this gets one thread: if PyTorch had others, they
stayed in the parent, and waiting for them would never end. `multiprocessing` with the start method "spawn"
has no such limit.
"""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from codec_lib.process_wide import Held, Switch

# PyTorch's words, and oneDNN's, which says of wrong shapes that there is no "primitive descriptor":
OUT_OF_MEMORY = re.compile(
    "can't allocate memory|could not (create|execute) a (primitive|memory object)(?! descriptor)"
)


@contextmanager
def reproducible(device: str) -> Iterator[None]:
    """Full float32, no autotuning, no autocast: the same bytes and pixels on every run.

    device is "cpu" or "cuda", the one that computes. Raises MemoryError where PyTorch runs out of memory.
    """
    with ExitStack() as stack:
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(_HELD.held(_switches(device)))
        try:
            yield
        except RuntimeError as error:  # PyTorch has no type of its own for this on a CPU
            if isinstance(error, torch.OutOfMemoryError) or OUT_OF_MEMORY.search(str(error)):
                raise MemoryError("out of memory") from None
            raise


_HELD = Held()


def _switches(device: str) -> Iterator[Switch]:
    yield Switch(_DefaultType(), "value", (torch.float32,))
    backends: Any = torch.backends
    full = ("ieee", "none")
    if hasattr(backends.cudnn, "conv"):  # PyTorch 2.9 and later
        places = [backends.mkldnn.conv, backends.mkldnn.matmul]
        if device == "cuda":
            places += [backends.cudnn.conv, backends.cuda.matmul]
        yield from (Switch(place, "fp32_precision", full) for place in places)
    else:
        yield Switch(_MatmulPrecision(), "value", ("highest",))
        if device == "cuda":
            yield Switch(backends.cudnn, "allow_tf32", (False,))
    if device == "cuda":
        yield Switch(backends.cudnn, "benchmark", (False,))
        yield Switch(backends.cudnn, "deterministic", (True,))


class _DefaultType:
    """PyTorch's functions for the type of new tensors, as an attribute."""

    @property
    def value(self) -> torch.dtype:
        return torch.get_default_dtype()

    @value.setter
    def value(self, dtype: torch.dtype) -> None:
        torch.set_default_dtype(dtype)


class _MatmulPrecision:
    """PyTorch's functions for the precision of products, as an attribute."""

    @property
    def value(self) -> str:
        return torch.get_float32_matmul_precision()

    @value.setter
    def value(self, precision: str) -> None:
        torch.set_float32_matmul_precision(precision)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))
