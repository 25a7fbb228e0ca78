"""Masked convolutions: a window that sees only some of its neighbours.

Which ones, an order of decoding says (`codec_lib.exact.order`, of volumes `codec_lib.exact.diagonal`). In
training the mask goes onto the weights of an ordinary convolution over the whole picture. In decoding,
where a few places are due at a time, their neighbours are gathered into a row and meet the same weights
there.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedConv2d(nn.Conv2d):
    """Convolution (B, inputs, H, W) to (B, outputs, H, W) whose weight is zero except at its taps.

    taps (T, 2): row and column offsets inside a window of `window` x `window`.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, window: int, taps: Tensor, bias: bool = True):
        super().__init__(inputs, outputs, window, padding=window // 2, bias=bias)
        self.rows, self.columns = (taps + window // 2).T
        mask = torch.zeros(window, window)
        mask[self.rows, self.columns] = 1
        self.register_buffer("mask", mask, persistent=False)
        self.height = int(self.rows.max()) + 1  # rows of the window below the lowest tap are all zero

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # as nn.Conv2d names it: input
        reach = self.kernel_size[0] // 2
        weight = (self.weight * self.mask)[:, :, : self.height]
        return F.conv2d(F.pad(x, (reach, reach, reach, self.height - 1 - reach)), weight, self.bias)

    def gathered_weight(self) -> Tensor:
        """The weights (outputs, inputs T) for neighbours that lie in a row, channel by channel."""
        return self.weight.detach()[:, :, self.rows, self.columns].flatten(1)


class MaskedConv3d(nn.Conv3d):
    """The same for volumes (B, inputs, D, H, W) and taps (T, 3)."""

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, window: int, taps: Tensor, bias: bool = True):
        super().__init__(inputs, outputs, window, padding=window // 2, bias=bias)
        self.taps = taps
        mask = torch.zeros(window, window, window)
        mask[tuple((taps + window // 2).T)] = 1
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # as nn.Conv3d names it: input
        return F.conv3d(x, self.weight * self.mask, self.bias, padding=self.padding)

    def gathered_weight(self) -> Tensor:
        """The weights (outputs, T inputs) for neighbours that lie in a row, here place by place."""
        depth, rows, columns = (self.taps + self.kernel_size[0] // 2).T
        of_taps = self.weight.detach()[:, :, depth, rows, columns]
        return of_taps.transpose(1, 2).flatten(1)
