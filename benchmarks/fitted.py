"""The codec that is fitted to one picture, on pictures of Kodak, beside the trained flagship.

    python -m benchmarks.fitted --json results/fitted.json --effort 3 --quality 2 4 6 [--picture NAME ...]

Every third picture unless some are named. Each file is written to the results at once, and what is there
is not measured again. `saved_percent` compares a file with the flagship's of the same picture at the same
PSNR, between whose eight measured files log-rate is interpolated; it is left out where their PSNR does not
reach. `bd_rate` is the mean of the same over the curve of a picture, where at least three of its qualities
were measured; `standards` has it against encoders of standards. Seconds are those of the whole machine and
of its processors: other work may have run beside it.
"""

import argparse
import math
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from numba import get_num_threads

import codec_lib as cl
from benchmarks import machine, results
from codec_lib import data, picture, weights
from codec_lib.measure import metrics
from codec_lib.models.fitted import ITERATIONS

RIVAL = "flagship"
STANDARDS = ("webp", "heic-psnr", "avif-psnr")  # whose files of the same pictures were measured
CURVE = 3  # files of a picture that make a curve


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the codec for one picture on Kodak.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--effort", type=int, required=True)
    parser.add_argument("--quality", type=float, nargs="+", required=True)
    parser.add_argument("--picture", nargs="+")
    options = parser.parse_args()
    paths = {path.name: path for path in data.kodak()}
    if unknown := set(options.picture or ()) - set(paths):
        parser.error(f"--picture: {', '.join(sorted(unknown))}; Kodak has {', '.join(paths)}")
    made_with = machine.here() | {"threads": get_num_threads(), "effort": options.effort}
    report = results.begin(options.json, made_with)
    digest = weights.load("fitted").digest
    rows = [row for row in report.get("rows", []) if row["weights"] == digest]
    for quality in options.quality:
        for name in options.picture or list(paths)[::3]:
            key = {"picture": name, "quality": quality, "effort": options.effort}
            if not any(key.items() <= row.items() for row in rows):
                rows.append(key | measure(paths[name], quality, options.effort) | {"weights": digest})
                print(rows[-1], flush=True)
                results.write(options.json, report | summary(rows, options))
    results.write(options.json, report | summary(rows, options))


def measure(path: Path, quality: float, effort: int) -> dict:
    """One file: its bytes, PSNR and seconds."""
    original = np.asarray(picture.load(path))
    wall, used = time.perf_counter(), time.process_time()
    file = cl.encode(path, "fitted", quality=quality, effort=effort, device="cpu")
    wall, used = time.perf_counter() - wall, time.process_time() - used
    cl.decode(file, device="cpu")
    start = time.perf_counter()
    decoded = cl.decode(file, device="cpu")
    seconds = time.perf_counter() - start
    psnr, iterations = metrics.psnr(original, decoded), ITERATIONS[effort]
    sections = {section.name: section.length for section in cl.inspect(file).sections}
    row = {"iterations": iterations, "bytes": len(file), "sections": sections, "psnr": round(psnr, 4)}
    row |= {"bpp": round(8 * len(file) / original[..., 0].size, 5)}
    row |= {"encode_seconds": round(wall, 1), "processor_seconds": round(used, 1)}
    return row | {"decode_seconds": round(seconds, 3)}


def compared(row: dict) -> dict:
    """A row with what it saves against the rival as it is now."""
    row = {key: value for key, value in row.items() if key != "saved_percent"}
    rival = rival_bytes(row["picture"], row["psnr"])
    return row if rival is None else row | {"saved_percent": round(100 * (1 - row["bytes"] / rival), 2)}


def bd_rates(rows: list[dict], rival: str = RIVAL) -> dict[str, float]:
    """Difference of rate from a rival at equal PSNR, in percent, of each picture with a curve."""
    found = {}
    for name in sorted({row["picture"] for row in rows}):
        own = [(row["bytes"], row["psnr"]) for row in rows if row["picture"] == name]
        if len(own) >= CURVE:
            other = [(row["bytes"], row["psnr"]) for row in rival_rows(name, rival)]
            found[name] = round(metrics.bd_rate(other, sorted(own)), 2)
    return found


def rival_rows(name: str, rival: str = RIVAL) -> list[dict]:
    """A rival's measured files of a picture, by PSNR."""
    curves = data.results("kodak_baselines" if rival in STANDARDS else "kodak")["curves"]
    rows = [row for row in curves[rival]["rows"] if row["picture"] == name]
    return sorted(rows, key=lambda row: row["psnr"])


def rival_bytes(name: str, psnr: float) -> float | None:
    """Bytes of the flagship's file of this PSNR, between two measured ones; None beyond all of them."""
    rows = rival_rows(name)
    psnrs = [row["psnr"] for row in rows]
    if not psnrs[0] <= psnr <= psnrs[-1]:
        return None
    return math.exp(np.interp(psnr, psnrs, [math.log(row["bytes"]) for row in rows]))


def summary(rows: list[dict], options: argparse.Namespace) -> dict:
    """The rows so far, the command that makes all of them, and what others need."""
    return {
        "command": command(rows, options.json, options.effort),
        "rival": RIVAL,
        "rival_weights": data.results("kodak")["curves"][RIVAL]["weights"],
        "bd_rate": bd_rates(rows),
        "standards": {rival: bd_rates(rows, rival) for rival in STANDARDS},
        "rows": [compared(row) for row in rows],
    }


def command(rows: list[dict], path: Path, effort: int) -> str:
    """What makes all rows, of whatever runs they are."""
    qualities, pictures = ({row[name] for row in rows} for name in ("quality", "picture"))
    words = ["python", "-m", "benchmarks.fitted", "--json", path.as_posix(), "--effort", str(effort)]
    words += ["--quality", *(f"{quality:g}" for quality in sorted(qualities))]
    return shlex.join([*words, "--picture", *sorted(pictures)])


if __name__ == "__main__":
    sys.exit(main())
