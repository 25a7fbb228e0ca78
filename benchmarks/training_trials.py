"""What helps a minute of training most? One change at a time, all else alike.

    python -m benchmarks.training_trials --json results/training_trials.json \\
        --data ../shared/data/train-lossless --validation ../shared/data/validation

Narrow flagships (N = 64, M = 96) begin as a DCT and take the same number of steps on the same crops, but
for the row that is about crops. In the row "base" the learning rate falls linearly to zero, pixels see
rounded latents (straight through), the rate sees noise, and each crop has a quality drawn by itself;
`TRIALS` says what the others change. The cost is that of `benchmarks.training`: the mean over validation
pictures and qualities of log2(R + lambda 255^2 MSE), rounded latents, estimated bits. Kodak is never looked
at. The training is short: compare the rows with each other only.

Rows that the JSON file has are not made again.
"""

import argparse
import copy
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks import results
from benchmarks.training import LR_OTHER, START_LR, cost, dct, middles
from codec_lib import quantize
from codec_lib.models.transform import TransformCodec
from codec_lib.training.crops import Crops
from codec_lib.training.loop import schedule
from codec_lib.training.objectives import rate_distortion
from codec_lib.training.optimizers import muon
from codec_lib.training.settings import Settings

TRIALS = {
    "base": "nothing",
    "cosine": "the rate falls along half a cosine",
    "average": "a moving average of the weights is looked at",
    "steady, average": "the same, and the rate does not fall",
    "small first": "crops of half the side for two thirds of the steps, four times as many",
    "strata": "qualities of a batch lie evenly over the range",
    "noise": "pixels see noise, too",
    "soft": "pixels see soft rounding that hardens",
    "symbols": "the rate sees symbols that the encoder decides for",
}
SEEDS = (0, 1)
BATCH, CROP = 4, 128
MEMORY = 100  # steps of the moving average
HOT, COLD = 0.5, 0.02  # temperatures of soft rounding, in squared steps of a latent


def model_of(trial: str) -> TransformCodec:
    """A narrow flagship, with the quantization that a trial asks for."""
    model = dct()
    prior: Any = model.prior
    if trial == "symbols":
        prior.rate = "symbols"
    if trial in ("noise", "soft"):
        rounded, prior.temperature = prior._symbols, HOT

        def shown(residual: Tensor, sigma: Tensor) -> Tensor:
            if not prior.training:
                return rounded(residual, sigma)
            return (
                quantize.noise(residual) if trial == "noise" else quantize.soft(residual, prior.temperature)
            )

        prior._symbols = shown
    return model


def factor(trial: str, progress: float, step: int) -> float:
    """Of the learning rate, after a share `progress` of the steps."""
    if trial == "cosine":
        return schedule(0.0, step) * (1 + math.cos(math.pi * progress)) / 2
    return schedule(0.0 if trial == "steady, average" else progress, step)


def batches(trial: str, data: list[str], seed: int, steps: int) -> Iterator[Tensor]:
    """The crops of every step; all trials but one see the same."""
    large, small = iter(Crops(data, CROP, BATCH, seed)), iter(Crops(data, CROP // 2, 4 * BATCH, seed))
    for step in range(steps):
        yield next(small if trial == "small first" and 3 * step < 2 * steps else large)


def qualities(trial: str, count: int) -> Tensor:
    """Of the crops of a batch, from 1 to 8, (count,)."""
    drawn = torch.rand(count)
    if trial == "strata":
        drawn = (torch.randperm(count) + drawn[:1]) / count
    return 1 + 7 * drawn


def run(trial: str, seed: int, data: list[str], seen: Tensor, steps: int) -> dict[str, Any]:
    """Train one codec; its cost at the end, and the seconds of a step."""
    torch.manual_seed(seed)
    model: Any = model_of(trial).channels_last().train()
    optimizer = muon(model, Settings("flagship", [], "", lr=START_LR, lr_other=LR_OTHER))
    averaged: Any = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(1 - 1 / MEMORY))
    rates = [group["lr"] for group in optimizer.param_groups]
    torch.manual_seed(seed)  # the same noise and qualities
    seconds = 0.0
    for step, x in enumerate(batches(trial, data, seed, steps)):
        started, share = time.process_time(), step / steps
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor(trial, share, step)
        model.prior.temperature = HOT * (COLD / HOT) ** share
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = rate_distortion(model, x, qualities(trial, len(x)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        averaged.update_parameters(model)
        seconds += time.process_time() - started
    shown = copy.deepcopy(averaged.module) if "average" in trial else model
    end, each = round(cost(shown, seen), 4), round(seconds / steps, 3)
    return {"trial": trial, "seed": seed, "cost": end, "step_s": each}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders of training pictures")
    parser.add_argument("--validation", required=True, help="folder of validation pictures")
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()
    report = results.begin(options.json, {"batch": BATCH, "crop": CROP, "steps": options.steps})
    rows, seen = report.setdefault("rows", []), middles(options.validation)
    report["trials"] = TRIALS
    done = {(row["trial"], row["seed"]) for row in rows}
    for trial, seed in ((trial, seed) for seed in SEEDS for trial in TRIALS):
        if (trial, seed) not in done:
            rows.append(run(trial, seed, options.data, seen, options.steps))
            results.write(options.json, report)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
