"""Rate and distortion on the 24 Kodak pictures: this library's models beside classical encoders.

    python -m benchmarks.kodak models    --json results/kodak.json
    python -m benchmarks.kodak baselines --json results/kodak_baselines.json
    python -m benchmarks.kodak summary   --json results/kodak_summary.json

The same on other photographs, `--folder ../shared/data/validation`, is in results/photographs*.json.

Rates are lengths of complete files; PSNR and MS-SSIM are of 8-bit RGB pictures. Every figure
is the mean over pictures. For models the bits that the densities estimate are recorded beside the file's.
The summary has the BD-rates of all curves against JPEG and WebP, from the two other files, and what every
model's decoder costs; `--of photographs` is one of the other pictures.
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import machine, results
from codec_lib import data, picture, weights
from codec_lib.measure import evaluate, metrics
from codec_lib.measure.baselines import BASELINES
from codec_lib.models.base import pad

QUALITIES = (1, 2, 3, 4, 5, 6, 7, 8)
# Models that differ from the hyperprior in their prior alone are measured in benchmarks/context.py.
MODELS = ("flagship", "hyperprior", "factorized", "autoencoder")
SIDE = 256  # of the picture whose decoding is counted
DECODER = ("g_s.", "gain.", "frozen.")  # what of a file of weights a decoder reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("models", "baselines", "summary"))
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, help="pictures to measure instead of Kodak's")
    parser.add_argument("--of", default="kodak", help="first word of the files that a summary is of")
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this again, keep the rest")
    options = parser.parse_args()
    if options.what == "summary":
        report = {"command": results.command(), "method": "akima over log-rate, where both curves overlap"}
        curves = data.results(options.of)["curves"] | data.results(f"{options.of}_baselines")["curves"]
        for rival in ("jpeg", "webp"):
            report |= {
                f"bd_rate_{figure}_vs_{rival}": bd_rates(curves, figure, rival)
                for figure in metrics.FIGURES
            }
        report["decoders"] = {name: decoder(name) for name in MODELS}
        results.write(options.json, report)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Write the curves of all models, or of all baselines, and what they were measured with, one by one."""
    paths = sorted(options.folder.glob("*.png")) if options.folder else data.kodak()
    made_with = machine.here() | {"pictures": [path.name for path in paths]}
    report = results.begin(options.json, made_with, keep=bool(options.only))
    report["note"] = options.note or report.get("note")
    curves = report.setdefault("curves", {})
    for name in options.only or (MODELS if options.what == "models" else BASELINES):
        if options.what == "models":
            curves[name] = evaluate.evaluate_model(paths, name, QUALITIES, options.device)
            curves[name]["weights"] = weights.load(name).digest
            add_estimates(curves[name]["rows"], name, {path.name: path for path in paths})
        else:
            curves[name] = evaluate.evaluate_baseline(paths, name)
        results.write(options.json, report)


@torch.inference_mode()
def add_estimates(rows: list[dict], name: str, paths: dict[str, Path]) -> None:
    """Add `estimated_bytes` to every row: what the densities say, without tables or coder."""
    model = weights.load(name).model
    for row in rows:
        x = pad(picture.to_tensor(picture.load(paths[row["picture"]])), model.stride)
        out = model(x, torch.tensor([float(row["quality"])]))
        row["estimated_bytes"] = sum(bits.item() for bits in out.bits.values()) / 8


def bd_rates(curves: dict[str, dict], figure: str, rival: str) -> dict[str, float]:
    """BD-rate in percent of every measured curve against a rival's, by one of `metrics.FIGURES`."""
    points = {name: [point(mean, figure) for mean in c["means"]] for name, c in curves.items()}
    return {name: metrics.bd_rate(points[rival], p) for name, p in points.items() if name != rival}


@torch.inference_mode()
def decoder(name: str) -> dict[str, float]:
    """What a decoder multiplies for each pixel, and what has to be stored for it.

    The products of a square of SIDE pixels: those of the synthesis transform, divisive normalisation
    included, and those that the prior spends on reading the sections. `bytes` is the whole file of
    weights, `decoder_bytes` what of it decodes.
    """
    trained = weights.load(name)
    model, side = trained.model, SIDE // trained.model.downsampling
    sections = model.compress(torch.full((1, 3, SIDE, SIDE), 128, dtype=torch.uint8), 4.0)
    synthesis = products(lambda: model.g_s(torch.zeros(1, model.prior.M, side, side)))
    prior = products(lambda: model.read(sections, 4.0, SIDE, SIDE))
    path = weights.find(name)
    with safe_open(path, "np") as file:
        sizes = {key: file.get_tensor(key).nbytes for key in file.keys()}  # noqa: SIM118
    return {
        "multiplications_a_pixel": (synthesis + prior) / SIDE**2,
        "of_the_synthesis": synthesis / SIDE**2,
        "of_the_prior": prior / SIDE**2,
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": path.stat().st_size,
        "decoder_bytes": sum(size for key, size in sizes.items() if key.startswith(DECODER)),
    }


def products(work: Callable[[], object]) -> float:
    """How many pairs of numbers are multiplied in convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / 2


def point(mean: dict, figure: str) -> tuple[float, float]:
    """(bits per pixel, quality); MS-SSIM counts in dB, -10 log10(1 - MS-SSIM), the others as they are."""
    value = mean[figure]
    return mean["bpp"], -10 * math.log10(1 - value) if figure == "ms_ssim" else value


if __name__ == "__main__":
    sys.exit(main())
