"""Rate and distortion on the 24 Kodak pictures: this library's models beside classical encoders.

    python -m benchmarks.kodak models    --json results/kodak.json
    python -m benchmarks.kodak baselines --json results/kodak_baselines.json

Rates are lengths of complete files, PSNR and MS-SSIM are of 8-bit RGB pictures, every figure is the
mean over pictures. For models the bits that the densities estimate are recorded beside the file's.
BD-rates are computed where they are used, by `bd_rates`, from these two files.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import torch

from codec_lib import data, evaluate, metrics, picture, weights
from codec_lib.baselines import BASELINES
from codec_lib.models.base import pad

QUALITIES = (1, 2, 3, 4, 5, 6, 7, 8)
RESULTS = Path(__file__).resolve().parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("models", "baselines"))
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    paths = data.kodak()
    curves = {}
    if options.what == "models":
        for name in weights.available():
            curves[name] = evaluate.evaluate_model(paths, name, QUALITIES, options.device)
            curves[name]["weights"] = weights.load(name).digest
            add_estimates(curves[name]["rows"], name, dict((p.name, p) for p in paths))
    else:
        for name in BASELINES:
            curves[name] = evaluate.evaluate_baseline(paths, name)
    report = {
        "command": f"python -m benchmarks.kodak {options.what} --json {options.json.as_posix()}",
        "pictures": [path.name for path in paths],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "curves": curves,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


@torch.inference_mode()
def add_estimates(rows: list[dict], name: str, paths: dict[str, Path]) -> None:
    """Add `estimated_bytes` to every row: what the densities say, without tables or coder."""
    model = weights.load(name).model
    for row in rows:
        x = pad(picture.to_tensor(picture.load(paths[row["picture"]])), model.stride)
        out = model(x, torch.tensor([float(row["quality"])]))
        row["estimated_bytes"] = sum(bits.item() for bits in out.bits.values()) / 8


def points(curve: dict, figure: str = "psnr") -> list[tuple[float, float]]:
    """(bpp, figure) for every quality of a measured curve."""
    return [(mean["bpp"], mean[figure]) for mean in curve["means"]]


def bd_rates(anchor: str = "jpeg", figure: str = "psnr") -> dict[str, float]:
    """BD-rate in percent of every measured curve against `anchor`, from the files in results/."""
    curves = {}
    for name in ("kodak.json", "kodak_baselines.json"):
        curves |= json.loads((RESULTS / name).read_text())["curves"]
    reference = points(curves[anchor], figure)
    return {
        name: metrics.bd_rate(reference, points(curve, figure))
        for name, curve in curves.items()
        if name != anchor
    }


if __name__ == "__main__":
    sys.exit(main())
