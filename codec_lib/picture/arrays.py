"""Arrays and tensors as samples: whole numbers say their own depth, floats count from 0 to 1."""

import numpy as np
import torch
from torch import Tensor

SHAPES = "(H, W) or (H, W, C) with C = 1 to 4"
TENSOR_SHAPES = "(H, W), (C, H, W) or (1, C, H, W) with C = 1 to 4"


def from_array(array: np.ndarray) -> np.ndarray:
    """uint8 or uint16 (H, W, C) of an array (H, W) or (H, W, C), C = 1 to 4; of bool, True is white.

    Raises ValueError for other shapes and types. Floats are refused: one cannot tell 0..1 from 0..255.
    """
    kind = array.dtype.name
    if np.ma.is_masked(array):
        raise ValueError(f"image: {kind} array with a mask; allowed is one without, as filled() gives it")
    if kind not in ("bool", "uint8", "uint16"):
        raise ValueError(f"image: {kind} array {array.shape}; allowed are uint8, uint16 and bool")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or 0 in array.shape or channels > 4:
        raise ValueError(f"image: {kind} array {array.shape}; allowed is {SHAPES}")
    if kind == "bool":
        array = array * np.uint8(255)
    return np.asarray(array, np.dtype(array.dtype.name)).reshape(*array.shape[:2], channels)


def to_eight_bits(samples: np.ndarray) -> np.ndarray:
    """uint8 of samples of the same shape, uint8 or uint16: x / 257, rounded."""
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def from_tensor(x: Tensor) -> np.ndarray:
    """The same of a tensor (H, W), (C, H, W) or (1, C, H, W), on any device.

    Floats are in [0, 1] and become 8 bits, rounded. ValueError for others, as of infinity and NaN, and
    for tensors that have no samples of their own: nested, fake, or inside of vmap.
    """
    try:
        return _from_tensor(x)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, NotImplementedError) as error:
        reason = " ".join(f"{error}".split())[:100]
        raise ValueError(
            f"image: {type(x).__name__} without samples ({reason}); allowed is a plain one"
        ) from None


def _from_tensor(x: Tensor) -> np.ndarray:
    kind, shape = str(x.dtype).removeprefix("torch."), tuple(x.shape)
    if x.layout is not torch.strided or x.is_meta or x.is_quantized or x.is_complex():
        raise ValueError(f"image: {x.layout} tensor of {kind} on {x.device}; allowed is one with samples")
    planar = x.detach().cpu()
    planar = planar[0] if x.ndim == 4 and shape[0] == 1 else planar
    planar = planar[None] if x.ndim == 2 else planar
    if planar.ndim != 3 or 0 in shape or planar.shape[0] > 4:
        raise ValueError(f"image: {kind} tensor {shape}; allowed is {TENSOR_SHAPES}")
    if not x.is_floating_point():
        return from_array(planar.permute(1, 2, 0).numpy())
    samples = planar.double().permute(1, 2, 0).numpy()
    low, high = samples.min(), samples.max()
    if not (low >= 0 and high <= 1):
        raise ValueError(f"image: {kind} tensor with samples from {low:g} to {high:g}; allowed is 0 to 1")
    return np.rint(samples * 255).astype(np.uint8)
