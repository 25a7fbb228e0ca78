"""Rate and distortion on the 24 Kodak pictures: this library's models beside classical encoders.

    python -m benchmarks.kodak models    --json results/kodak.json
    python -m benchmarks.kodak baselines --json results/kodak_baselines.json
    python -m benchmarks.kodak summary   --json results/kodak_summary.json

Rates are lengths of complete files, PSNR and MS-SSIM are of 8-bit RGB pictures, every figure is the
mean over pictures. For models the bits that the densities estimate are recorded beside the file's.
The summary has the BD-rates of all curves against JPEG and WebP, from the two other files, and what every
model's decoder costs.
"""

import argparse
import json
import math
import platform
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from codec_lib import data, picture, weights
from codec_lib.measure import evaluate, metrics
from codec_lib.measure.baselines import BASELINES
from codec_lib.models.base import pad

QUALITIES = (1, 2, 3, 4, 5, 6, 7, 8)
# Models that differ from the hyperprior in their prior alone are measured in benchmarks/context.py.
MODELS = ("flagship", "hyperprior", "factorized", "autoencoder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("models", "baselines", "summary"))
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this again, keep the rest")
    options = parser.parse_args()
    command = f"python -m benchmarks.kodak {options.what} --json {options.json.as_posix()}"
    if options.what == "summary":
        report = {"command": command, "method": "akima over log-rate, where both curves overlap"}
        for rival in ("jpeg", "webp"):
            report |= {f"bd_rate_{f}_vs_{rival}": bd_rates(f, rival) for f in ("psnr", "ms_ssim")}
        report["decoders"] = {name: decoder(name) for name in MODELS}
    else:
        report = {"command": command, "note": options.note} | measure(options)
    options.json.write_text(json.dumps(report, indent=1) + "\n")


def measure(options: argparse.Namespace) -> dict:
    """The curves of all models, or of all baselines, and what they were measured with."""
    paths = data.kodak()
    curves = json.loads(options.json.read_text())["curves"] if options.only else {}
    for name in options.only or (MODELS if options.what == "models" else BASELINES):
        if options.what == "models":
            curves[name] = evaluate.evaluate_model(paths, name, QUALITIES, options.device)
            curves[name]["weights"] = weights.load(name).digest
            add_estimates(curves[name]["rows"], name, {path.name: path for path in paths})
        else:
            curves[name] = evaluate.evaluate_baseline(paths, name)
    return {
        "pictures": [path.name for path in paths],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "curves": curves,
    }


@torch.inference_mode()
def add_estimates(rows: list[dict], name: str, paths: dict[str, Path]) -> None:
    """Add `estimated_bytes` to every row: what the densities say, without tables or coder."""
    model = weights.load(name).model
    for row in rows:
        x = pad(picture.to_tensor(picture.load(paths[row["picture"]])), model.stride)
        out = model(x, torch.tensor([float(row["quality"])]))
        row["estimated_bytes"] = sum(bits.item() for bits in out.bits.values()) / 8


def bd_rates(figure: str, rival: str) -> dict[str, float]:
    """BD-rate in percent of every measured curve against a rival's, by PSNR or by MS-SSIM in dB."""
    curves = data.results("kodak")["curves"] | data.results("kodak_baselines")["curves"]
    points = {name: [point(mean, figure) for mean in c["means"]] for name, c in curves.items()}
    return {name: metrics.bd_rate(points[rival], p) for name, p in points.items() if name != rival}


@torch.inference_mode()
def decoder(name: str) -> dict[str, float]:
    """Multiplications of the synthesis transform for each pixel, parameters of the model, bytes on disk."""
    trained, products = weights.load(name), 0
    model = trained.model

    def count(layer: nn.Module, given: tuple[Tensor], result: Tensor) -> None:
        nonlocal products
        places = (given[0] if isinstance(layer, nn.ConvTranspose2d) else result)[0, 0].numel()
        products += places * layer.out_channels * layer.in_channels * math.prod(layer.kernel_size)

    hooks = [
        layer.register_forward_hook(count)
        for layer in model.g_s.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    side = 256 // model.downsampling
    x_hat = model.g_s(torch.zeros(1, model.prior.M, side, side))
    for hook in hooks:
        hook.remove()
    return {
        "multiplications_a_pixel": products / x_hat[0, 0].numel(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": weights.find(name).stat().st_size,
    }


def point(mean: dict, figure: str) -> tuple[float, float]:
    """(bits per pixel, dB); MS-SSIM in dB is -10 log10(1 - MS-SSIM)."""
    value = mean[figure] if figure == "psnr" else -10 * math.log10(1 - mean["ms_ssim"])
    return mean["bpp"], value


if __name__ == "__main__":
    sys.exit(main())
