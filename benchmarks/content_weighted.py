"""Content-weighted codecs on Kodak: curves, and where their bytes go.

    python -m benchmarks.content_weighted --json results/content_weighted.json [--only NAME]

`curves` has rates of complete files, PSNR, MS-SSIM and seconds, as benchmarks/kodak.py has them for other
models. `parts` has, for every picture and some qualities, what is special about a codec:

    importance-map            bytes of the map and of the codes, and of both without an entropy coder; how
                              the map correlates with the gradient's mean magnitude at its places
    conditional-probability   bytes of the symbols, and what the network in floats says they take
    pyramid                   bytes of each bit plane, and of each without an entropy coder
    tucodec                   nothing

`share_of_target` is the rate of a file as a share of what its quality aims at.
"""

import argparse
import json
import math
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from codec_lib import data, picture, weights
from codec_lib.layers.importance import level_of, mask_of
from codec_lib.measure import evaluate
from codec_lib.models.base import Model, pad
from codec_lib.models.conditional_probability import ConditionalProbability
from codec_lib.models.importance_map import ImportanceMap, share_of
from codec_lib.models.pyramid import Pyramid
from codec_lib.training.targets import bpp_target

MODELS = ("importance-map", "conditional-probability", "pyramid", "tucodec")
QUALITIES = (1, 2, 3, 4, 5, 6, 7, 8)
LOOKED_AT = (2, 4, 6, 8)  # qualities of `parts`
STRIDE = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this again, keep the rest")
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    is_kept = options.only and options.json.exists()
    models = json.loads(options.json.read_text())["models"] if is_kept else {}
    for name in options.only or MODELS:
        models[name] = {"weights": weights.load(name).digest, "parts": list(parts(name))}
        models[name]["curves"] = evaluate.evaluate_model(data.kodak(), name, QUALITIES)
    report = {
        "command": f"python -m benchmarks.content_weighted --json {options.json.as_posix()}",
        "note": options.note,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "models": models,
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


@torch.inference_mode()
def parts(name: str) -> Iterator[dict[str, Any]]:
    """A row for every picture and quality, of codecs that have something to show."""
    model = weights.load(name).model
    for path in tqdm(data.kodak(), desc=f"{name}, parts"):
        levels = pad(picture.to_levels(picture.load(path)), STRIDE)
        for quality in LOOKED_AT:
            if found := looked_at(model, levels, float(quality)):
                yield {"picture": path.name, "quality": quality} | found


def looked_at(model: Model, levels: Tensor, quality: float) -> dict[str, Any]:
    """What is special about the file of a picture, uint8 (1, 3, H, W), at a quality."""
    if isinstance(model, ImportanceMap):
        return importance_map(model, levels, quality)
    if isinstance(model, ConditionalProbability):
        sections = model.compress(levels, quality)
        estimated = model(levels.float() / 255, torch.tensor([quality])).bits["y"].item() / 8
        return {
            "bytes": len(sections["y"]),
            "estimated_bytes": estimated,
            **of_target(sections, levels, quality),
        }
    if isinstance(model, Pyramid):
        sections = model.compress(levels, quality)
        raw = model.widths["C"] * levels[0, 0].numel() // STRIDE**2 // 8
        planes = [len(section) for section in sections.values()]
        return {"planes": planes, "raw_bytes": raw, **of_target(sections, levels, quality)}
    return {}


def importance_map(model: ImportanceMap, levels: Tensor, quality: float) -> dict[str, Any]:
    """Both sections beside what they are made of, and how the map follows the picture."""
    sections = model.compress(levels, quality)
    _, p = model.analyze(levels, torch.tensor([quality]))
    level = level_of(p, model.L)
    sent = int(mask_of(level, model.n, model.L).sum())
    return {
        "map_bytes": len(sections["map"]),
        "code_bytes": len(sections["codes"]),
        "raw_map_bytes": level.numel() * math.log2(model.L + 1) / 8,
        "raw_code_bytes": sent / 8,
        "correlation": float(np.corrcoef(level.flatten(), gradient(levels).flatten())[0, 1]),
        "share_of_target": (p.mean() / share_of(torch.tensor(quality))).item(),
    }


def of_target(sections: dict[str, bytes], levels: Tensor, quality: float) -> dict[str, float]:
    """Bits per pixel as a share of what a quality aims at."""
    bpp = 8 * sum(map(len, sections.values())) / levels[0, 0].numel()
    return {"share_of_target": bpp / bpp_target(torch.tensor(quality)).item()}


def gradient(levels: Tensor) -> Tensor:
    """The mean magnitude of the brightness' gradient at each place of an eighth of the size, (h, w)."""
    grey = levels[0].float().mean(0)
    across, down = torch.zeros_like(grey), torch.zeros_like(grey)
    across[:, :-1], down[:-1] = grey.diff(dim=1), grey.diff(dim=0)
    return torch.nn.functional.avg_pool2d(torch.hypot(across, down)[None], STRIDE)[0]


if __name__ == "__main__":
    sys.exit(main())
