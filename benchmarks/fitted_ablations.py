"""What the parts of the codec for one picture are worth: the same fits without one, or with more of it.

    python -m benchmarks.fitted_ablations --json results/fitted_ablations.json \\
        --validation ../shared/data/validation

Each row is of real sections, of the middles of a few photographs that are no part of any training. `cost`
is what a fit minimizes, bits + weight x squared error, as a difference from "random start", in percent, the
mean of the pictures. Rows that the file has are not measured again. The stored ones were measured when
parameters were still rounded in five large groups, not tried after that, and paid nothing for moving;
`network_bytes` was about 8 % more. "shipped start" is the starting point of that time.
"""

from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks import variants
from benchmarks.variants import Change
from codec_lib.fitting.layer import layer

QUALITY, EFFORT = 4, 5
SIDE, EVERY = 256, 8  # pixels of a square, pictures
REFERENCE = "random start"

CONTEXT, SYNTHESIS, FIT = (f"codec_lib.fitting.{name}" for name in ("context", "synthesis", "fit"))
NEAR = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)]
NEXT = [(-3, 0), (0, -3), (-1, -2), (-2, 1), (-2, -1), (-1, 2)]
FAR = [(-2, -2), (-3, -1), (-1, -3), (0, -4)]
COARSE = [(1, 0, 0), (1, 0, 2), (1, 2, 0), (2, 0, 0)]
COARSER = [(1, 0, -2), (1, -2, 0), (2, 0, 4), (2, 4, 0)]


def seen(own: list[tuple[int, int]], coarse: list[tuple[int, int, int]]) -> list[Change]:
    """Another set of neighbours, none of them far; the probability network is as wide as there are."""
    found = np.array([(0, *place) for place in own] + coarse, dtype=np.int64)
    loops = layer(len(found), len(found))
    names = [f"{which}{loop}" for which in ("first", "second") for loop in ("", "_back", "_outer")]
    return [
        (CONTEXT, "NEIGHBOURS", found),
        *((CONTEXT, name, len(found)) for name in ("C", "NEAR", "SEEN")),
        *((CONTEXT, name, loop) for name, loop in zip(names, 2 * loops, strict=True)),
    ]


# The first begins with what the weights hold, all others with random numbers of their shape.
VARIANTS: dict[str, list[Change]] = {
    "shipped start": [],
    REFERENCE: [],
    "8 neighbours": seen(NEAR, [COARSE[0], COARSE[3]]),
    "24 neighbours": seen(NEAR + NEXT + FAR, COARSE + COARSER),
    "16 neighbours, none in coarser grids": seen(NEAR + NEXT + FAR, []),
    "16 hidden values": [(SYNTHESIS, "HIDDEN", 16)],
    "64 hidden values": [(SYNTHESIS, "HIDDEN", 64)],
    "no descent": [(FIT, "DESCENTS", 0)],
    "Adam instead of SOAP": [(FIT, "matrices", list)],  # no matrix that SOAP would turn
}


def measure(variant: str, validation: Path) -> list[dict]:
    """A fit of each picture: bytes of both sections, PSNR, what was minimized."""
    import torch  # compiles nothing before this

    from codec_lib import picture
    from codec_lib.fitting.parameters import COUNT, fresh, narrowed
    from codec_lib.measure import metrics
    from codec_lib.models.fitted import ITERATIONS, Fitted
    from codec_lib.weights import load

    model = load("fitted").model if variant == "shipped start" else Fitted().freeze()
    if variant != "shipped start":
        model.start.data = torch.from_numpy(narrowed(fresh()))
    rows = []
    for path in sorted(validation.glob("*.png"))[::EVERY]:
        whole = np.asarray(picture.load(path))
        top, left = ((side - SIDE) // 2 for side in whole.shape[:2])
        crop = np.ascontiguousarray(whole[top : top + SIDE, left : left + SIDE])
        levels = torch.from_numpy(crop.transpose(2, 0, 1).copy())[None]
        sections = model.compress(levels, QUALITY, EFFORT)
        decoded = model.decompress(sections, QUALITY, SIDE, SIDE)[0].numpy().transpose(1, 2, 0)
        sizes = {name: len(section) for name, section in sections.items()}
        weight = model.begin(levels, QUALITY).weight
        error = ((crop / 255.0 - decoded / 255.0) ** 2).sum()
        rows.append(
            {
                "picture": path.name,
                "bytes": sizes,
                "psnr": round(metrics.psnr(crop, decoded), 4),
                "cost": round(8 * sum(sizes.values()) + weight * error),
                "parameters": COUNT,
                "iterations": ITERATIONS[EFFORT],
            }
        )
    return rows


def summary(rows: list[dict], reference: list[dict] | None) -> dict[str, float]:
    """Means of a variant's rows, and what it costs more than the reference."""
    found = {
        "parameters": rows[0]["parameters"],
        "network_bytes": round(mean(row["bytes"]["n"] for row in rows)),
        "grid_bytes": round(mean(row["bytes"]["y"] for row in rows)),
        "psnr": round(mean(row["psnr"] for row in rows), 2),
    }
    if reference:
        pairs = zip(rows, reference, strict=True)
        found["cost"] = round(mean(100 * (a["cost"] / b["cost"] - 1) for a, b in pairs), 2)
    return found


def report(rows: dict[str, list[dict]]) -> dict:
    """What the results say of all rows."""
    means = {name: summary(found, rows.get(REFERENCE)) for name, found in rows.items()}
    return {"quality": QUALITY, "effort": EFFORT, "means": means}


if __name__ == "__main__":
    variants.main("fitted_ablations", "fitted", VARIANTS, measure, report)
