"""Seconds to make a file and to read it: `python -m benchmarks.seconds --json results/seconds.json`.

From an array of 8-bit samples in memory to the bytes of a file, and back, in a process that has done it
before. The mean of four Kodak pictures, for each of which the median of three rounds counts, with one
thread and with two. Meant for a machine that does nothing else.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import codec_lib as cl
from benchmarks import results
from codec_lib import data, picture, weights
from codec_lib.devices import name_of

MODELS = {
    "flagship": {"quality": 4.0},
    "checkerboard": {"quality": 4.0},
    "context": {"quality": 4.0},
    "hyperprior": {"quality": 4.0},
    "near-lossless": {"tau": 0},
    "recurrent": {"iterations": 8},
    "primed": {"iterations": 8},
    "importance-map": {"quality": 4.0},
    "conditional-probability": {"quality": 4.0},
    "pyramid": {"quality": 4.0},
    "tucodec": {"quality": 4.0},
}
ROUNDS = 3
EVERY = 6  # one of so many Kodak pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    parser.add_argument("--only", action="append", choices=MODELS, help="measure again, keep the rest")
    options = parser.parse_args()
    paths = data.kodak()[::EVERY]
    made_with = {
        "cpu": name_of("cpu"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "pictures": [path.name for path in paths],
        "rounds": ROUNDS,
    }
    report = results.begin(options.json, made_with, keep=bool(options.only))
    report["note"] = options.note or report.get("note")
    names = options.only or MODELS
    report.setdefault("settings", {}).update({name: MODELS[name] for name in names})
    report.setdefault("weights", {}).update({name: weights.load(name).digest for name in names})
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rows = report.setdefault("threads", {}).setdefault(str(threads), {})
        rows |= {name: over(paths, name) for name in names}
        print(threads, json.dumps(rows, indent=1))
    results.write(options.json, report)


def over(paths: list[Path], model: str) -> dict[str, float]:
    """Mean seconds of both directions over some pictures."""
    rows = [one(np.asarray(picture.load(path)), model) for path in tqdm(paths, desc=model, leave=False)]
    return dict(zip(("encode", "decode"), map(statistics.mean, zip(*rows, strict=True)), strict=True))


def one(samples: np.ndarray, model: str) -> tuple[float, float]:
    """Median seconds of encoding and of decoding one picture, after one round that is not counted."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        file = cl.encode(samples, model, device="cpu", **MODELS[model])
        between = time.perf_counter()
        cl.decode(file, device="cpu")
        times.append((between - start, time.perf_counter() - between))
    return tuple(statistics.median(direction) for direction in zip(*times[1:], strict=True))


if __name__ == "__main__":
    sys.exit(main())
