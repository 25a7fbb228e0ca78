r"""Maps of small numbers, coded coarse to fine: iterations of tiles, levels of importance.

    known   . . .        diagonals     . . .        the rest      . x .
            . ? .        of a square   . x .        of it         x . x
            . . .                      . . .                      . x .

The first place is sent as it is. Then the distance d between known places is halved again and again: those
in the middle of four known ones come first, then those between two of them and two of the former. A place
is predicted as the mean of its known neighbours at distance d. How sure that is depends on how far apart
they are and on d; both choose a table. All places of a step are decoded at once.

A map that has its largest number everywhere takes no byte at all.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import BitstreamError, section
from codec_lib.exact.frozen import Frozen

NAME = "map"
FRACTION = 4  # a prediction has steps of a quarter
DISTANCES = 4  # classes of log2 d, the last one with all above
DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
STRAIGHT = ((-1, 0), (0, -1), (0, 1), (1, 0))


class Widths(NamedTuple):
    """How wide densities are, for so many classes of spreads, the last of which has all above.

    A spread is the largest minus the smallest neighbour. The scale of a logistic density is

        rest + per_spread spread + per_halving log2 d
    """

    spreads: int = 5
    rest: float = 0.25
    per_spread: float = 0.2
    per_halving: float = 0.1


ITERATIONS = Widths()


class CoarseToFine:
    """Codes maps of numbers from 1 to `largest`."""

    def __init__(self, largest: int, frozen: Frozen, widths: Widths = ITERATIONS):
        self.largest, self.frozen, self.widths = largest, frozen, widths

    def freeze(self) -> None:
        """Make the tables: a logistic density around the prediction, as wide as its neighbours differ."""
        values = np.arange(1, self.largest + 1)
        means = np.arange(FRACTION, FRACTION * self.largest + 1) / FRACTION
        spreads, rest, per_spread, per_halving = self.widths
        spread, distance = np.meshgrid(np.arange(spreads), np.arange(DISTANCES), indexing="ij")
        scale = (rest + per_spread * spread + per_halving * distance).reshape(-1, 1, 1)
        up, down = (np.tanh((values + side - means[:, None]) / (2 * scale)) for side in (0.5, -0.5))
        pmfs = np.maximum((up - down) / 2, 1e-4).reshape(-1, self.largest)
        pmfs = np.vstack((np.ones(self.largest), pmfs))  # the first place: all numbers alike
        pmfs /= pmfs.sum(1, keepdims=True) * (1 + 1e-6)
        self.frozen[NAME] = Tables.from_pmfs(list(pmfs), [1] * len(pmfs))

    def encode(self, numbers: Tensor, most: int) -> bytes:
        """A map (h, w) of numbers from 1 to `most`, which is at most `largest`."""
        wanted = numbers.cpu().numpy().astype(np.int32)
        if (wanted == most).all():
            return b""
        known, symbols, indexes = np.zeros_like(wanted), [], []
        for rows, columns, taps in steps(*wanted.shape):
            indexes.append(self._indexes(known, rows, columns, taps))
            symbols.append(wanted[rows, columns])
            known[rows, columns] = symbols[-1]
        return rans.encode(np.concatenate(symbols), np.concatenate(indexes), self.frozen.tables(NAME))

    def decode(self, data: bytes, height: int, width: int, most: int) -> Tensor:
        """The map, int64 (height, width). Raises SectionError for data that do not fit."""
        if not data:
            return torch.full((height, width), most)
        known = np.zeros((height, width), np.int32)
        with section(NAME):
            decoder = rans.Decoder(data, known.size, self.frozen.tables(NAME))
            for rows, columns, taps in steps(height, width):
                symbols = decoder.read(self._indexes(known, rows, columns, taps))
                if symbols.min() < 1 or symbols.max() > most:
                    worst = symbols.min() if symbols.min() < 1 else symbols.max()
                    raise BitstreamError(f"a number of the map: {worst}, expected 1 to {most}")
                known[rows, columns] = symbols
            decoder.complete()
        return torch.from_numpy(known.astype(np.int64))

    def _indexes(self, known: np.ndarray, rows: np.ndarray, columns: np.ndarray, taps: list) -> np.ndarray:
        """Which table each place takes, int32, from the neighbours that are known; 0 stands for unknown."""
        if not taps:
            return np.zeros(len(rows), np.int32)
        height, width = known.shape
        around = []
        for down, right in taps:
            i, j = rows + down, columns + right
            is_inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
            around.append(np.where(is_inside, known[i % height, j % width], 0))
        near = np.stack(around)
        mean = FRACTION * near.sum(0) // (near > 0).sum(0)
        spread = near.max(0) - np.where(near > 0, near, self.largest).min(0)
        distance = max(abs(taps[0][0]), abs(taps[0][1])).bit_length() - 1
        group = np.minimum(spread, self.widths.spreads - 1) * DISTANCES + min(distance, DISTANCES - 1)
        per_group = FRACTION * (self.largest - 1) + 1
        return (1 + group * per_group + mean - FRACTION).astype(np.int32)


def steps(height: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]]:
    """Rows and columns of the places of each step, and where their neighbours are.

    >>> [(list(rows), list(columns)) for rows, columns, _ in steps(2, 2)]
    [([0], [0]), ([1], [1]), ([0, 1], [1, 0])]
    """
    yield np.zeros(1, int), np.zeros(1, int), []
    d = 1 << max(height - 1, width - 1).bit_length()
    while d := d // 2:
        i, j = (index.ravel() for index in np.mgrid[0:height:d, 0:width:d] // d % 2)
        rows, columns = (index.ravel() for index in np.mgrid[0:height:d, 0:width:d])
        for chosen, taps in (((i & j) == 1, DIAGONAL), ((i ^ j) == 1, STRAIGHT)):
            if chosen.any():
                yield rows[chosen], columns[chosen], [(d * down, d * right) for down, right in taps]
