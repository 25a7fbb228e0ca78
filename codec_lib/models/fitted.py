r"""A codec for one picture: there is no trained encoder, and the decoder is a part of the file.

    grids y6 .. y0, from 1/64 of the size on --> learned 2x filters --> 7 planes --> synthesis --> x_hat
      ^ each place: mean and scale by a small network, from neighbours and from coarser grids

Encoding is gradient descent on the picture at hand: on its grids of integers, on the network that gives
their probabilities, on filters and synthesis, about 1,300 parameters in all (`codec_lib.fitting`). The file
has the grids, and the parameters as differences from a starting point. That point is all that the weights
of this model hold: networks that are halfway between pictures, so that a fit begins in a good place.

The network of probabilities is coded with as integers; filters and synthesis stay in float, as they decide
pixels only. Memory to encode is about 300 bytes a pixel, to decode about 120.

Source: Ladune et al., "COOL-CHIC: coordinate-based low complexity hierarchical image codec", ICCV 2023, and
its later versions; Kim et al., "C3", CVPR 2024. A starting point, parameters as differences from it which
pay while they are fitted, and neighbours in coarser grids are this library's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from codec_lib.entropy.laplace import LaplaceTables
from codec_lib.errors import SectionError, section
from codec_lib.fitting import coder, rdoq, rounding
from codec_lib.fitting.descent import Descent, descended
from codec_lib.fitting.fit import Fit, State
from codec_lib.fitting.parameters import CONTEXT, COUNT, NEAR_COUNT, fresh, narrowed, parts, widened
from codec_lib.fitting.passes import Passes
from codec_lib.layers.gain import lambda_of
from codec_lib.models.base import Model
from codec_lib.picture import psnr_of
from codec_lib.priors.base import Sections
from codec_lib.progress import Progress, report, until_stopped
from codec_lib.setting import QUALITY

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

ITERATIONS = (100, 200, 400, 700, 1600, 4000, 8000, 12_000, 20_000, 40_000)  # of each effort
TRIALS_FROM = 2000  # iterations: shorter fits gain more from iterations than from trials of parameters
TRIALS = 200  # iterations that take about as long as these
DESCENTS = 3  # after them, as latents were fitted to parameters that were not rounded yet
DESCENT = 50  # iterations that take about as long as one


@dataclass(frozen=True)
class ShareOfProgress:
    """Hears which share of a part is done, and tells the share of the whole: from `first` to `last`."""

    on_progress: Callable[[float], None]
    first: float
    last: float

    def __call__(self, share: float) -> None:
        self.on_progress(self.first + (self.last - self.first) * share)


class Fitted(Model):
    """Grids and networks that are fitted to one picture."""

    setting = QUALITY
    best_effort = len(ITERATIONS) - 1
    default_effort = 5

    def __init__(self, parameters: int = NEAR_COUNT):
        """A starting point of COUNT parameters, or, as earlier weights have it, of NEAR_COUNT."""
        super().__init__(parameters=parameters)
        if parameters not in (NEAR_COUNT, COUNT):
            raise ValueError(f"parameters: {parameters}; allowed are {NEAR_COUNT} and {COUNT}")
        start = fresh() if parameters == COUNT else narrowed(fresh())
        self.start = nn.Parameter(torch.from_numpy(start))

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return (("n", "y"),)

    def freeze(self) -> "Fitted":
        self.frozen["y"] = LaplaceTables.make()
        self.frozen["n"] = rounding.make_tables()
        return self

    def objective(self, settings: "Settings") -> "Objective":
        raise ValueError(
            "train: a codec for one picture is fitted while it encodes, nothing is trained before"
        )

    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        """The sections of a picture. Ctrl-C ends the fit early; what it has found by then is written."""
        iterations = ITERATIONS[effort]
        trials = TRIALS + DESCENTS * DESCENT if iterations >= TRIALS_FROM else 0
        fit = self.begin(levels, setting)

        def on_fit(done: int, bits: float, error: float) -> None:
            psnr = psnr_of(error / fit.passes.x.size)
            report(Progress(done, iterations + trials, round(bits / 8), psnr))

        def on_trials(share: float) -> None:
            on_fit(iterations + round(share * trials), state.bits, state.error)

        try:
            state = fit.run(iterations, on_fit)
            sections: Sections = {}
            with until_stopped():
                sections = self.write(fit, state, on_trials if trials and not fit.is_interrupted else None)
            sections = sections or self.write(fit, state)
            with until_stopped():  # the file is there
                on_fit(iterations + trials, *self._ends(fit, sections))
            return sections
        finally:
            fit.passes.close()

    def begin(self, levels: Tensor, setting: float, sees_far: bool | None = None) -> Fit:
        """A fit that is about to begin, of a picture uint8 (1, 3, H, W); `sees_far` as `Fit` has it."""
        x = levels[0].cpu().numpy().astype(np.float32) / 255
        weight = lambda_of(setting).item() * 255**2 / len(x)
        return Fit(x, weight, self.start_vector, sees_far)

    def write(self, fit: Fit, state: State, on_progress: Callable[[float], None] | None = None) -> Sections:
        """The sections of a state that a fit has found, the last one or one on its way; it can go on.

        With `on_progress`, which hears of the share that is done, parameters are also tried one by one, and
        latents once more.
        """
        tables, cost, grids = self.frozen.tables("n"), partial(_cost, fit), state.grids
        fit.passes.harden(grids)
        vector, steps = rounding.choose(state.vector, fit.start, tables, cost)
        if on_progress:
            share = TRIALS / (TRIALS + DESCENTS * DESCENT)
            gradient = partial(fit.passes.gradients, weight=fit.weight)
            if rdoq.improve(
                vector, steps, fit.start, tables, cost, gradient, ShareOfProgress(on_progress, 0, share)
            ):
                latents = [grid.astype(np.float32) for grid in grids]
                descent = Descent(fit.passes, latents, vector, fit.weight)
                rest = ShareOfProgress(on_progress, share, 1)
                grids = descended(descent, DESCENTS, fit.random, rest)
        fit.passes.harden(fit.latents)
        n = rounding.encode(vector, steps, fit.start, tables)
        y = coder.encode(grids, parts(vector).network, self.frozen.laplace_tables("y"))
        return {"n": n, "y": y}

    def _ends(self, fit: Fit, sections: Sections) -> tuple[float, float]:
        """Bits and squared error of what was written, as a decoder finds them."""
        vector, grids = self._read(sections, fit.passes.height, fit.passes.width)
        fit.passes.harden(grids)
        fit.passes.picture(vector)
        return 8 * sum(map(len, sections.values())), fit.passes.error()

    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The integers of the grids, by level, and the parameters in units of 2^-12.

        Raises SectionError when a section does not fit the declared size.
        """
        vector, grids = self._read(sections, height, width)
        integers = {
            f"y{level}": torch.from_numpy(grid.astype(np.int32)) for level, grid in enumerate(grids)
        }
        return integers | {"n": torch.from_numpy((vector * coder.ONE).astype(np.int32))}

    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        vector, grids = self._read(sections, height, width)
        passes = Passes(np.zeros((3, height, width), np.float32))
        try:
            passes.harden(grids)
            x_hat = passes.picture(vector)
            if not np.isfinite(x_hat).all():
                raise SectionError("n", "parameters give no numbers")
            x_hat = np.clip(x_hat, 0, 1)
        finally:
            passes.close()
        return torch.from_numpy(np.rint(255 * x_hat).astype(np.uint8))[None].to(self.device)

    @property
    def start_vector(self) -> np.ndarray:
        """The starting point, float32 (COUNT,)."""
        start = self.start.detach().cpu().numpy()
        return start if start.size == COUNT else widened(start)

    def _read(self, sections: Sections, height: int, width: int) -> tuple[np.ndarray, list[np.ndarray]]:
        with section("n"):
            vector = rounding.decode(sections["n"], self.start_vector, self.frozen.tables("n"))
        with section("y"):
            tables = self.frozen.laplace_tables("y")
            grids = coder.decode(sections["y"], height, width, parts(vector).network, tables)
        return vector, grids


def _cost(fit: Fit, vector: np.ndarray, group: str) -> float:
    """What is minimized, as far as a group of parameters can change it."""
    if group in CONTEXT:
        return float(fit.passes.bits(vector, is_forward=True).sum())
    fit.passes.picture(vector)
    return fit.weight * fit.passes.error()
