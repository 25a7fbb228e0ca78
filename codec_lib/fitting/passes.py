"""One picture under the codec: bits of all grids, squared error, and the gradients of both.

All arrays are made once. Work is cut into bands of rows and into grids; each piece adds to gradients of its
own, which are summed in a fixed order, so that a result does not depend on the number of threads. They
take 210 to 240 bytes a pixel; `models/fitted.py` says what all of a fit takes.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import get_num_threads
from numpy import float32

from codec_lib.fitting import context, grids, kernels, synthesis
from codec_lib.fitting.context import MARGIN
from codec_lib.fitting.parameters import COUNT, GRIDS, grid_sizes, parts
from codec_lib.fitting.synthesis import COLOURS, EDGE
from codec_lib.fitting.upsampling import enlarge, enlarge_back, stride_of

BANDS = 4  # pieces of a grid with many rows
LARGE = 1 << 16  # pixels from which threads pay
BAND_ROWS = 32  # a grid with fewer is one piece


def bands(height: int) -> list[tuple[int, int]]:
    """First and last row, the latter excluded, of the pieces of a grid."""
    count = min(BANDS, -(-height // BAND_ROWS))
    edges = [height * k // count for k in range(count + 1)]
    return list(pairwise(edges))


class Passes:
    """Forward and backward passes for a picture, float32 (3, H, W) in [0, 1].

    Attributes:
        hat: the grids as all passes see them, set by `soften` or `harden`.
        slope: derivatives of `hat` by the latents, after `soften`.
        g: gradients of `hat`, after `backward`.
        gradient: that of the parameters (COUNT,), after `backward`.
    """

    def __init__(self, x: np.ndarray):
        self.x = np.ascontiguousarray(x, np.float32)
        self.height, self.width = x.shape[-2:]
        self.sizes = grid_sizes(self.height, self.width)

        def zeros(*shape: int) -> np.ndarray:
            return np.zeros(shape, np.float32)

        self.stacks = [zeros(GRIDS - k, h, stride_of(w)) for k, (h, w) in enumerate(self.sizes)]
        self.gstacks = [np.zeros_like(stack) for stack in self.stacks]
        self.hat = [stack[0] for stack in self.stacks]
        self.g = [stack[0] for stack in self.gstacks]
        self.slope = [zeros(h, stride_of(w)) for h, w in self.sizes]
        self.planes = [
            zeros(context.PLANES, h + 2 * MARGIN, w + 2 * MARGIN + context.BLOCK) for h, w in self.sizes
        ]
        self.pieces = [(k, top, bottom) for k, (h, _) in enumerate(self.sizes) for top, bottom in bands(h)]
        self.gplanes = [
            zeros(context.PLANES, bottom - top + 2 * MARGIN, self.planes[k].shape[2])
            for k, top, bottom in self.pieces
        ]
        picture = (COLOURS, self.height + 2 * EDGE, stride_of(self.width) + context.BLOCK + 2 * EDGE)
        self.t = [zeros(*picture) for _ in range(3)]
        self.gt = [zeros(*picture) for _ in range(3)]
        self.rows = bands(self.height)
        self.partial = zeros(len(self.pieces) + len(self.rows) + GRIDS, COUNT)
        self.gradient = zeros(COUNT)
        count = get_num_threads() if self.height * self.width >= LARGE else 1
        self.pool = ThreadPoolExecutor(count) if count > 1 else None

    def close(self) -> None:
        """End the threads."""
        if self.pool:
            self.pool.shutdown()

    def each(self, work: Callable, items: Iterable) -> list:
        """The results of `work` for all items, several at a time."""
        return list((self.pool.map if self.pool else map)(work, items))

    def soften(
        self, latents: list[np.ndarray], noise: list[np.ndarray], sigma: float, temperature: float
    ) -> None:
        """Set `hat` and `slope` from real latents, shaken by `sigma` times some noise."""

        def work(piece: tuple[int, int, int]) -> None:
            k, top, bottom = piece
            width = self.sizes[k][1]
            part = noise[k][top * width : bottom * width]
            grids.soften(
                latents[k][top:bottom],
                part,
                float32(sigma),
                float32(temperature),
                self.hat[k][top:bottom],
                self.slope[k][top:bottom],
            )

        self.each(work, self.pieces)
        self._show()

    def harden(self, latents: list[np.ndarray]) -> None:
        """Set `hat` to the nearest integers."""
        for hat, latent in zip(self.hat, latents, strict=True):
            hat[:, : latent.shape[1]] = np.rint(latent)
        self._show()

    def _show(self) -> None:
        def work(item: tuple[int, int]) -> None:
            k, plane = item
            grids.show(self.hat[k + plane], self.sizes[k][1], plane, self.planes[k], plane)

        self.each(work, [(k, p) for k in range(GRIDS) for p in range(context.PLANES) if k + p < GRIDS])

    def bits(self, vector: np.ndarray, is_forward: bool = False) -> np.ndarray:
        """Bits of each grid, (GRIDS,); unless `is_forward`, gradients are kept in pieces."""
        network = parts(vector).network

        def work(i: int) -> float:
            k, top, bottom = self.pieces[i]
            gplanes, gradient = self.gplanes[i], self.partial[i]
            if not is_forward:
                gplanes.fill(0)
                gradient.fill(0)
            return context.sweep(
                self.planes[k],
                top,
                bottom,
                self.sizes[k][1],
                network,
                parts(gradient).network,
                gplanes,
                is_forward,
            )

        found, total = self.each(work, range(len(self.pieces))), np.zeros(GRIDS)
        for (k, _, _), value in zip(self.pieces, found, strict=True):
            total[k] += value
        return total

    def picture(self, vector: np.ndarray) -> np.ndarray:
        """x_hat before it is clipped, float32 (3, H, W): a view that the next pass overwrites."""
        _, taps, net = parts(vector)
        for k in range(GRIDS - 2, -1, -1):
            height, width = self.sizes[k][0], self.sizes[k + 1][1]

            def work(c: int, k: int = k, height: int = height, width: int = width) -> None:
                enlarge(self.stacks[k + 1][c], width, taps[k], self.stacks[k][c + 1], height)

            self.each(work, range(GRIDS - 1 - k))
        t0, t1, t2 = self.t
        self.each(lambda rows: synthesis.pixels(self.stacks[0], *rows, self.width, net, t0), self.rows)
        kernels.repeat_border(t0, self.width)
        self.each(lambda rows: kernels.convolve(t0, *rows, self.width, net.k1, net.c1, True, t1), self.rows)
        kernels.repeat_border(t1, self.width)
        self.each(
            lambda rows: kernels.convolve(t1, *rows, self.width, net.k2, net.c2, False, t2), self.rows
        )
        return t2[:, EDGE : EDGE + self.height, EDGE : EDGE + self.width]

    def error(self, weight: float = 1.0) -> float:
        """Squared error of the picture that was made last, and `weight` times its gradient, kept."""
        return sum(
            self.each(
                lambda rows: kernels.squared_error(
                    self.t[2], self.x, *rows, self.width, float32(weight), self.gt[2]
                ),
                self.rows,
            )
        )

    def gradients(self, vector: np.ndarray, weight: float) -> np.ndarray:
        """Set `gradient`, returned, and `g` to those of bits + weight x squared error."""
        self.bits(vector)
        self.picture(vector)
        self.error(weight)
        self.backward(vector)
        return self.gradient

    def backward(self, vector: np.ndarray) -> None:
        """Set `gradient` and `g` from what `bits` and `error` kept."""
        self._picture_back(vector)
        self.each(self._gather, range(GRIDS))
        np.sum(self.partial, axis=0, out=self.gradient)

    def _picture_back(self, vector: np.ndarray) -> None:
        _, taps, net = parts(vector)
        (t0, t1, _), (g0, g1, g2), width = self.t, self.gt, self.width
        first = len(self.pieces)
        grads = [parts(partial).synthesis for partial in self.partial[first : first + len(self.rows)]]
        self.partial[first:].fill(0)
        items = list(zip(self.rows, grads, strict=True))
        outer = [(top + (top > 0), bottom + 1 + (bottom == self.height)) for top, bottom in self.rows]

        def last(item: int) -> None:
            rows, grad = items[item]
            kernels.kernel_back(t1, g2, *rows, width, grad.k2, grad.c2)
            kernels.convolve_back(g2, *outer[item], width, net.k2, g1)

        def middle(item: int) -> None:
            rows, grad = items[item]
            kernels.kernel_back(t0, g1, *rows, width, grad.k1, grad.c1)
            kernels.convolve_back(g1, *outer[item], width, net.k1, g0)

        self.each(last, range(len(items)))
        kernels.fold_border(g1, width)
        self.each(lambda rows: kernels.rectify_back(t1, g1, *rows, width), self.rows)
        self.each(middle, range(len(items)))
        kernels.fold_border(g0, width)
        self.each(
            lambda item: synthesis.pixels_back(
                self.stacks[0], *item[0], width, net, g0, item[1], self.gstacks[0]
            ),
            items,
        )
        self._enlarge_back(taps, self.partial[first + len(self.rows) :])

    def _enlarge_back(self, taps: np.ndarray, channels: np.ndarray) -> None:
        """Gradients of the enlargements, from that of the planes at full size; a row of `channels` each."""
        for k in range(GRIDS - 1):

            def work(c: int, k: int = k) -> None:
                gtaps = parts(channels[c]).taps[k]
                (height, _), (_, width) = self.sizes[k], self.sizes[k + 1]
                if self.sizes[k][1] % 2:
                    self.gstacks[k][c + 1][:, self.sizes[k][1]] = 0
                enlarge_back(
                    self.stacks[k + 1][c],
                    width,
                    taps[k],
                    self.gstacks[k][c + 1],
                    height,
                    self.gstacks[k + 1][c],
                    gtaps,
                )

            self.each(work, range(GRIDS - 1 - k))

    def _gather(self, target: int) -> None:
        """Add to the gradient of a grid what its own places and those of finer grids say of it."""
        for i, (k, top, bottom) in enumerate(self.pieces):
            plane = target - k
            if 0 <= plane < context.PLANES:
                height, width = self.sizes[k]
                grids.gather(
                    self.gplanes[i], top, bottom - top, height, width, plane, plane, self.g[target]
                )
