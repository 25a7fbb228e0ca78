r"""Decoding orders: which places of a latent are decoded together, and what they see of the others.

A context model predicts a place from its neighbours, as far as those are decoded already. An order
fixes both the steps and the neighbours (taps) that a window may use:

    SLANTED        every neighbour before it in the raster,     CHECKERBOARD   first the o, from nothing,
                   places on a slanted line at a time                          then the x, from four sides

    x x x x x                                                   o x o x o
    x x x x .      11 taps of 5 x 5                             x o x o x      12 taps of 5 x 5
    x x o . .      2 (H - 1) + W steps                          o x o x o      2 steps

Places that are not decoded yet count as zero. So what a place sees does not depend on how many places
are treated at once, as long as the steps come in order.

>>> [len(places) for places in CHECKERBOARD.steps(3, 3)]
[5, 4]
>>> len(SLANTED.steps(32, 48))
110

Sources: Minnen, Balle, Toderici, NeurIPS 2018 (context in a raster); He et al., "Checkerboard context model
for efficient learned image compression", CVPR 2021.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers import masked

WINDOW = 5  # side of the window of every order


@dataclass(frozen=True)
class Order:
    """`taps` (T, 2): row and column offsets that a place may see; `step_of` rows and columns: its step."""

    taps: Tensor
    step_of: Callable[[Tensor, Tensor], Tensor]

    def steps(self, height: int, width: int) -> list[Tensor]:
        """For each step the places that it decodes: positions in a raster, int64, ascending."""
        step = self.step_of(torch.arange(height)[:, None], torch.arange(width)).flatten()
        places = step.argsort(stable=True)
        return [group for group in places.split(step.bincount().tolist()) if len(group)]


def _odd_taps() -> Tensor:
    reach = WINDOW // 2
    offsets = torch.cartesian_prod(torch.arange(-reach, reach + 1), torch.arange(-reach, reach + 1))
    return offsets[offsets.sum(1) % 2 == 1]


SLANTED = Order(masked.taps(WINDOW), lambda i, j: masked.SLOPE * i + j)
CHECKERBOARD = Order(_odd_taps(), lambda i, j: (i + j) % 2)


class ContextConv2d(nn.Conv2d):
    """Convolution (B, inputs, H, W) to (B, outputs, H, W), of an order's taps only, without a bias.

    `gathered` is the same map for places whose neighbours lie in a row: (B, inputs T, 1, P).
    """

    def __init__(self, inputs: int, outputs: int, order: Order):
        super().__init__(inputs, outputs, WINDOW, padding=WINDOW // 2, bias=False)
        self.taps = order.taps
        mask = torch.zeros(WINDOW, WINDOW)
        rows, columns = (self.taps + WINDOW // 2).T
        mask[rows, columns] = 1
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, None, padding=self.padding)

    def gathered(self) -> nn.Conv2d:
        rows, columns = (self.taps + WINDOW // 2).T
        flat = nn.Conv2d(self.in_channels * len(self.taps), self.out_channels, 1, bias=False)
        flat.weight.data.copy_(self.weight.data[:, :, rows, columns].flatten(1)[:, :, None, None])
        return flat
