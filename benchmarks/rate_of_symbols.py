"""What a prior is worth that was trained on the symbols of its encoder, and not on noise.

    python -m benchmarks.rate_of_symbols --json results/rate_of_symbols.json --out runs/rate \
        --data ../shared/data/train --data ../shared/data/train-lossless

The flagship's prior goes on from the shipped weights, on the same crops, for as many steps with either rate
(`training.settings`); the transforms stay. Then an encoder rounds, or decides by rate and distortion, on
validation pictures. BD-rates are means over pictures, estimated, against the prior of noise with rounding.
"""

import argparse
import sys
from pathlib import Path
from statistics import mean

import torch
from tqdm import tqdm

from benchmarks import results, unnamed
from benchmarks.encoder_decisions import QUALITIES, point, with_quantizer
from codec_lib import weights
from codec_lib.measure import metrics
from codec_lib.models.flagship import Flagship
from codec_lib.priors.context import ContextPrior
from codec_lib.quantize import Rounding
from codec_lib.training.objectives import validation_pictures
from codec_lib.training.settings import Settings

ENCODERS = ("rounds", "decides")
BASE = ("noise", "rounds")
POINTS = tuple[tuple[float, float], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--validation", default="../shared/data/validation")
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    curves: dict[tuple[str, str], list[POINTS]] = {}
    for rate in ContextPrior.rates:
        settings = Settings(
            "flagship", options.data, str(options.out / rate), steps=options.steps, batch=8, crop=256,
            lr=6e-4, lr_other=1e-4, enlarge=1.25, soft=0.2, start="flagship", only=["prior"], rate=rate,
        )  # fmt: skip
        trained = unnamed.with_parameters(Flagship(), unnamed.train(settings, Flagship)).eval()
        for name, model in zip(ENCODERS, (with_quantizer(trained, Rounding()), trained), strict=True):
            curves[rate, name] = measured(model, options.validation)
    report = {
        "command": results.command(),
        "weights": weights.load("flagship").digest,
        "steps": options.steps,
        "pictures": len(curves[BASE]),
        "qualities": QUALITIES,
        "bd_rate_psnr": {
            rate: {name: saved(curves[BASE], curves[rate, name]) for name in ENCODERS}
            for rate in ContextPrior.rates
        },
    }
    results.write(options.json, report)


@torch.inference_mode()
def measured(model: Flagship, folder: str) -> list[POINTS]:
    """Bits per pixel and PSNR of every picture of a folder, at all qualities."""
    return [
        tuple(point(model, x, quality) for quality in QUALITIES)
        for x in tqdm(list(validation_pictures(folder)))
    ]


def saved(before: list[POINTS], after: list[POINTS]) -> float:
    """The mean BD-rate of pictures, in percent."""
    return mean(metrics.bd_rate(*pair) for pair in zip(before, after, strict=True))


if __name__ == "__main__":
    sys.exit(main())
