"""A picture of 100 megapixels: seconds, memory, and whether borders of bands are seen.

    python -m benchmarks.large_picture --json results/large_picture.json

The picture is made of the Kodak pictures, side by side. Encoder and decoder run in processes of their own,
whose peak memory the system counts. Transforms go through the picture in bands; a part of it is also
decoded in one piece, to see what the bands change.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import codec_lib as cl
from benchmarks import machine, results
from codec_lib import data, weights
from codec_lib.models.flagship import Flagship

BAND = Flagship.band_rows
WIDTH, HEIGHT = 12_288, 8_192
QUALITY = 4


def mosaic() -> np.ndarray:
    """Kodak pictures, all laid out wide, cut off at the picture's size: uint8 (HEIGHT, WIDTH, 3)."""
    tiles = [np.asarray(Image.open(path)) for path in data.kodak()]
    tiles = [tile if tile.shape[0] == 512 else tile.swapaxes(0, 1) for tile in tiles]
    columns = WIDTH // 768
    rows = [
        np.concatenate([tiles[(5 * row + column) % len(tiles)] for column in range(columns)], 1)
        for row in range(HEIGHT // 512)
    ]
    return np.concatenate(rows)


def encode(path: Path) -> dict:
    picture = mosaic()
    start = time.perf_counter()
    path.write_bytes(cl.encode(picture, quality=QUALITY, device="cpu"))
    return finished(start)


def decode(path: Path) -> dict:
    start = time.perf_counter()
    decoded = cl.decode(path.read_bytes(), device="cpu")
    taken = finished(start)
    mse = np.mean(
        [
            ((a - b.astype(np.float32)) ** 2).mean()
            for a, b in zip(np.asarray(decoded), mosaic(), strict=True)
        ]
    )
    return taken | {"psnr": float(10 * np.log10(255**2 / mse))}


def seams() -> dict:
    """A part of the picture, decoded in bands and in one piece: samples that differ, and how much."""
    part = mosaic()[: 4 * BAND, :1536]
    file = cl.encode(part, quality=QUALITY, device="cpu")
    in_bands = np.asarray(cl.decode(file, device="cpu")).astype(int)
    Flagship.band_rows = 4 * BAND
    differ = abs(np.asarray(cl.decode(file, device="cpu")) - in_bands)
    Flagship.band_rows = BAND
    return {"samples": part.size, "that_differ": int((differ > 0).sum()), "at_most_by": int(differ.max())}


def finished(start: float) -> dict:
    """Seconds since `start` and the process's peak memory in GiB."""
    seconds, unit = time.perf_counter() - start, 2**30 if sys.platform == "darwin" else 2**20
    return {"seconds": seconds, "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    report = {
        "command": results.command(),
        "note": options.note,
        "weights": weights.load("flagship").digest,
        "size": [WIDTH, HEIGHT],
        "quality": QUALITY,
        **machine.here(),
    }
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.clc"
        for name, work in (("encode", encode), ("decode", decode)):
            with context.Pool(1) as pool:
                report[name] = pool.apply(work, (path,))
            print(name, report[name], flush=True)
        report["bytes"] = path.stat().st_size
    report["bands"] = seams()
    results.write(options.json, report)


if __name__ == "__main__":
    sys.exit(main())
