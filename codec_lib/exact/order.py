r"""Decoding orders: which places of a grid are decoded together, and what they see of the others.

A context model predicts a place from its neighbours, as far as those are decoded already. An order
fixes both the steps and the neighbours (taps) that a window may use:

    SLANTED        neighbours before it in the raster,          CHECKERBOARD   first the o, from nothing,
                   places on a slanted line at a time                          then the x, from four sides

    x x x x x                                                   o x o x o
    x x x x .      11 taps of 5 x 5                             x o x o x      12 taps of 5 x 5
    x x o . .      2 (H - 1) + W steps                          o x o x o      2 steps

A raster scan decodes one place at a time. But if a window leaves out what lies far to the right in the
rows above, places on a slanted line do not see each other and are decoded together: step(i, j) = 2 i + j,
and a tap (di, dj) may be used if it lies in an earlier step and before the place in the raster.

Places that are not decoded yet count as zero. So what a place sees does not depend on how many places
are treated at once, as long as the steps come in order.

>>> [len(places) for places in CHECKERBOARD.steps(3, 3)]
[5, 4]
>>> len(SLANTED.steps(32, 48)), SLANTED.taps(7).shape
(110, torch.Size([22, 2]))

Sources: van den Oord et al., "Pixel recurrent neural networks", ICML 2016 (masks); Minnen, Balle, Toderici,
NeurIPS 2018 (context in a raster); He et al., "Checkerboard context model for efficient learned image
compression", CVPR 2021; Bai et al., "Deep lossy plus residual coding", TPAMI 2024 (the slanted order,
called 3P there).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

LAG = 2  # columns that the next row lags behind on a slanted line

OfTwo = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Order:
    """`step_of` rows and columns: the step of a place; `sees` row and column offsets: whether it may."""

    step_of: OfTwo
    sees: OfTwo

    def taps(self, window: int) -> Tensor:
        """Row and column offsets (T, 2), int64, of what a place sees in a window of `window` x `window`."""
        reach = torch.arange(-(window // 2), window // 2 + 1)
        offsets = torch.cartesian_prod(reach, reach)
        return offsets[self.sees(*offsets.T)]

    def steps(self, height: int, width: int, part: tuple[int, int] | None = None) -> list[Tensor]:
        """For each step the places that it decodes: positions in a raster, int64, ascending.

        A grid that is cut into parts of so many rows and columns is decoded in all of them at once.
        """
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        if part is not None:
            rows, columns = rows % part[0], columns % part[1]
        step = self.step_of(rows, columns).flatten()
        places = step.argsort(stable=True)
        return [group for group in places.split(step.bincount().tolist()) if len(group)]


SLANTED = Order(
    step_of=lambda i, j: LAG * i + j,
    sees=lambda di, dj: ((di < 0) | (di == 0) & (dj < 0)) & (LAG * di + dj < 0),
)
CHECKERBOARD = Order(
    step_of=lambda i, j: (i + j) % 2,
    sees=lambda di, dj: (di + dj) % 2 == 1,
)
