r"""Steps of single latents by 1, each one judged by what it really changes.

A descent along gradients ends near the best integers, not at them. What is left can be tried out, since
what a latent changes is near it: its own bits, those of the places that see it, and some pixels. So many
latents, far from each other, take a step at once; bits and errors are summed over a window around each, and
where the sum has not become less, the step is taken back.

A grid is cut into windows of 16 x 16 places. In the core of a window, 8 x 8, the most promising step is
tried: own bits before and after are known, the rest is judged by its gradient. Windows that are moved by 8
rows, by 8 columns and by both have other cores, so four turns try a step in each part of a grid.

This is coordinate descent; that effects are local, and so can be measured side by side, is what makes it
cheap: all grids of a picture cost as much as some fifty iterations of the fit.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from collections.abc import Callable

import numpy as np

from codec_lib.fitting.context import PLANES, predict
from codec_lib.fitting.grids import LARGEST
from codec_lib.fitting.laplace import costs
from codec_lib.fitting.parameters import GRIDS, parts
from codec_lib.fitting.passes import Passes
from codec_lib.fitting.vector import fast
from codec_lib.progress import until_stopped

CORE, WINDOW = 8, 16
ROUNDS = (3, 3, 2, 2, 1, 1, 1)  # steps that are tried in each core, for each grid, the finest first


@fast
def add_windows(values, scale, top, left, sums):
    """Add values (H, W) to the windows that they are in, WINDOW * scale of them along each side.

    The grid's first row and column lie `top` and `left` places from the first window's.
    """
    side = WINDOW * scale
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            sums[(row + top * scale) // side, (column + left * scale) // side] += values[row, column]


class Descent:
    """Steps of integer latents, lists of float32 (H, W), for parameters (COUNT,), which stay.

    `weight` is how many bits a squared error of 1 is worth.
    """

    def __init__(self, passes: Passes, latents: list[np.ndarray], vector: np.ndarray, weight: float):
        self.passes, self.latents, self.vector, self.weight = passes, latents, vector, weight

    def run(self, random: np.random.Generator) -> int:
        """Try steps in all grids; returns how many were kept."""
        self.passes.harden(self.latents)
        kept = 0
        for level in range(GRIDS):
            is_tried = np.zeros(self.passes.sizes[level], bool)
            kept += sum(self.round(level, is_tried, random) for _ in range(ROUNDS[level]))
        return kept

    def round(self, level: int, is_tried: np.ndarray, random: np.random.Generator) -> int:
        """Try one step in every core of a grid, of latents not tried yet; returns how many were kept."""
        promise, step = self.promises(level)
        promise[is_tried] = 0
        top, left = random.integers(CORE, size=2)
        kept = 0
        for down, right in np.ndindex(2, 2):
            corner = (int(top) + CORE * down, int(left) + CORE * right)
            rows, columns, i, j = most_promising(promise, *corner)
            if not rows.size:
                continue
            steps = step[rows, columns]
            before = self.windows(level, *corner)
            self._move(level, rows, columns, steps)
            is_worse = (self.windows(level, *corner) >= before)[i, j]
            self._move(level, rows[is_worse], columns[is_worse], -steps[is_worse])
            is_tried[rows, columns] = True
            kept += int((~is_worse).sum())
        return kept

    def promises(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """What the better step of each latent is thought to change, in bits, and that step: 1 or -1."""
        passes = self.passes
        passes.gradients(self.vector, self.weight)
        y = self._grid(level)
        mu, s = self._predict(level)
        own, slope, changed, scratch = (np.empty_like(mu) for _ in range(4))
        costs(y, mu, s, own, slope)
        others = passes.g[level][:, : y.shape[1]] - slope
        found = []
        for step in (1, -1):
            costs(y + np.float32(step), mu, s, changed, scratch)
            found.append(np.where(np.abs(y + step) <= LARGEST, step * others + changed - own, 0))
        return np.minimum(*found), np.where(found[0] < found[1], 1, -1).astype(np.float32)

    def windows(self, level: int, top: int, left: int) -> np.ndarray:
        """Bits and weighted errors that a step in a grid can change, summed over windows."""
        height, width = self.passes.sizes[level]
        sums = np.zeros(((height + top - 1) // WINDOW + 1, (width + left - 1) // WINDOW + 1))
        x_hat = self.passes.picture(self.vector)[:, :, : self.passes.width]
        errors = self.weight * ((np.clip(x_hat, 0, 1) - self.passes.x) ** 2).sum(0)
        add_windows(errors, 1 << level, top, left, sums)
        for seer in range(max(level - PLANES + 1, 0), level + 1):
            mu, s = self._predict(seer)
            own, scratch = np.empty_like(mu), np.empty_like(mu)
            costs(self._grid(seer), mu, s, own, scratch)
            add_windows(own, 1 << (level - seer), top, left, sums)
        return sums

    def _grid(self, level: int) -> np.ndarray:
        return self.passes.hat[level][:, : self.passes.sizes[level][1]]

    def _move(self, level: int, rows: np.ndarray, columns: np.ndarray, steps: np.ndarray) -> None:
        self.latents[level][rows, columns] += steps
        self.passes.harden(self.latents)

    def _predict(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-scales of a grid."""
        passes = self.passes
        mu, s = np.empty((2, *passes.sizes[level]), np.float32)
        network, width = parts(self.vector).network, passes.sizes[level][1]

        def work(piece: tuple[int, int, int]) -> None:
            predict(passes.planes[level], piece[1], piece[2], width, network, mu, s)

        passes.each(work, [piece for piece in passes.pieces if piece[0] == level])
        return mu, s


def most_promising(promise: np.ndarray, top: int, left: int) -> tuple[np.ndarray, ...]:
    """The best place of every core that has a good one: rows, columns, and the numbers of its window."""
    height, width = promise.shape
    across, along = (height + top - 1) // WINDOW + 1, (width + left - 1) // WINDOW + 1
    padded = np.zeros((across * WINDOW, along * WINDOW), np.float32)
    padded[top : top + height, left : left + width] = promise
    edge = (WINDOW - CORE) // 2
    cores = padded.reshape(across, WINDOW, along, WINDOW)[:, edge:-edge, :, edge:-edge]
    cores = cores.transpose(0, 2, 1, 3).reshape(across, along, CORE * CORE)
    i, j = np.nonzero(cores.min(2) < 0)
    best = cores.argmin(2)[i, j]
    return i * WINDOW + edge + best // CORE - top, j * WINDOW + edge + best % CORE - left, i, j


def descended(
    descent: Descent, times: int, random: np.random.Generator, on_progress: Callable[[float], None]
) -> list[np.ndarray]:
    """The grids after some descents, int32; Ctrl-C ends them, and leaves those of the last that was whole.

    `on_progress` is called with the share that is done.
    """
    grids = [latent.astype(np.int32) for latent in descent.latents]
    with until_stopped():
        for turn in range(times):
            descent.run(random)
            grids = [latent.astype(np.int32) for latent in descent.latents]
            on_progress((turn + 1) / times)
    return grids
