"""From a density to integer tables: the part all per-channel densities share.

A table lists the integers k between two quantiles of y / step. The quantiles are found by bisection
on the cumulative function, once, after training: nothing has to be learned for them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from codec_lib.entropy.pmf import Tables

TAIL_MASS = 2.0**-15  # half of it on each side goes to the escape symbol
MAX_SYMBOLS = 2048  # a longer table is cut around its median; the escape symbol takes the rest

# Maps y (n, channels) to c(y) and 1 - c(y), stacked: (2, n, channels).
Cumulative = Callable[[Tensor], Tensor]


def channel_tables(cumulative: Cumulative, steps: Tensor) -> Tables:
    """Tables for round(y / step): row r * channels + c for `steps[r, c]`, steps (rows, channels)."""
    channels = steps.shape[1]
    lo, median, hi = (
        quantile(cumulative, level, channels) for level in (TAIL_MASS / 2, 0.5, 1 - TAIL_MASS / 2)
    )
    pmfs, offsets = [], []
    for step in steps:
        center = (median / step).round()
        first = torch.maximum((lo / step).round(), center - MAX_SYMBOLS // 2).long()
        last = torch.minimum((hi / step).round(), center + MAX_SYMBOLS // 2 - 1).long()
        edges = torch.arange(int((last - first).max()) + 2)[:, None] + first - 0.5  # (L+1, channels)
        below, above = cumulative(edges * step)
        # On the right of the median the difference of complements keeps its digits.
        mass = torch.where(below[1:] > 0.5, above[:-1] - above[1:], below[1:] - below[:-1])
        for c in range(channels):
            pmfs.append(mass[: int(last[c] - first[c]) + 1, c].clamp(min=0).numpy())
            offsets.append(int(first[c]))
    return Tables.from_pmfs(pmfs, offsets)


def quantile(cumulative: Cumulative, level: float, channels: int) -> Tensor:
    """The value (channels,) at which each channel's cumulative reaches `level`, by bisection."""
    lo, hi = torch.full((2, channels), 1.0, dtype=torch.float64) * torch.tensor([[-1.0], [1.0]])

    def is_below(y: Tensor) -> Tensor:
        below, above = cumulative(y[None])[:, 0]
        return below < level if level <= 0.5 else above > 1 - level

    for _ in range(40):  # widen until the level is inside; the cap bounds a degenerate density
        lo = torch.where(is_below(lo), lo, 2 * lo)
        hi = torch.where(is_below(hi), 2 * hi, hi)
    for _ in range(60):
        middle = (lo + hi) / 2
        below = is_below(middle)
        lo, hi = torch.where(below, middle, lo), torch.where(below, hi, middle)
    return (lo + hi) / 2
