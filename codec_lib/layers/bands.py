"""Layers applied to a picture band by band: the same values, with memory for one band only.

The first and the last layers of a transform work at half the picture's size on many channels: most of a
codec's memory, and most of its time goes into moving it. A row of the output depends on few rows of the
input, so a horizontal band of it can be computed from a band of the input that is a little taller. Near
the cut edges of that input the values are wrong; they are the rows that are thrown away again.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

BAND = 128  # rows of the picture: 64 and 256 took 3 to 13 % longer, for 512 rows and for 1536


def in_bands(
    layers: nn.Sequential,
    x: Tensor,
    apply: Callable[[Tensor], Tensor] | None = None,
    band: int = BAND,
    on_gpu: bool = False,
) -> Tensor:
    """`layers(x)`, on a CPU, and if `on_gpu` also there, computed in bands of about `band` rows.

    Args:
        layers: convolutions and transposed convolutions with padding k // 2 (`conv` and `deconv` of
            this library), pixel shuffles and unshuffles, blocks that say how far they `reach`, and
            layers that work on each place alone; the picture is their input if they make it smaller,
            else their output.
        x: (B, C, H, W), H a multiple of the layers' stride.
        apply: what is called instead of the layers; it has their geometry.
    Raises:
        TypeError: a layer of several parts whose reach is not known here.
    """
    chain, apply = list(_leaves(layers)), apply or layers
    up, down = scale(chain)
    rows, height = max(band // up, down), x.shape[-2]
    if (x.is_cuda and not on_gpu) or height <= 2 * rows:
        return apply(x)
    whole: Tensor | None = None
    for top in range(0, height, rows):
        first, last = top * up // down, min(top + rows, height) * up // down
        start, end = needed(chain, first, last)
        start, end = max(0, start // down * down), min(height, -(-end // down) * down)
        skipped = start * up // down
        part = apply(x[..., start:end, :])[..., first - skipped : last - skipped, :]
        if whole is None:
            size = (*part.shape[:2], height * up // down, part.shape[3])
            whole = torch.empty(size, dtype=part.dtype, device=part.device, memory_format=format_of(part))
        whole[..., first:last, :] = part
    assert whole is not None  # a picture has rows
    return whole


def input_of(layers: nn.Sequential, span: slice, size: int) -> slice:
    """Which rows (or columns) of an input of `size` the output's `span` depends on, all the way through.

    Layers as `in_bands` takes them.
    """
    first, last = needed(list(_leaves(layers)), span.start, span.stop)
    return slice(max(0, first), min(size, last))


def format_of(x: Tensor) -> torch.memory_format:
    """Whether the channels of x (B, C, H, W) lie together."""
    is_last = x.stride(1) == 1 and x.shape[1] > 1
    return torch.channels_last if is_last else torch.contiguous_format


def scale(chain: list[nn.Module]) -> tuple[int, int]:
    """By how much the layers multiply the number of rows, and by how much they divide it."""
    up = down = 1
    for layer in chain:
        if isinstance(layer, nn.ConvTranspose2d):
            up *= layer.stride[0]
        elif isinstance(layer, nn.PixelShuffle):
            up *= layer.upscale_factor
        elif isinstance(layer, nn.PixelUnshuffle):
            down *= layer.downscale_factor
        elif isinstance(layer, nn.Conv2d):
            down *= layer.stride[0]
    return up, down


def needed(chain: list[nn.Module], first: int, last: int) -> tuple[int, int]:
    """The input rows [start, end) on which the output rows [first, last) depend."""
    for layer in reversed(chain):
        if isinstance(layer, nn.ConvTranspose2d):
            reach, stride = layer.kernel_size[0] // 2, layer.stride[0]
            first, last = -((reach - first) // stride), (last - 1 + reach) // stride + 1
        elif isinstance(layer, nn.PixelShuffle):
            first, last = first // layer.upscale_factor, -(-last // layer.upscale_factor)
        elif isinstance(layer, nn.PixelUnshuffle):
            first, last = first * layer.downscale_factor, last * layer.downscale_factor
        elif isinstance(reach := getattr(layer, "reach", None), int):
            first, last = first - reach, last + reach
        elif isinstance(layer, nn.Conv2d):
            reach, stride = layer.kernel_size[0] // 2, layer.stride[0]
            first, last = first * stride - reach, (last - 1) * stride + reach + 1
    return first, last


def _leaves(layers: nn.Sequential) -> Iterator[nn.Module]:
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from _leaves(layer)
        elif not hasattr(layer, "reach") and any(True for _ in layer.children()):
            raise TypeError(
                f"layer: {type(layer).__name__}, allowed are layers without parts or with `reach`"
            )
        else:
            yield layer
