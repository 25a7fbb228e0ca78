"""Progressive files on Kodak: what every iteration costs and gains, and tiles that stop early.

    python -m benchmarks.progressive --json results/progressive.json [--only NAME]

A file of 16 iterations is written for each of the 24 pictures and cut behind each iteration: `bpp` is the
length of what is left, a complete file. `coded_bytes` is the iteration's section, of `raw_bytes` = 32 bits
a tile. PSNR and MS-SSIM are of 8-bit RGB. Everything is a mean over pictures.

For weights with a map of tiles, files of some lengths are also written with effort 1, which lets tiles
stop, beside those cut to the same lengths: `tiles` has for each picture the bytes, the PSNR and the worst
tile of both kinds of file, and how busy the picture is (bytes of its lossless PNG). A tile is 16 x 16
pixels; the worst has the lowest PSNR.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

import codec_lib as cl
from benchmarks import machine, results
from codec_lib import container, data, picture, weights
from codec_lib.measure import metrics

MODELS = ("recurrent", "primed", "recurrent-gdn")
LENGTHS = (2, 4, 6, 8, 12, 16)  # of the files in which tiles may stop
TILE = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this again, keep the rest")
    options = parser.parse_args()
    report = results.begin(options.json, machine.here(), keep=bool(options.only))
    curves = report.setdefault("curves", {})
    for name in options.only or MODELS:
        trained = weights.load(name)
        rows = [row for path in tqdm(data.kodak(), desc=name) for row in stages(path, name)]
        curves[name] = {"weights": trained.digest, "means": means(rows)}
        if trained.model.best_effort:
            busy = tqdm(data.kodak(), desc=f"{name}, tiles")
            curves[name]["tiles"] = [row for path in busy for row in tiles(path, name)]
    results.write(options.json, report)


def cuts(original: Image.Image, name: str) -> Iterator[tuple[int, bytes, np.ndarray]]:
    """The longest file of a picture, cut behind each iteration: how many, the file, its picture."""
    model = weights.load(name).model
    whole = cl.encode(original, name, iterations=model.setting.finest)
    names = [name for stage in model.stages(model.setting.finest) for name in stage]
    found = model.read(
        container.read(whole).take(names), model.setting.finest, original.height, original.width
    )
    bits = torch.stack([values for key, values in found.items() if key != "map"])
    for t, levels in enumerate(model.pictures(bits), 1):
        decoded = levels[0, :, : original.height, : original.width].permute(1, 2, 0).numpy()
        yield t, cl.truncate(whole, stages=t), decoded
    assert np.array_equal(decoded, cl.decode(whole))


def stages(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """A row for each iteration of the longest file of one picture."""
    original = picture.load(path)
    for t, file, decoded in cuts(original, name):
        yield {
            "iterations": t,
            "bpp": 8 * len(file) / (original.width * original.height),
            "coded_bytes": cl.inspect(file).sections[-1].length,
            "raw_bytes": original.width * original.height / 8 / 8,
            "psnr": metrics.psnr(original, decoded),
            "ms_ssim": metrics.ms_ssim(original, decoded),
        }


def means(rows: list[dict[str, Any]]) -> list[dict[str, float]]:
    """The mean row of each iteration."""
    lengths = sorted({row["iterations"] for row in rows})
    groups = [[row for row in rows if row["iterations"] == t] for t in lengths]
    return [{key: mean(row[key] for row in group) for key in rows[0]} for group in groups]


def tiles(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """A row for each length and effort of one picture."""
    original = picture.load(path)
    files = [(t, 0, file, decoded) for t, file, decoded in cuts(original, name) if t in LENGTHS]
    for t in LENGTHS:
        file = cl.encode(original, name, iterations=t, effort=1)
        files.append((t, 1, file, np.asarray(cl.decode(file))))
    for t, effort, file, decoded in files:
        yield {
            "picture": path.name,
            "png_bytes": path.stat().st_size,
            "iterations": t,
            "effort": effort,
            "bytes": len(file),
            "psnr": metrics.psnr(original, decoded),
            "ms_ssim": metrics.ms_ssim(original, decoded),
            "worst_tile": worst_tile(original, decoded),
        }


def worst_tile(original: Image.Image, decoded: np.ndarray) -> float:
    """PSNR of the tile with the largest error, in dB."""
    error = np.square(np.asarray(original, np.float64) - decoded).mean(2)
    blocks = error.reshape(error.shape[0] // TILE, TILE, error.shape[1] // TILE, TILE).mean((1, 3))
    return 10 * np.log10(255**2 / blocks.max())


if __name__ == "__main__":
    sys.exit(main())
