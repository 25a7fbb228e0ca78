r"""Causal convolutions: each place sees only what has been decoded before it.

A raster scan decodes one pixel at a time. But if a window leaves out what lies far to the right in the
rows above, pixels on a slanted line do not see each other and are decoded together:

    step(i, j) = 2 i + j          a tap (di, dj) may be used if it lies in an earlier step and before in
                                  the raster: di < 0 and 2 di + dj < 0, or di = 0 and dj < 0

    x x x x x x x
    x x x x x x x
    x x x x x . .       7 x 7, the pixel itself is the o: 22 taps
    x x x o . . .

A picture of H rows and W columns then takes 2 (H - 1) + W steps instead of H W.

>>> taps(7).shape, steps(512, 768)
(torch.Size([22, 2]), 1790)

Sources: van den Oord et al., "Pixel recurrent neural networks", ICML 2016 (masks); Bai et al., "Deep lossy
plus residual coding", TPAMI 2024 (the slanted order, called 3P there).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 2  # columns that the next row lags behind


def taps(kernel: int) -> Tensor:
    """Row and column offsets (T, 2), int64, of the neighbours a kernel x kernel window may use."""
    reach = kernel // 2
    offsets = torch.cartesian_prod(torch.arange(-reach, 1), torch.arange(-reach, reach + 1))
    earlier = (offsets[:, 0] < 0) | (offsets[:, 1] < 0)
    return offsets[earlier & (SLOPE * offsets[:, 0] + offsets[:, 1] < 0)]


def steps(height: int, width: int) -> int:
    """How many steps decode a picture."""
    return SLOPE * (height - 1) + width


class CausalConv2d(nn.Conv2d):
    """Convolution (B, inputs, H, W) to (B, outputs, H, W) whose weight is zero but at `taps(kernel)`."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 7):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        mask = torch.zeros(kernel, kernel)
        rows, columns = (taps(kernel) + kernel // 2).T
        mask[rows, columns] = 1
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        reach = self.kernel_size[0] // 2  # the window's rows below the pixel are all zero: left out
        weight = (self.weight * self.mask)[:, :, : reach + 1]
        return F.conv2d(F.pad(x, (reach, reach, reach, 0)), weight, self.bias)
