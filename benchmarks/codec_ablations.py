"""From the factorized prior to the flagship, one step after the other, all trained alike.

    python -m benchmarks.codec_ablations --json results/codec_ablations.json \\
        --data ../shared/data/train ../shared/data/train-lossless --out runs/codec

Every codec has M = 320 channels of latents at a sixteenth of the size, sees the same crops in the same
order, and takes the same number of steps. The training is short: compare the rows with each other only.

    factorized    the convolutions and GDN of the hyperprior, a density for each channel
    hyperprior    the same transforms, with side information
    relu, linear  the hyperprior with ReLU instead of GDN and its inverse, and with nothing
    blocks        the flagship's residual blocks at an eighth of the size, prior of the hyperprior
    dct           the same, started from a DCT instead of random numbers
    context       the same, prior with means and a context of two steps
    tails         the same, mixtures instead of Gaussians: the flagship
    decisions     the same weights, whose encoder weighs bits against errors

Means of bpp and PSNR are over every second Kodak picture, from the sections of real files, without the
container; multiplications are those of a decoder for each pixel. Rows that the JSON file has are not made
again.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks import results, unnamed
from benchmarks.kodak import products
from codec_lib import data
from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.density.shapes import HEAVY_TAILED, NORMAL
from codec_lib.layers.convolution import start_small
from codec_lib.layers.gdn import GDN
from codec_lib.layers.residual import PartialResidualBlock
from codec_lib.models.flagship import INITIAL_GAIN, WIDE, Flagship
from codec_lib.models.scale_hyperprior import gdn_transforms
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.base import Prior
from codec_lib.priors.channel import ChannelPrior
from codec_lib.priors.checkerboard import CheckerboardPrior
from codec_lib.priors.hyper import HyperPrior
from codec_lib.quantize import RateDistortionQuantizer
from codec_lib.training.settings import Settings

N, M = 64, 320
RANDOM_GAIN = 4.0  # of quality 4, where transforms begin with random numbers
QUALITIES = (1.0, 2.5, 4.0, 5.5, 7.0, 8.0)
EVERY = 2
SIDE = 512  # of the square whose decoding is counted


class Convolutional(TransformCodec):
    """The hyperprior's transforms, with GDN or what stands in its place, and any prior."""

    def __init__(self, prior: Prior, activation: Callable[[], nn.Module] | None = None):
        g_a, g_s = gdn_transforms(N, M)
        for transform in (g_a, g_s) if activation else ():
            for place, layer in enumerate(transform):
                if isinstance(layer, GDN):
                    transform[place] = activation()
        super().__init__(g_a, prior, g_s, RANDOM_GAIN)


class Blocks(TransformCodec):
    """The flagship's transforms, started from a DCT or from random numbers, and any prior."""

    outer, band_rows = Flagship.outer, Flagship.band_rows

    def __init__(self, prior: Prior, from_dct: bool = True):
        like = Flagship(M=M)
        if not from_dct:
            for layer in like.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.reset_parameters()
            for layer in like.modules():
                if isinstance(layer, PartialResidualBlock):
                    start_small(layer.branch[-1])
        gain = INITIAL_GAIN if from_dct else RANDOM_GAIN
        super().__init__(like.g_a, prior, like.g_s, gain)


def factorized() -> TransformCodec:
    """The transforms of the hyperprior, and a density for each channel."""
    return Convolutional(ChannelPrior(M, FactorizedDensity(M)))


def context(**choices: Any) -> TransformCodec:
    """The flagship's transforms, and a prior with a context."""
    return Blocks(CheckerboardPrior(M, seen=WIDE, **choices))


VARIANTS: dict[str, Callable[[], TransformCodec]] = {
    "factorized": factorized,
    "hyperprior": lambda: Convolutional(HyperPrior(N, M)),
    "relu": lambda: Convolutional(HyperPrior(N, M), nn.ReLU),
    "linear": lambda: Convolutional(HyperPrior(N, M), nn.Identity),
    "blocks": lambda: Blocks(HyperPrior(N, M), from_dct=False),
    "dct": lambda: Blocks(HyperPrior(N, M)),
    "context": lambda: context(shape=NORMAL),
    "tails": lambda: context(shape=HEAVY_TAILED),
}
DECIDES = "tails"  # the one whose encoder is tried once more, with decisions
WEIGHT = 30.0  # of their errors, which are measured from the integers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders of training pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--only", action="append", choices=VARIANTS, help="of the variants")
    options = parser.parse_args()
    made_with = {"steps": options.steps, "widths": {"N": N, "M": M}}
    for name in options.only or VARIANTS:
        if name in results.begin(options.json, made_with).get("variants", {}):
            continue
        rows = variant(name, options)
        report = results.begin(options.json, made_with)  # another process may have added to it
        report.setdefault("variants", {}).update(rows)
        results.write(options.json, report)


def variant(name: str, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Train one of the variants and measure it, with and without decisions where it can make them."""
    build = VARIANTS[name]
    settings = Settings(
        "flagship", options.data, str(options.out / name), steps=options.steps, batch=8, crop=128, lr=0.006,
        lr_other=0.001, device="cpu", check_minutes=3,
    )  # fmt: skip
    model = unnamed.with_parameters(build(), unnamed.train(settings, build))
    model.freeze().eval()
    rows = {name: measured(model, name)}
    if name == DECIDES:
        model.prior.quantizer = RateDistortionQuantizer(gaussian.costs(HEAVY_TAILED), WEIGHT)
        rows["decisions"] = measured(model, "decisions")
    return rows


def measured(model: TransformCodec, title: str) -> dict[str, Any]:
    """A row of the results."""
    means = unnamed.measured(model, data.kodak()[::EVERY], QUALITIES, title)
    return means | {"multiplications_a_pixel": multiplications(model)}


@torch.inference_mode()
def multiplications(model: TransformCodec) -> dict[str, float]:
    """What a decoder multiplies for each pixel: in its synthesis, and to read the sections."""
    sections = model.compress(torch.full((1, 3, SIDE, SIDE), 128, dtype=torch.uint8), 4.0)
    side = SIDE // model.downsampling
    synthesis = products(lambda: model.g_s(torch.zeros(1, M, side, side)))
    prior = products(lambda: model.read(sections, 4.0, SIDE, SIDE))
    return {"synthesis": synthesis / SIDE**2, "prior": prior / SIDE**2}


if __name__ == "__main__":
    main()
