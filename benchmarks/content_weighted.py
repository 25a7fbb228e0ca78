"""Content-weighted codecs on Kodak: curves, and where their bytes go.

    python -m benchmarks.content_weighted --json results/content_weighted.json \
        --data ../shared/data/train ../shared/data/train-lossless [--only NAME]

`curves` has rates of complete files, PSNR, MS-SSIM and seconds, as benchmarks/kodak.py has them for other
models. `parts` has, for every picture and some qualities, what is special about a codec:

    importance-map            bytes of the map and of the codes, and of both without an entropy coder; how
                              the map correlates with the gradient's mean magnitude at its places; how much
                              higher PSNR is than with one level for all places and as many bits
    conditional-probability   bytes of the symbols, and what the network in floats says they take
    pyramid                   bytes of each bit plane, and of each without an entropy coder
    tucodec                   PSNR with and without the filter behind its decoder

`share_of_target` is the rate of a file as a share of what its quality aims at. `on_crops` has, of the
pyramid, this share for every quality on crops of the training pictures, from the bits that its prior says:
what the loop of its training controls. `allocated` has, of Tucodec, the PSNR of the mean error of all
pictures when one quality serves all, and when as many bytes are shared by `search.allocate`.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks import machine, results
from codec_lib import data, picture, search, weights
from codec_lib.layers.importance import level_of, mask_of, share_of
from codec_lib.measure import evaluate
from codec_lib.models.base import Model, pad
from codec_lib.models.conditional_probability import ConditionalProbability
from codec_lib.models.importance_map import ImportanceMap
from codec_lib.models.pyramid import Pyramid
from codec_lib.models.tucodec import Tucodec
from codec_lib.training.codelength import nearness
from codec_lib.training.crops import Crops
from codec_lib.training.targets import BPP, bpp_target

MODELS = ("importance-map", "conditional-probability", "pyramid", "tucodec")
QUALITIES = (1, 2, 3, 4, 5, 6, 7, 8)
FEW = dict.fromkeys(("importance-map", "conditional-probability"), (1, 2, 4, 6, 8))  # these take seconds
LOOKED_AT = (2, 4, 6, 8)  # qualities of `parts`
STRIDE = 8
CROPS, CROP, BATCH = 3200, 160, 16  # of training pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders of training pictures")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this again, keep the rest")
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    report = results.begin(options.json, machine.here(), keep=bool(options.only))
    report["note"] = options.note or report.get("note")
    models = report.setdefault("models", {})
    for name in options.only or MODELS:
        models[name] = {"weights": weights.load(name).digest, "parts": list(parts(name))}
        if name == "pyramid":
            models[name]["on_crops"] = on_crops(options.data)
        models[name]["curves"] = evaluate.evaluate_model(data.kodak(), name, FEW.get(name, QUALITIES))
        if name == "tucodec":
            models[name]["allocated"] = allocated(models[name]["curves"]["rows"])
        results.write(options.json, report)


@torch.inference_mode()
def parts(name: str) -> Iterator[dict[str, Any]]:
    """A row for every picture and quality."""
    model = weights.load(name).model
    for path in tqdm(data.kodak(), desc=f"{name}, parts"):
        levels = pad(picture.to_levels(picture.load(path)), STRIDE)
        for quality in LOOKED_AT:
            found = looked_at(model, levels, float(quality))
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
            **of_target(sections, levels, quality, model.targets),
        }
    if isinstance(model, Pyramid):
        sections = model.compress(levels, quality)
        raw = model.widths["C"] * levels[0, 0].numel() // STRIDE**2 // 8
        planes = [len(section) for section in sections.values()]
        return {"planes": planes, "raw_bytes": raw, **of_target(sections, levels, quality)}
    x = levels.float() / 255
    assert isinstance(model, Tucodec)
    before = model.g_s[:-1](model.latents(x, torch.tensor([quality]))[0])
    both = before, model.g_s[-1](before)
    errors = [(picture.round_to_levels(y).float() / 255 - x).square().mean().item() for y in both]
    return {name: -10 * math.log10(e) for name, e in zip(("unfiltered", "filtered"), errors, strict=True)}


def importance_map(model: ImportanceMap, levels: Tensor, quality: float) -> dict[str, Any]:
    """Both sections beside what they are made of, what the map follows, and what it brings."""
    sections = model.compress(levels, quality)
    e, p = model.analyze(levels, torch.tensor([quality]))
    level = level_of(p, model.L)
    sent = int(mask_of(level, model.n, model.L).sum())
    bits, psnr = with_levels(model, levels, e, level)
    like = round(level.float().mean().item())
    near = range(max(1, like - 1), min(model.L, like + 2) + 1)
    even = [with_levels(model, levels, e, torch.full_like(level, k)) for k in near]
    return {
        "gain_over_even": psnr - float(np.interp(bits, *zip(*even, strict=True))),
        "map_bytes": len(sections["map"]),
        "code_bytes": len(sections["codes"]),
        "raw_map_bytes": level.numel() * math.log2(model.L + 1) / 8,
        "raw_code_bytes": sent / 8,
        "correlation": float(np.corrcoef(level.flatten(), gradient(levels).flatten())[0, 1]),
        "share_of_target": (p.mean() / share_of(torch.tensor(quality))).item(),
    }


def with_levels(model: ImportanceMap, levels: Tensor, e: Tensor, level: Tensor) -> tuple[float, float]:
    """Bits, estimated but for the map's, and PSNR when the codes of e are sent by a map of some levels."""
    sent = mask_of(level, model.n, model.L)
    bits = model.prior((e > 0.5).long(), sent, level.float()).sum().item()
    x_hat = picture.round_to_levels(model.decoder(torch.where(e > 0.5, 1.0, -1.0) * sent)).float()
    mse = (x_hat - levels).square().mean().item()
    map_bits = 8 * len(model.map.encode(level[0, 0] + 1, model.L + 1))
    return bits + map_bits, 10 * math.log10(255**2 / mse)


def of_target(
    sections: dict[str, bytes], levels: Tensor, quality: float, ends: tuple[float, float] = BPP
) -> dict[str, float]:
    """Bits per pixel as a share of what a quality aims at, given what the first and the last one do."""
    bpp = 8 * sum(map(len, sections.values())) / levels[0, 0].numel()
    return {"share_of_target": bpp / bpp_target(torch.tensor(quality), ends).item()}


@torch.inference_mode()
def on_crops(folders: list[str]) -> list[dict[str, float]]:
    """For each whole quality the pyramid's bits as a share of their target, mean over many crops.

    Crops have qualities between whole ones, as in training, and count for both by their nearness.
    """
    model, batches = weights.load("pyramid").model, iter(Crops(folders, CROP, BATCH, seed=1))
    torch.manual_seed(0)
    qualities = 1 + 7 * torch.rand(CROPS // BATCH, BATCH)
    shares = torch.cat([model(next(batches), q).bpp() / bpp_target(q) for q in qualities])
    near = nearness(qualities.flatten())
    means = shares @ near / near.sum(0)
    return [
        {"quality": quality, "share_of_target": share}
        for quality, share in zip(QUALITIES, means.tolist(), strict=True)
    ]


def allocated(rows: list[dict[str, Any]]) -> list[dict[str, float]]:
    """A row for each quality, with the bytes of all files as the budget."""
    pictures: dict[str, list[tuple[int, float]]] = {}
    for row in sorted(rows, key=lambda row: row["quality"]):
        pictures.setdefault(row["picture"], []).append((row["bytes"], 255**2 / 10 ** (row["psnr"] / 10)))
    points, found = list(pictures.values()), []
    for j, quality in enumerate(QUALITIES):
        budget = sum(own[j][0] for own in points)
        choices = {"one_quality": [j] * len(points), "allocated": search.allocate(points, budget)}
        row = {"quality": quality, "budget": budget}
        for name, chosen in choices.items():
            error = mean(own[k][1] for own, k in zip(points, chosen, strict=True))
            row[name] = 10 * math.log10(255**2 / error)
        found.append(row)
    return found


def gradient(levels: Tensor) -> Tensor:
    """The mean magnitude of the brightness' gradient at each place of an eighth of the size, (h, w)."""
    grey = levels[0].float().mean(0)
    across, down = torch.zeros_like(grey), torch.zeros_like(grey)
    across[:, :-1], down[:-1] = grey.diff(dim=1), grey.diff(dim=0)
    return torch.nn.functional.avg_pool2d(torch.hypot(across, down)[None], STRIDE)[0]


if __name__ == "__main__":
    sys.exit(main())
