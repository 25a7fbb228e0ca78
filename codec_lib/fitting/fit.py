r"""The loop that fits grids and networks to one picture.

What is minimized is bits + w sum (x_hat - x)^2, the file's length and its error in one currency; parameters
pay for moving away from where the fit began (`codec_lib.fitting.price`). First both grids and networks
move, while rounding gets harder (`grids.soften`); then the grids stay integers and the
networks get used to them. Every so often the loss of the really rounded grids is taken, and the best state
so far is kept: it is what comes back, also from a fit that is interrupted. In the end single latents take
steps that were tried (`codec_lib.fitting.descent`), and the networks get used to those.

The loops add up floats in an order that the compiler chooses. So another machine, or a run that compiles
them instead of loading their machine code, ends at other integers of about the same cost. A file decodes
to its integers everywhere all the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import float32

from codec_lib.fitting import grids, price
from codec_lib.fitting.descent import Descent
from codec_lib.fitting.parameters import COUNT, GRIDS, far, matrices
from codec_lib.fitting.passes import Passes
from codec_lib.fitting.soap import Soap
from codec_lib.progress import until_stopped

CHECK = 50  # iterations between two looks at the rounded grids
GRID_RATE, NETWORK_RATE, LAST_RATE = 0.16, 0.01, 0.002  # of Adam, of SOAP, and of it while grids stay
TEMPERATURE, SIGMA = (0.35, 0.08), (0.22, 0.15)  # T and n of `grids`, from the first iteration to the last
GRID_DECAY, NETWORK_DECAY = (0.8, 0.97), 0.95  # of both moments of Adam's, and of SOAP's
LAST_SHARE = 0.06  # of all iterations, with grids that stay
DESCENTS = 2
DESCENT_FROM = 500  # iterations: shorter fits gain more from iterations than from a descent of that time
FAR_FROM = 1 << 17  # pixels: in a smaller picture new weights for neighbours that are far do not pay
WARM = 100  # iterations until the networks move at full rate

Report = Callable[[int, float, float], None]  # iterations done, bits, squared error


@dataclass
class State:
    """What a fit found: integer grids, int32, the finest first; parameters; bits and squared error."""

    grids: list[np.ndarray]
    vector: np.ndarray
    bits: float
    error: float


class Fit:
    """A fit in progress, of a picture float32 (3, H, W) in [0, 1], from a vector of parameters.

    `weight` is how many bits a squared error of 1 is worth. `sees_far` is whether weights of neighbours
    that are far move; unless given, they do where the picture is large enough to pay for them.
    """

    def __init__(self, x: np.ndarray, weight: float, start: np.ndarray, sees_far: bool | None = None):
        self.passes, self.weight = Passes(x), weight
        if sees_far is None:
            sees_far = x[0].size >= FAR_FROM
        self.unseen = np.empty(0, np.int64) if sees_far else far()  # parameters that stay
        self.start, self.vector = start, start.astype(np.float32)
        self.latents = [np.zeros(size, np.float32) for size in self.passes.sizes]
        self.moments = [[np.zeros_like(latent) for latent in self.latents] for _ in range(2)]
        self.soap = Soap(COUNT, matrices(), NETWORK_DECAY)
        self.random = np.random.default_rng(0)
        count = self.latents[0].size
        self.noise = self.random.standard_normal(count + max(4096, count // 2), dtype=np.float32)
        self.steps, self.is_interrupted = 0, False
        self.best = self.look()

    def run(self, iterations: int, report: Report | None = None) -> State:
        """Fit for some iterations, and return the best state; Ctrl-C ends it early."""
        descents = DESCENTS if iterations >= DESCENT_FROM else 0
        last = round(iterations * LAST_SHARE / (1 + descents))
        done = iterations - last * (1 + descents)
        self.is_interrupted = True
        with until_stopped():
            self.move(done, lambda count: self.check(report, count))
            for turn in range(1 + descents):
                self.restore()
                if turn:
                    Descent(self.passes, self.latents, self.vector, self.weight).run(self.random)
                    self.check(report, done)
                self.settle(last, lambda count, done=done: self.check(report, done + count))
                done += last
            self.is_interrupted = False
        self.restore()
        return self.best

    def move(self, count: int, check: Callable[[int], None]) -> None:
        """Fit grids and networks."""
        for i in range(count):
            t = i / count
            cosine = 0.5 + 0.5 * math.cos(math.pi * t)
            sigma, temperature = (a + (b - a) * t for a, b in (SIGMA, TEMPERATURE))
            self.passes.soften(self.latents, self._noise(), sigma, temperature)
            self.passes.gradients(self.vector, self.weight)
            self.steps += 1
            self._move_grids(GRID_RATE * cosine)
            self._move_networks(NETWORK_RATE * cosine * min(1, self.steps / WARM))
            if (i + 1) % CHECK == 0 or i + 1 == count:
                check(i + 1)

    def settle(self, count: int, check: Callable[[int], None]) -> None:
        """Fit the networks to the rounded grids, which stay."""
        for i in range(count):
            self.passes.gradients(self.vector, self.weight)
            self._move_networks(LAST_RATE * (0.5 + 0.5 * math.cos(math.pi * i / count)))
            if (i + 1) % CHECK == 0 or i + 1 == count:
                check(i + 1)

    def look(self) -> State:
        """The state with grids that are rounded."""
        passes = self.passes
        passes.harden(self.latents)
        bits = passes.bits(self.vector, is_forward=True).sum()
        passes.picture(self.vector)
        grids = [np.rint(latent).astype(np.int32) for latent in self.latents]
        return State(grids, self.vector.copy(), bits, passes.error())

    def cost(self, state: State) -> float:
        """What is minimized."""
        return state.bits + self.weight * state.error

    def check(self, report: Report | None, done: int) -> None:
        """Keep the state if it is the best one so far, and report that one."""
        state = self.look()
        if self.cost(state) < self.cost(self.best):
            self.best = state
        if report:
            report(done, self.best.bits, self.best.error)

    def restore(self) -> None:
        """Go back to the best state; its grids are integers."""
        for latent, grid in zip(self.latents, self.best.grids, strict=True):
            latent[:] = grid
        self.vector[:] = self.best.vector
        self.passes.harden(self.latents)

    def _noise(self) -> list[np.ndarray]:
        """Normal numbers for every grid: some of a long row of them."""
        starts = self.random.integers(self.noise.size - self.latents[0].size, size=GRIDS)
        return [self.noise[s : s + latent.size] for s, latent in zip(starts, self.latents, strict=True)]

    def _move_grids(self, rate: float) -> None:
        factors = [float32(v) for v in (rate, *GRID_DECAY, *self._corrections())]

        def work(piece: tuple[int, int, int]) -> None:
            k, top, bottom = piece
            rows = slice(top, bottom)
            first, second = (moment[k][rows] for moment in self.moments)
            grids.adam(
                self.latents[k][rows],
                self.passes.g[k][rows],
                self.passes.slope[k][rows],
                first,
                second,
                *factors,
            )

        self.passes.each(work, self.passes.pieces)

    def _move_networks(self, rate: float) -> None:
        gradient = self.passes.gradient + price.gradient(self.vector - self.start)
        gradient[self.unseen] = 0
        step = self.soap.step(gradient)
        step[self.unseen] = 0
        self.vector -= rate * step

    def _corrections(self) -> list[float]:
        return [1 / (1 - decay**self.steps) for decay in GRID_DECAY]
