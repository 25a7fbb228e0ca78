"""Distortion against perception: decoders that show the same files, and codecs to compare with, on Kodak.

    python -m benchmarks.perception --json results/perception.json

`decoders` has, for every decoder of the flagship's files ("mse" is its own), means of bpp, PSNR, MS-SSIM
and SSIMULACRA2 over the 24 pictures at `QUALITIES`. `rivals` has the same of classical codecs, each picture
in the largest file that is no longer than the flagship's.
"""

import argparse
import json
import platform
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from tqdm import tqdm

import codec_lib as cl
from codec_lib import data, decoders, picture, weights
from codec_lib.measure import baselines, evaluate, metrics

QUALITIES = (1.5, 2.5, 4.0)
RIVALS = ("jpeg", "webp", "avif")
FIGURES = ("bpp", "psnr", "ms_ssim", "ssimulacra2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    names: dict[str, str | None] = {"mse": None} | {name: name for name in decoders.paths()}
    report = {
        "command": " ".join(["python -m benchmarks.perception", *sys.argv[1:]]),
        "weights": weights.load("flagship").digest,
        "cards": {name: weights.card_of(path)["sha256"] for name, path in decoders.paths().items()},
        "torch": torch.__version__,
        "machine": platform.machine(),
        "decoders": {title: shown(decoder) for title, decoder in names.items()},
        "rivals": {name: rival(name) for name in RIVALS},
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def shown(decoder: str | None) -> list[dict[str, float]]:
    """A row for each quality, of the flagship's files in a decoder's eyes."""
    measured = evaluate.evaluate_model(data.kodak(), "flagship", QUALITIES, decoder=decoder)
    return [{key: row[key] for key in ("quality", *FIGURES)} for row in measured["means"]]


def rival(name: str) -> list[dict[str, Any]]:
    """The same of a classical codec in as many bytes, picture by picture."""
    rows = []
    for quality in QUALITIES:
        measured = [at_equal_bytes(name, path, quality) for path in tqdm(data.kodak(), desc=name)]
        means = {key: mean(row[key] for row in measured) for key in FIGURES}
        rows.append({"quality": quality} | means)
    return rows


def at_equal_bytes(name: str, path: Path, quality: float) -> dict[str, float]:
    """One picture in the largest file of a codec that is no longer than the flagship's."""
    original = picture.load(path).convert("RGB")
    file = baselines.at_size(name, original, len(cl.encode(original, "flagship", quality=quality)))
    decoded = baselines.decode(name, file)
    return {
        "bpp": 8 * len(file) / (original.width * original.height),
        "psnr": metrics.psnr(original, decoded),
        "ms_ssim": metrics.ms_ssim(original, decoded),
        "ssimulacra2": metrics.ssimulacra2(original, decoded),
    }


if __name__ == "__main__":
    main()
