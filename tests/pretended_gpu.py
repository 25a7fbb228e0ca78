"""A pretended GPU: tensors on the CPU that say they are on a GPU, and are as strict as if they were.

    python -m tests.pretended_gpu coding MODEL ...       encode and decode there, and compare with the CPU
    python -m tests.pretended_gpu training MODEL ...     take the loss of a batch

Kernels of a GPU are not tested so. What is: that a model makes everything it needs on the device where its
latents are, and takes it to the CPU before NumPy sees it. That is what goes wrong when code is written on
machines without one.

Every operator of PyTorch passes `_run`, which refuses to mix devices where CUDA refuses it, has the CPU
compute, and marks the result. `torch.inference_mode` is `no_grad` here, as wrapped tensors know no other.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten
GPU = torch.device("cuda", 0)
COPIES = (aten._to_copy.default, aten.copy_.default)
INDEXED = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default)


class Pretended(Tensor):
    """A tensor whose values lie in another one, `here`."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "Pretended":
        layout = {"strides": here.stride(), "storage_offset": here.storage_offset(), "dtype": here.dtype}
        self = Tensor._make_wrapper_subclass(cls, here.shape, device=GPU, **layout)
        self.here = here
        return self

    @classmethod
    def __torch_dispatch__(
        cls, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ):
        return _run(function, args, kwargs or {})

    def numpy(self, **_: Any) -> np.ndarray:
        raise TypeError("NumPy cannot see a tensor on a GPU")

    def tolist(self) -> Any:
        return self.here.tolist()

    def data_ptr(self) -> int:
        return self.here.data_ptr()


class _Mode(TorchDispatchMode):
    """Sees what makes a tensor from none; with the key of fake tensors PyTorch asks for no driver."""

    _mode_key = torch._C._TorchDispatchModeKey.FAKE

    def __torch_dispatch__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ):
        return _run(function, args, kwargs or {})


def _is_gpu(device: Any) -> bool:
    return torch.device(device).type == "cuda"


def _here(value: Any) -> Any:
    if isinstance(value, torch.device):
        return torch.device("cpu")
    return value.here if isinstance(value, Pretended) else value


def _run(function: Any, args: tuple, kwargs: dict) -> Any:
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
    there = [tensor for tensor in tensors if isinstance(tensor, Pretended)]
    others = [tensor for tensor in tensors if not isinstance(tensor, Pretended) and tensor.ndim]
    if function in INDEXED and there and there[0] is args[0]:
        others = [tensor for tensor in others if any(tensor is value for value in args[2:])]  # not indexes
    if there and others and function not in COPIES:
        raise RuntimeError(f"{function}: tensors on the GPU and on the CPU")
    result = function(*tree_map(_here, args), **tree_map(_here, kwargs))
    if function is aten.copy_.default:
        return args[0]
    given = kwargs.get("device")
    if not (_is_gpu(given) if given is not None else there):
        return result
    known = {id(tensor.here): tensor for tensor in there}  # operators in place return what they were given

    def mark(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else Pretended(value)

    return tree_map(mark, result)


@contextmanager
def pretended_gpu() -> Iterator[None]:
    """PyTorch finds a GPU. It is changed for good: only for processes that have not seen codec_lib yet."""
    sys.modules["triton"] = None  # type: ignore[assignment]  # kernels on a real GPU would see no such tensor
    torch._C._ensureCUDADeviceGuardSet()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.cuda.is_available = lambda: True
    torch._C._set_only_lift_cpu_tensors(True)  # numbers become tensors on the CPU first
    torch.inference_mode = _no_grad
    with _Mode():
        yield


def _no_grad(mode: Any = True) -> Any:
    return torch.enable_grad() if mode is False else torch.no_grad()


def check_coding(model: str) -> None:
    """Files and pictures of a shipped model are the CPU's; AssertionError, or whatever went wrong."""
    import codec_lib as cl
    from codec_lib import data

    photo = data.sample("astronaut").crop((150, 20, 214, 60))
    files = [cl.encode(photo, model, device=device) for device in ("cpu", "cuda")]
    assert files[0] == files[1], "the GPU writes another file"
    here, there, part = (
        np.asarray(cl.decode(files[0], device=device, window=window)).astype(int)
        for device, window in (("cpu", None), ("cuda", None), ("cuda", (8, 16, 50, 33)))
    )
    assert np.abs(here - there).max() <= 1, "the GPU shows another picture"
    assert np.abs(part - there[16:33, 8:50]).max() <= 1, "the GPU shows another window"


def check_looking_again(model: str) -> None:
    """A picture that is hard to code is decoded and compared where it was encoded."""
    import codec_lib as cl

    board = np.tile(np.uint8([[0, 255], [255, 0]]), (16, 16))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        file = cl.encode(board, model, quality=1, effort=0, device="cuda")
    assert any(issubclass(warning.category, cl.PictureWarning) for warning in caught)
    assert cl.decode(file, device="cuda").size == (32, 32)


def check_training(model: str) -> None:
    """Everybody's loss can be taken there; gradients cannot, as PyTorch wants a driver for them."""
    from codec_lib.models import architecture
    from codec_lib.training.settings import Settings

    objective = architecture(model)().to("cuda").objective(Settings(model, [], "", crop=64))
    x = torch.rand(2, 3, 64, 64).to("cuda")
    objective.train()
    objective.start(x)
    for player in objective.players():
        loss, _ = player.loss(player.module.to("cuda"), x)
        assert loss.is_cuda, "the loss is on the CPU"
        assert torch.isfinite(loss.cpu()), "the loss is no number"


CHECKS = {"coding": check_coding, "looking-again": check_looking_again, "training": check_training}


def main(kind: str, *models: str) -> None:
    with pretended_gpu():
        for model in models:
            CHECKS[kind](model)
            print(model, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
