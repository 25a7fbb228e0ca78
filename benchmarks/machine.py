"""The machine that measures: what it is, and how long it takes for something."""

import time
from collections.abc import Callable
from typing import Any

import torch

from codec_lib.devices import name_of

STATED = ("cpu", "torch", "threads")  # of a machine


def here() -> dict[str, Any]:
    """Its processor, PyTorch, and how many threads that uses."""
    return dict(zip(STATED, (name_of("cpu"), torch.__version__, torch.get_num_threads()), strict=True))


def seconds(task: Callable[[], object]) -> float:
    """How long one call takes; on a GPU until all its work is done."""
    start = time.perf_counter()
    task()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
