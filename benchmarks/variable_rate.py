"""What one network for every rate loses against networks that were each trained for one rate.

    python -m benchmarks.variable_rate --minutes 5 --data ../shared/data/train-lossless \
        --out runs/variable --json results/variable_rate.json

Four small flagships start from the same parameters and are trained on the same crops for as many steps as
the first one takes in the given minutes: at all qualities; at all with one gain for all channels; at one
quality alone, for each of two. Figures are means over pictures of the estimated bits per pixel, of PSNR,
and of the MSE of 8-bit levels.

The cost of a point is what training minimizes, R + lambda MSE. `loss_percent` is the cost that a variable
model has above the single one, in percent of the single one's rate: cost is counted in bits, so this is
the rate that it would have to save, at the picture quality it has, to be as good. Only the Kodak pictures
are free of any choice: the validation pictures have helped to set learning rates.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import results, unnamed
from codec_lib import data, picture
from codec_lib.layers.gain import GainUnit, between, lambda_of
from codec_lib.models.flagship import INITIAL_GAIN, Flagship
from codec_lib.training.objectives import validation_pictures
from codec_lib.training.settings import Settings

WIDTHS = {"N": 64, "M": 96}
QUALITIES = (3.0, 6.0)


class OneGain(GainUnit):
    """One number a quality, for all channels; what differs between channels is left to the transforms."""

    def forward(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        gains = (self.log_gain, self.log_inverse)
        return tuple(between(g.mean(1, keepdim=True).expand_as(g), quality).exp() for g in gains)


class OneGainFlagship(Flagship):
    """The flagship with `OneGain`."""

    def __init__(self, N: int, M: int):
        super().__init__(N, M)
        self.gain = OneGain(M, INITIAL_GAIN)


@dataclass
class Variant:
    """A model, and the only quality that it is trained for; None means all."""

    model: type[Flagship] = Flagship
    quality: float | None = None


VARIANTS = {
    "all qualities": Variant(),
    "one gain for all channels": Variant(OneGainFlagship),
} | {f"only quality {quality:g}": Variant(quality=quality) for quality in QUALITIES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, for the first variant")
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--validation", default="../shared/data/validation")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    variants, steps = {}, None
    for name, variant in VARIANTS.items():
        settings = Settings(
            "flagship", options.data, str(options.out / name.replace(" ", "_")), minutes=options.minutes,
            steps=steps, lr=0.012, lr_other=0.002, enlarge=1.3, soft=0.2, widths=WIDTHS,
            quality=variant.quality,
        )  # fmt: skip
        path = unnamed.train(settings, variant.model)
        training = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["training"]
        steps = training["step"]
        variants[name] = training | measure(variant, path, options.validation)
        print(name, variants[name], flush=True)
    report = {"command": results.command(), "minutes": options.minutes, "widths": WIDTHS}
    report |= {"batch": settings.batch, "variants": variants, "loss_percent": losses(variants)}
    results.write(options.json, report)


def measure(variant: Variant, path: Path, validation: str) -> dict[str, dict]:
    """The point of each quality that the variant was trained for, on both sets of pictures."""
    model = unnamed.with_parameters(variant.model(**WIDTHS), path).eval()
    sets = {
        "validation": list(validation_pictures(validation)),
        "kodak": [picture.to_tensor(picture.load(path)) for path in data.kodak()],
    }
    qualities = QUALITIES if variant.quality is None else (variant.quality,)
    return {
        name: {f"{quality:g}": point(model, pictures, quality) for quality in qualities}
        for name, pictures in sets.items()
    }


@torch.no_grad()
def point(model: Flagship, pictures: Iterable[Tensor], quality: float) -> dict[str, float]:
    """Mean estimated bpp, PSNR and MSE over pictures (1, 3, H, W), and the cost that follows."""
    rates, errors = [], []
    for x in tqdm(pictures, leave=False):
        out = model(x, torch.tensor([quality]))
        out.x_hat = out.x_hat.clamp(0, 1)
        rates.append(out.bpp().item())
        errors.append(255**2 * out.mse(x).item())
    psnr = mean(10 * math.log10(255**2 / error) for error in errors)
    cost = mean(rates) + lambda_of(quality).item() * mean(errors)
    return {"pictures": len(rates), "bpp": mean(rates), "psnr": psnr, "mse": mean(errors), "cost": cost}


def losses(variants: dict[str, dict]) -> dict[str, dict]:
    """For each variable model, set and quality: its cost above the single model's, in percent."""
    percent = {}
    for name in (name for name, variant in VARIANTS.items() if variant.quality is None):
        percent[name] = {}
        for pictures in ("validation", "kodak"):
            percent[name][pictures] = {}
            for quality, own in variants[name][pictures].items():
                single = variants[f"only quality {quality}"][pictures][quality]
                excess = own["cost"] - single["cost"]
                percent[name][pictures][quality] = 100 * excess / single["bpp"]
    return percent


if __name__ == "__main__":
    sys.exit(main())
