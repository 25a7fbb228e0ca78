"""How to train: two optimizers, two schedules, two starts, all else alike.

    python -m benchmarks.training --json results/training.json \\
        --data ../shared/data/train-lossless --validation ../shared/data/validation

Small codecs see the same crops in the same order, with the same noise, and take the same number of steps.
The cost is the mean over validation pictures and qualities of log2(R + lambda 255^2 MSE), rounded latents,
estimated bits; of each picture the middle is looked at, 192 x 192. A cost that is lower by 0.01 means 0.7 %
less of R + lambda D. Kodak is never looked at. The training is short: compare the rows with each other
only.

    adam, muon        the hyperprior with N = 32 and M = 96; each with three learning rates
    linear, constant  the learning rate falls to zero, or stays after the warm-up
    dct, random       the flagship with N = 64 and M = 96, begun as a DCT or with random numbers

The best learning rate, of each optimizer with each schedule, is that of the lowest cost of seed 0; with it
all `SEEDS` are run. Muon has the matrices of hidden layers, and Adam with a rate of 0.001 the rest, as in
every training of this library. Rows that the JSON file has are not made again.
"""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from benchmarks import results
from codec_lib import data, picture
from codec_lib.layers.convolution import start_small
from codec_lib.layers.gain import lambda_of
from codec_lib.layers.residual import PartialResidualBlock
from codec_lib.models.flagship import Flagship
from codec_lib.models.scale_hyperprior import ScaleHyperprior
from codec_lib.models.transform import TransformCodec
from codec_lib.training.crops import Crops
from codec_lib.training.loop import schedule
from codec_lib.training.objectives import rate_distortion
from codec_lib.training.optimizers import muon
from codec_lib.training.settings import Settings

RATES = {"adam": (0.001, 0.002, 0.004), "muon": (0.005, 0.01, 0.02)}
LR_OTHER, START_LR = 0.001, 0.006
SCHEDULES = ("linear", "constant")
SEEDS = (0, 1)
BATCH, CROP, SIDE = 8, 64, 192
QUALITIES = (2.0, 4.5, 7.0)
CHECKS = 8  # of a run, evenly, and one before its first step
RANDOM_GAIN = 4.0  # of quality 4, where transforms begin with random numbers


def hyperprior() -> TransformCodec:
    """A narrow hyperprior."""
    return ScaleHyperprior(N=32, M=96)


def dct() -> TransformCodec:
    """A narrow flagship, begun as a DCT."""
    return Flagship(N=64, M=96)


def random() -> TransformCodec:
    """The same, begun with random numbers and with the gains that suit them."""
    model = dct()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.reset_parameters()
    for layer in model.modules():
        if isinstance(layer, PartialResidualBlock):
            start_small(layer.branch[-1])
    with torch.no_grad():
        shift = math.log(RANDOM_GAIN) - model.gain.log_gain[3, 0].item()
        model.gain.log_gain.add_(shift)
        model.gain.log_inverse.sub_(shift)
    return model


BUILDS = {"hyperprior": hyperprior, "dct": dct, "random": random}


def optimizer_of(name: str, model: nn.Module, lr: float) -> Optimizer:
    """One of the two, as the library makes it or as torch does."""
    if name == "adam":
        return Adam(model.parameters(), lr)
    return muon(model, Settings("hyperprior", [], "", lr=lr, lr_other=LR_OTHER))


def middles(folder: str) -> Tensor:
    """The middles of a folder's pictures, (B, 3, SIDE, SIDE) in [0, 1]."""
    cut = []
    for path in data.pictures_in(folder):
        x = picture.to_tensor(picture.load(path))
        top, left = ((side - SIDE) // 2 for side in x.shape[-2:])
        cut.append(x[..., top : top + SIDE, left : left + SIDE])
    return torch.cat(cut)


@torch.no_grad()
def cost(model: nn.Module, x: Tensor) -> float:
    """Mean of log2(R + lambda D) over pictures and qualities."""
    model.eval()
    total = 0.0
    for quality in QUALITIES:
        out = model(x, torch.full((len(x),), quality))
        out.x_hat = out.x_hat.clamp(0, 1)
        loss = out.bpp() + lambda_of(quality) * 255**2 * out.mse(x)
        total += loss.log2().mean().item() / len(QUALITIES)
    model.train()
    return total


def run(row: dict[str, Any], steps: int, crops: Crops, seen: Tensor) -> dict[str, Any]:
    """Train one codec as a row says, and add its costs and the seconds of a step."""
    torch.manual_seed(row["seed"])
    model = BUILDS[row["start"]]().channels_last().train()
    optimizer = optimizer_of(row["optimizer"], model, row["lr"])
    rates = [group["lr"] for group in optimizer.param_groups]
    crops.seed = row["seed"]
    torch.manual_seed(row["seed"])  # the same noise and qualities, whatever the start has drawn
    checks, costs, seconds = [0], [cost(model, seen)], 0.0
    for step, x in zip(range(steps), crops, strict=False):
        started = time.process_time()
        progress = step / steps if row["schedule"] == "linear" else 0.0
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(progress, step)
        loss, _ = rate_distortion(model, x, 1 + 7 * torch.rand(len(x)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds += time.process_time() - started
        if (step + 1) % (steps // CHECKS) == 0:
            checks.append(step + 1)
            costs.append(cost(model, seen))
    costs = [round(value, 4) for value in costs]
    return row | {"step_s": round(seconds / steps, 4), "steps": checks, "costs": costs}


def planned(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The next row to make, or None."""
    done = {key(row) for row in rows}
    plan = [
        described(name, lr, kind) for name, rates in RATES.items() for kind in SCHEDULES for lr in rates
    ]
    if {key(row) for row in plan} <= done:
        pairs = [(name, kind) for name in RATES for kind in SCHEDULES]
        plan += [
            described(name, best_rate(rows, name, kind), kind, seed)
            for seed in SEEDS
            for name, kind in pairs
        ]
    plan += [described("muon", START_LR, seed=seed, start=s) for seed in SEEDS for s in ("dct", "random")]
    return next((row for row in plan if key(row) not in done), None)


def described(
    name: str, lr: float, schedule: str = "linear", seed: int = 0, start: str = "hyperprior"
) -> dict[str, Any]:
    """What is known of a row before it is made."""
    return {"start": start, "optimizer": name, "lr": lr, "schedule": schedule, "seed": seed}


def key(row: dict[str, Any]) -> tuple:
    """What tells rows apart."""
    return tuple(row[name] for name in described("", 0))


def best_rate(rows: list[dict[str, Any]], name: str, kind: str) -> float:
    """The learning rate at which an optimizer with a schedule ended lowest, seed 0, of those tried."""
    tried = {key(described(name, lr, kind)) for lr in RATES[name]}
    ends = {row["lr"]: row["costs"][-1] for row in rows if key(row) in tried}
    return min(ends, key=ends.__getitem__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders of training pictures")
    parser.add_argument("--validation", required=True, help="folder of validation pictures")
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    report = results.begin(options.json, {"batch": BATCH, "crop": CROP, "steps": options.steps})
    rows = report.setdefault("rows", [])
    crops, seen = Crops(options.data, CROP, BATCH), middles(options.validation)
    while row := planned(rows):
        rows.append(run(row, options.steps, crops, seen))
        made = {(row["optimizer"], row["schedule"]) for row in rows if row["seed"] == 0}
        report["best"] = {
            f"{name}, {kind}": best_rate(rows, name, kind)
            for name in RATES for kind in SCHEDULES if (name, kind) in made
        }  # fmt: skip
        results.write(options.json, report)
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
