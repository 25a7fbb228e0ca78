"""Everything that a training run depends on, in one place: the command line is made from it."""

import math
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from codec_lib.errors import is_number, shown
from codec_lib.setting import QUALITY

MOST = 2**32
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
LEAST = {"steps": 1, "batch": 1, "crop": 1, "seed": 0}  # of what is a whole number
RANGES = {  # smallest and largest value of every other number
    "minutes": (1e-3, math.inf),
    "lr": (0, math.inf),
    "lr_other": (0, math.inf),
    "enlarge": (0.5, 16),
    "soft": (0, 1),
    "distortion": (0, math.inf),
    "check_minutes": (0, math.inf),
}


@dataclass
class Settings:
    """A training run. It is kept in the run's checkpoint and in the model card.

    Args:
        model: the architecture, one of `codec_lib.models.MODELS`
        data: folders of pictures to train on
        out: folder for checkpoint, log and weights
        validation: folder of pictures, every third of which choose the best weights
        minutes: time budget, unless `steps` is given
        steps: stop after so many steps, whatever the clock says
        batch: pictures a step and process
        crop: side of the square crops, in pixels
        lr: learning rate of the weight matrices
        lr_other: learning rate of everything else
        enlarge: the largest factor that crops are scaled by; the smallest is 1/2
        soft: share of the crops with colours of half the resolution, 0 to 1
        seed: of parameters, crops and noise
        widths: arguments that build the model, on the command line as N 64 M 256
        start: a model's name or weights file to begin from, of the same widths
        only: parts of the model that are trained, such as prior or prior.lossless; all if none is named
        quality: of lossy models: the only one that is trained; all unless given
        goal: what a codec of two transforms is trained for: mse or ms-ssim; its g_s alone also for patches
            or pairs, two discriminators
        rate: what the rate of a lossy model is taken of: noise, or symbols that the encoder decides for
        distortion: lambda of near-lossless models
        precision: 32-true, bf16-mixed or 16-mixed
        device: cpu, cuda or auto
        check_minutes: between validations, each of which saves a checkpoint
    """

    model: str
    data: list[str]
    out: str
    validation: str | None = None
    minutes: float = 10.0
    steps: int | None = None
    batch: int = 8
    crop: int = 128
    lr: float = 0.005
    lr_other: float = 1e-3
    enlarge: float = 1.0
    soft: float = 0.0
    seed: int = 0
    widths: dict[str, int] = field(default_factory=dict)
    start: str | None = None
    only: list[str] = field(default_factory=list)
    quality: float | None = None
    goal: str = "mse"
    rate: str = "noise"
    distortion: float = 0.001
    precision: str = "bf16-mixed"
    device: str = "auto"
    check_minutes: float = 5.0

    def check(self) -> None:
        """Raise ValueError, which names the option and what is allowed, for a value that trains nothing."""
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not (name == "steps" and value is None) and not _is_count(value, least):
                raise ValueError(f"{name}: {shown(value)}; allowed is {least} to {MOST}")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not is_number(value) or not low <= value <= high or math.isinf(value):
                allowed = f"{low:g} to {high:g}" if high < math.inf else f"{low:g} or more"
                raise ValueError(f"{name}: {shown(value)}; allowed is {allowed}")
        if self.quality is not None:
            QUALITY.check(self.quality)
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: {self.precision!r}; allowed are {', '.join(PRECISIONS)}")
        for name, value in self.widths.items():
            if not _is_count(value, 0):
                raise ValueError(f"widths: {name} {shown(value)}; allowed are whole numbers")


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= MOST
