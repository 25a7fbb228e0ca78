r"""Volumes decoded plane by plane: all places with the same i + j + k at once.

    t = 0   t = 1   t = 2               a place may see what has a smaller sum of indexes: offsets with
    o . .   x o .   x x o    ...        dk + di + dj < 0, in layers further inside also those with = 0,
    . . .   o . .   x o .               which are computed from smaller sums alone
    . . .   . . .   o . .

A raster scan of a volume (D, H, W) takes D H W steps, the planes D + H + W - 2. Convolutions whose windows
keep to the rule are called trimmed.

>>> [len(places) for places in steps((2, 2, 2))]
[1, 3, 3, 1]
>>> len(taps(3, strict=True)), len(taps(3, strict=False))
(10, 17)

Source: Li et al., "Efficient and effective context-based convolutional entropy modeling for image
compression", IEEE Transactions on Image Processing 2020 (arXiv 1906.10057).
"""

import torch
from torch import Tensor


def taps(window: int, strict: bool) -> Tensor:
    """Offsets (T, 3) of depth, row and column that a place sees in a window of that side, int64."""
    reach = torch.arange(-(window // 2), window // 2 + 1)
    offsets = torch.cartesian_prod(reach, reach, reach)
    return offsets[offsets.sum(1) < (0 if strict else 1)]


def steps(size: tuple[int, int, int]) -> list[Tensor]:
    """For each plane its places: positions in the raster of (D, H, W), int64, ascending."""
    depth, height, width = (torch.arange(side) for side in size)
    step = (depth[:, None, None] + height[:, None] + width).flatten()
    return list(step.argsort(stable=True).split(step.bincount().tolist()))
