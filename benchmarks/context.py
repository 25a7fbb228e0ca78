"""What contexts save and what they cost: `python -m benchmarks.context --json results/context.json`.

Hyperprior, checkerboard and context share g_a, g_s and gains, so that their files of one picture differ
by the prior alone. On the 24 Kodak pictures, all in one thread:

    rows      bytes of the file and of its sections, PSNR of the decoded picture, at three qualities
    seconds   of `read` (streams to latents) and of decoding a whole file, at the middle quality; the models
              take turns, the median of some rounds counts for a picture
    serial    the context model one place at a time, in raster order with the same taps, against its
              wavefront: steps, seconds, bytes of y, and how many latents differ, which must be none

Savings are against the hyperprior at equal quality. PSNR then differs a little, because latents are not
rounded to the same values: y_hat = Q(y - mu) + mu.
"""

import argparse
import copy
import json
import sys
import time
from pathlib import Path
from statistics import mean, median

import torch
from tqdm import tqdm

import codec_lib as cl
from benchmarks import machine, results
from benchmarks.machine import seconds
from codec_lib import container, data, picture, weights
from codec_lib.exact.order import SLANTED, Order
from codec_lib.measure import metrics
from codec_lib.models.base import pad

MODELS = ("hyperprior", "checkerboard", "context")
QUALITIES = (2, 4, 6)
TIMED = 4  # the quality of all seconds
ROUNDS = 3
SERIAL_PICTURES = 2
RASTER = Order(lambda i, j: i * (j.max() + 1) + j, SLANTED.sees)  # a step for every place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = data.kodak()[: options.pictures]
    check_shared_transforms()
    rows = [row for path in tqdm(paths, unit="picture") for row in files(path)]
    timed = [row for path in tqdm(paths, unit="picture") for row in times(path)]
    report = {
        "command": results.command(),
        "note": options.note,
        "weights": {name: weights.load(name, "cpu").digest for name in MODELS},
        "pictures": [path.name for path in paths],
        **machine.here(),
        "means": [size(rows, name, quality) for name in MODELS for quality in QUALITIES],
        "seconds": {"quality": TIMED, "rounds": ROUNDS} | {name: time_of(timed, name) for name in MODELS},
        "serial": {"quality": TIMED, "rows": [serial(path) for path in paths[:SERIAL_PICTURES]]},
        "rows": rows,
        "rows_of_seconds": timed,
    }
    results.write(options.json, report)
    print(json.dumps({key: report[key] for key in ("means", "seconds", "serial")}, indent=1))


def check_shared_transforms() -> None:
    """Raise unless analysis, synthesis and gains of all models are the same numbers, as float16."""
    states = [weights.load(name, "cpu").model.state_dict() for name in MODELS]
    for key in (key for key in states[0] if key.startswith(("g_a.", "g_s.", "gain."))):
        if not all(torch.equal(states[0][key].half(), state[key].half()) for state in states[1:]):
            raise RuntimeError(f"{key} is not the same in {', '.join(MODELS)}")


def files(path: Path) -> list[dict]:
    """A row for each model and quality: lengths, and PSNR of what the file decodes to."""
    original, rows = picture.load(path).convert("RGB"), []
    for name in MODELS:
        for quality in QUALITIES:
            file = cl.encode(original, name, quality=quality, device="cpu")
            sections = {f"bytes_{s.name}": s.length for s in container.inspect(file).sections}
            row = {"picture": path.name, "model": name, "quality": quality, "bytes": len(file)}
            rows.append(row | sections | {"psnr": metrics.psnr(original, cl.decode(file, device="cpu"))})
    return rows


def times(path: Path) -> list[dict]:
    """For each model the median seconds of decoding one picture: its latents, and all of it."""
    original, tasks = picture.load(path).convert("RGB"), {}
    for name in MODELS:
        data, model = cl.encode(original, name, quality=TIMED, device="cpu"), weights.load(name).model
        file = container.read(data)
        sections, size_of = file.take(), (file.header.height, file.header.width)
        tasks[name, "read_s"] = lambda m=model, s=sections, size=size_of: m.read(s, TIMED, *size)
        tasks[name, "decode_s"] = lambda d=data: cl.decode(d, device="cpu")
    taken = {key: [] for key in tasks}
    for task in tasks.values():
        task()  # once for nothing: loops are compiled, memory is there
    for _ in range(ROUNDS):
        for key, task in tasks.items():
            taken[key].append(seconds(task))
    medians = {key: median(values) for key, values in taken.items()}
    return [
        {"picture": path.name, "model": name}
        | {what: medians[name, what] for what in ("read_s", "decode_s")}
        for name in MODELS
    ]


@torch.inference_mode()
def serial(path: Path) -> dict:
    """The context model in both orders: the same latents, and what each order takes."""
    model = weights.load("context", "cpu").model
    gain, _ = model.gain(model.quality_tensor(TIMED))
    y = model.analyze(pad(picture.to_tensor(picture.load(path)), model.stride)) * gain
    measured = {"picture": path.name, "places": y.shape[2] * y.shape[3]}
    latents = []
    for name, order in (("wavefront", SLANTED), ("raster", RASTER)):
        prior = copy.copy(model.prior)
        prior.order = order
        sections = prior.encode(y, TIMED)
        start = time.perf_counter()
        latents.append(prior.decode(sections, TIMED, y.shape[2:])["y"])
        measured[f"{name}_s"] = time.perf_counter() - start
        measured[f"{name}_steps"] = len(order.steps(*y.shape[2:]))
        measured[f"{name}_bytes_y"] = len(sections["y"])
    measured["latents_that_differ"] = int((latents[0] != latents[1]).sum())
    return measured


def size(rows: list[dict], name: str, quality: int) -> dict:
    """Means over the pictures, and the bytes saved against the hyperprior, all pictures together."""
    keys = ("bytes", "bytes_z", "bytes_y", "psnr")
    same, theirs = (
        [row for row in rows if (row["model"], row["quality"]) == (model, quality)]
        for model in (name, MODELS[0])
    )
    means = {"model": name, "quality": quality} | {key: mean(row[key] for row in same) for key in keys}
    saved = 1 - means["bytes"] / mean(row["bytes"] for row in theirs)
    return means | {"saved_percent": 100 * saved}


def time_of(rows: list[dict], name: str) -> dict:
    """Mean seconds over the pictures, the longest `read`, and the whole decode against the hyperprior's."""
    own, theirs = ([row for row in rows if row["model"] == model] for model in (name, MODELS[0]))
    ratio = median(a["decode_s"] / b["decode_s"] for a, b in zip(own, theirs, strict=True))
    return {
        "read_s": mean(row["read_s"] for row in own),
        "decode_s": mean(row["decode_s"] for row in own),
        "longest_read_s": max(row["read_s"] for row in own),
        "decode_times_hyperprior": ratio,
    }


if __name__ == "__main__":
    sys.exit(main())
