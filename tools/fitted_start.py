"""Where fits of the codec for one picture begin: a point that is near to where they end.

    python -m tools.fitted_start --photographs ../shared/data/train --laps 30

A lap fits several crops of photographs at once, each at a quality drawn by lot, and all from the present
point, which then moves towards the mean of where they ended: by 2 / (lap + 2) of the way, so that later
laps, which begin nearer, count for more. It begins with the weights that are shipped and replaces them at
the end; the earlier ones belong into its folder for such. After every lap the point is kept in a file of
its own, from which a run that was interrupted goes on.

Source: Nichol, Achiam and Schulman, "On first-order meta-learning algorithms", 2018 (Reptile, in batches).
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from codec_lib import data, weights
from codec_lib.fitting.parameters import COUNT
from codec_lib.models.fitted import Fitted
from tools.release import PHOTOGRAPHS

NAME = "fitted"
SIDE, ITERATIONS = 320, 1600  # pixels, of a fit
QUALITIES = 1.0, 7.0


def fitted(paths: list[Path], start: np.ndarray, number: int) -> np.ndarray:
    """The parameters that one fit ends with, float32 (COUNT,); `number` chooses crop and quality."""
    random = np.random.default_rng(number)
    with Image.open(paths[random.integers(len(paths))]) as photograph:
        left, top = (random.integers(side - SIDE + 1) for side in photograph.size)
        crop = photograph.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
    model = Fitted(COUNT)
    model.start.data = torch.from_numpy(start)
    levels = torch.from_numpy(np.asarray(crop).copy()).permute(2, 0, 1)[None]
    # A crop stands for a photograph, in which all neighbours pay.
    begun = model.begin(levels, random.uniform(*QUALITIES), sees_far=True)
    try:
        return begun.run(ITERATIONS).vector
    finally:
        begun.passes.close()


def laps(paths: list[Path], count: int, workers: int, kept: Path) -> np.ndarray:
    """The point after some laps, kept after each."""
    start, done = weights.load(NAME).model.start_vector, 0
    if kept.exists():
        with np.load(kept) as state:
            start, done = state["start"], int(state["laps"])
    with ProcessPoolExecutor(workers) as pool:
        for lap in range(done + 1, count + 1):
            numbers = range(workers * (lap - 1), workers * lap)
            ends = np.mean(list(pool.map(partial(fitted, paths, start), numbers)), 0)
            start = (start + 2 / (lap + 2) * (ends - start)).astype(np.float32)
            with kept.open("wb") as file:
                np.savez(file, start=start, laps=lap)
            print(f"lap {lap}, ends are {np.abs(ends - start).mean():.4f} away", flush=True)
    return start


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True, help="a folder, each side 320 or more")
    parser.add_argument("--laps", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2, help="fits of a lap")
    parser.add_argument("--kept", type=Path, default=Path("runs/fitted_start.npz"))
    options = parser.parse_args()
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    made, model, paths = card(options), Fitted(COUNT), data.pictures_in(options.photographs)
    model.start.data = torch.from_numpy(laps(paths, options.laps, options.workers, options.kept))
    weights.save(model, NAME, weights.SHIPPED / f"{NAME}.safetensors", made)
    return 0


def card(options: argparse.Namespace) -> dict:
    """The model card; ValueError for photographs of which nobody knows what they are."""
    count, folder = options.laps * options.workers, options.photographs.name
    if folder not in PHOTOGRAPHS:
        raise ValueError(f"photographs: {folder}; known are {', '.join(PHOTOGRAPHS)}")
    return {
        "model": NAME,
        "parameters": COUNT,
        "data": f"crops of {SIDE} x {SIDE} of photographs under free licences: "
        f"{PHOTOGRAPHS[folder]}; Kodak never used",
        "note": f"a starting point, not a trained model: from the one before, {count} fits of {ITERATIONS} "
        f"iterations at qualities {QUALITIES[0]:g} to {QUALITIES[1]:g}, {options.workers} at a time",
    }


if __name__ == "__main__":
    sys.exit(main())
