"""What an encoder gains that weighs bits against errors, and what the shape of the tables saves.

    python -m benchmarks.encoder_decisions --json results/encoder_decisions.json

The flagship on validation pictures, estimated: for each weight of `quantize.RateDistortionQuantizer` the
BD-rate against plain rounding, the mean over pictures, with distances from the integers and from what the
decoder shows for them; the mean size of what is rounded to 1; and the bits of y that Gaussian tables would
take for the same symbols, against the mixture's. What ships was chosen here, and not on Kodak.
"""

import argparse
import copy
import json
import math
import sys
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import results
from codec_lib import weights
from codec_lib.density import gaussian
from codec_lib.density.shapes import NORMAL
from codec_lib.measure import metrics
from codec_lib.models.flagship import DISTORTION_WEIGHT, SHRINKAGE, Flagship
from codec_lib.quantize import RateDistortionQuantizer, Rounding
from codec_lib.training.objectives import validation_pictures

THEORY = 6 / math.log(2)  # of fine steps and independent latents
WEIGHTS = (THEORY, 12.0, DISTORTION_WEIGHT, 20.0, 30.0, 45.0, 70.0, 100.0)
FROM = {"integers": 0.0, "means": SHRINKAGE}  # what distances are measured from
QUALITIES = (1.0, 3.0, 5.0, 7.0)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--validation", default="../shared/data/validation")
    options = parser.parse_args()
    trained = weights.load("flagship")
    costs = gaussian.costs(trained.model.prior.shape)
    kinds = [(name, weight) for name in FROM for weight in WEIGHTS]
    models: dict = {None: with_quantizer(trained.model, Rounding())}
    for name, weight in kinds:
        quantizer = RateDistortionQuantizer(costs, weight, FROM[name])
        models[name, weight] = with_quantizer(trained.model, quantizer)
    rates, shapes, ones = {kind: [] for kind in kinds}, [], []
    for x in tqdm(list(validation_pictures(options.validation))):
        curves = {kind: [point(model, x, q) for q in QUALITIES] for kind, model in models.items()}
        for kind in kinds:
            rates[kind].append(metrics.bd_rate(curves[None], curves[kind]))
        shapes.append([excess_of_gaussians(models[None], x, quality) for quality in QUALITIES])
        ones.append([size_of_ones(models[None], x, quality) for quality in QUALITIES])
    report = {
        "command": results.command(),
        "weights": trained.digest,
        "pictures": len(shapes),
        "qualities": QUALITIES,
        "shipped": {"weight": DISTORTION_WEIGHT, "shrinkage": SHRINKAGE},
        "bd_rate_psnr_vs_rounding": {
            name: {f"{weight:.3g}": mean(rates[name, weight]) for weight in WEIGHTS} for name in FROM
        },
        "mean_size_of_ones": [mean(values) for values in zip(*ones, strict=True)],
        "gaussian_tables_percent": [mean(values) for values in zip(*shapes, strict=True)],
    }
    results.write(options.json, report)
    print(json.dumps(report, indent=1))


def with_quantizer(model: Flagship, quantizer: Rounding) -> Flagship:
    """A copy of the model whose encoder makes other decisions."""
    other = copy.deepcopy(model)
    other.prior.quantizer = quantizer
    return other


def point(model: Flagship, x: Tensor, quality: float) -> tuple[float, float]:
    """Estimated bits per pixel and PSNR of a picture (1, 3, H, W)."""
    out = model(x, torch.tensor([quality]))
    out.x_hat = out.x_hat.clamp(0, 1)
    return out.bpp().item(), out.psnr(x).item()


def size_of_ones(model: Flagship, x: Tensor, quality: float) -> float:
    """The mean absolute value of what is rounded to 1 or -1."""
    gain, _ = model.gain(torch.tensor([quality]))
    y = model.g_a(x) * gain
    z_hat, symbols = model.prior.choose(y)
    mu, _ = model.prior.price(symbols, z_hat, gain)
    return (y - mu)[symbols.abs() == 1].abs().mean().item()


def excess_of_gaussians(model: Flagship, x: Tensor, quality: float) -> float:
    """Percent more bits that y would take in Gaussian tables, for the same symbols."""
    gain, _ = model.gain(torch.tensor([quality]))
    y, prior = model.g_a(x) * gain, copy.deepcopy(model.prior)
    _, bits = prior(y, gain)
    prior.shape = NORMAL
    _, plain = prior(y, gain)
    return 100 * (plain["y"].item() / bits["y"].item() - 1)


if __name__ == "__main__":
    sys.exit(main())
