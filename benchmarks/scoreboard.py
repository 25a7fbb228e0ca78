"""Every codec on the picture of the chapters.

    python -m benchmarks.scoreboard --json results/scoreboard.json

The picture is the astronaut, 512x512. Each row has the PSNR of a codec's largest file within `BYTES`, and
the length of its shortest file that has `PSNR` dB. Where a codec has no such file, the figure is missing.
Rows that the JSON file has, of weights that are shipped now or of the same encoder, are not made again.
"""

import argparse
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from tqdm import tqdm

import codec_lib as cl
from benchmarks import results
from codec_lib import data, weights
from codec_lib.measure import baselines, metrics

BYTES, PSNR = 17_000, 30.0
LEFT_OUT = {  # with the reason
    "near-lossless": "the picture in so few bytes is not what it is for",
    "fitted": "each of a dozen files would take minutes: results/fitted.json has it",
}
STANDARD = {  # quality, from the worst on
    "jpeg": range(1, 101),
    "webp": range(101),
    "jpeg2k": np.arange(20, 45, 0.1).tolist(),
    "avif": range(1, 101),
}

Codec = tuple[Callable[[float], bytes], Callable[[bytes], Any], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    photo = data.sample("astronaut")
    report = results.begin(options.json, {"bytes": BYTES, "psnr": PSNR, "classical": list(STANDARD)})
    rows = report.setdefault("codecs", {})
    for name in tqdm([*STANDARD, *(n for n in weights.available() if n not in LEFT_OUT)]):
        made_by = writer(name)
        if made_by.items() <= rows.get(name, {}).items():
            continue
        write, show, settings = standard(name, photo) if name in STANDARD else model(name, photo)
        write = cache(write)
        rows[name] = {
            "psnr": at_size(write, show, settings, photo),
            "bytes": at_psnr(write, show, settings, photo),
            **made_by,
        }
        results.write(options.json, report)


def writer(name: str) -> dict[str, str]:
    """What a codec's files depend on: its weights, or the library that has the encoder."""
    return (
        {"encoder": f"Pillow {PIL.__version__}"}
        if name in STANDARD
        else {"weights": weights.load(name).digest}
    )


def standard(name: str, photo: Any) -> Codec:
    """How a standard codec writes and shows the picture, and at what."""
    return partial(baselines.encode, name, photo), partial(baselines.decode, name), [*STANDARD[name]]


def model(name: str, photo: Any) -> Codec:
    """The same of a codec of this library."""
    setting = weights.load(name).model.setting

    def write(value: float) -> bytes:
        return cl.encode(photo, name, **{setting.name: value})

    return write, cl.decode, [setting.at(k) for k in range(setting.last + 1)]


def at_size(write: Callable, show: Callable, settings: list[float], photo: Any) -> float | None:
    """PSNR of the file of at most `BYTES` that is nearest to that in length, None where all are longer."""
    fits = last_that(lambda value: len(write(value)) <= BYTES, settings)
    return None if fits is None else metrics.psnr(photo, show(write(fits)))


def at_psnr(write: Callable, show: Callable, settings: list[float], photo: Any) -> int | None:
    """Length of the shortest file of at least `PSNR` dB, None where no file has that."""
    below = last_that(lambda value: metrics.psnr(photo, show(write(value))) < PSNR, settings)
    first = 0 if below is None else settings.index(below) + 1
    return len(write(settings[first])) if first < len(settings) else None


def last_that(holds: Callable[[float], bool], settings: list[float]) -> float | None:
    """The last setting for which something holds, by bisection: it holds up to there, and not above."""
    low, high = -1, len(settings)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(settings[middle]) else (low, middle)
    return settings[low] if low >= 0 else None


if __name__ == "__main__":
    sys.exit(main())
