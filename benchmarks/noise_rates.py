"""Why a rate in training is larger than the file: bits under noise, bits of rounded latents, bytes.

    python -m benchmarks.noise_rates --json results/noise_rates.json

For each codec and quality, means of bits per pixel over every sixth Kodak picture:

    noise     -log2 of the density at latents with uniform noise: what a training log shows
    rounded   the same at rounded latents, as the encoder decides them: what coding would give
    file      the sections of real files
    nearest   the same where every symbol is the nearest integer, of codecs whose encoder decides
"""

import argparse
import copy
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import results
from codec_lib import data, picture, weights
from codec_lib.models.base import pad
from codec_lib.quantize import RateDistortionQuantizer, Rounding
from codec_lib.setting import QUALITY

CODECS = "autoencoder", "factorized", "hyperprior", "context", "checkerboard", "tucodec", "flagship"
QUALITIES = range(int(QUALITY.coarsest), int(QUALITY.finest) + 1)
EVERY = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    pictures = [picture.to_levels(picture.load(path)) for path in data.kodak()[::EVERY]]
    report: dict[str, Any] = {
        "command": results.command(),
        "pictures": len(pictures),
        "codecs": {},
    }
    for name in tqdm(CODECS):
        rows = [{"quality": quality} | rates(name, pictures, float(quality)) for quality in QUALITIES]
        report["codecs"][name] = {"weights": weights.load(name).digest, "rows": rows}
        results.write(options.json, report)


@torch.inference_mode()
def rates(name: str, pictures: list[Tensor], quality: float) -> dict[str, float]:
    """The bits per pixel of a codec at one quality."""
    model = weights.load(name).model
    encoders = {"file": model}
    if isinstance(getattr(model.prior, "quantizer", None), RateDistortionQuantizer):
        encoders["nearest"] = copy.deepcopy(model)
        encoders["nearest"].prior.quantizer = Rounding()
    found: dict[str, list[float]] = {kind: [] for kind in ("noise", "rounded", *encoders)}
    torch.manual_seed(0)
    for levels in pictures:
        x = pad(levels.float() / 255, model.stride)
        pixels = levels.shape[-2:].numel()
        for kind, is_noisy in (("noise", True), ("rounded", False)):
            bits = model.train(is_noisy)(x, model.quality_tensor(quality)).bits
            found[kind].append(sum(part.item() for part in bits.values()) / pixels)
        for kind, encoder in encoders.items():
            sections = encoder.eval().compress(levels, quality)
            found[kind].append(8 * sum(map(len, sections.values())) / pixels)
    return {kind: round(mean(values), 5) for kind, values in found.items()}


if __name__ == "__main__":
    main()
