"""Lossless and near-lossless coding of the 24 Kodak pictures, real files beside real files.

    python -m benchmarks.near_lossless codec     --json results/near_lossless.json
    python -m benchmarks.near_lossless baselines --json results/near_lossless_baselines.json
    python -m benchmarks.near_lossless contexts  --json results/near_lossless_contexts.json
    python -m benchmarks.near_lossless conditions --json results/near_lossless_conditions.json

`codec`: for tau = 0 to 5 the length of every section, the largest error and PSNR. `baselines`: lossless
encoders, and for tau > 0 each of them behind uniform pre-quantization; JPEG-LS with its own bound; seconds
of the processor, of which other programs take none. `contexts`: what the residual costs by the model's own
estimate with (a) exact residuals as context, which no decoder has, (b) quantized ones, (c) quantized ones
and the correction. `conditions`: (c) with the correction of every other tau, on every third picture, and
what the training would have counted.

Figures are bits per sub-pixel (bpsp): 8 bytes / (3 H W), the mean over pictures.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

import codec_lib as cl
from benchmarks import machine, results
from codec_lib import container, data, picture, weights
from codec_lib.density import logistic_mixture
from codec_lib.measure import lossless_baselines
from codec_lib.measure.lossless_baselines import LOSSLESS, NEAR, NEAR_SETTINGS, prequantize, restore
from codec_lib.quantize import near_lossless

TAUS = (0, 1, 2, 3, 4, 5)
MODEL = "near-lossless"
EVERY = 3  # of the pictures for which all conditions are tried


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("codec", "baselines", "contexts", "conditions"))
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--note", help="kept in the results, for instance what else ran on the machine")
    options = parser.parse_args()
    paths = data.kodak()
    measure = {"codec": codec, "baselines": baselines, "contexts": contexts, "conditions": conditions}
    report = {
        "command": results.command(),
        "note": options.note,
        "pictures": [path.name for path in paths],
        **machine.here(),
    }
    results.write(options.json, report | measure[options.what](paths))


def codec(paths: list[Path]) -> dict:
    """This library's files: a row for each picture and tau, and their means for each tau."""
    rows = []
    for path in tqdm(paths, unit="picture"):
        original = picture.load(path)
        for tau in TAUS:
            file = cl.encode(original, MODEL, tau=tau)
            rows.append(
                {"picture": path.name, "tau": tau, "bytes": len(file), "bpsp": bpsp(len(file), original)}
                | {f"bytes_{s.name}": s.length for s in container.inspect(file).sections}
                | difference(original, cl.decode(file))
            )
    keys = [key for key in rows[0] if key not in ("picture", "tau", "largest_error")]
    return {"weights": weights.load(MODEL).digest, "rows": rows, "means": means(rows, ["tau"], keys)}


def baselines(paths: list[Path]) -> dict:
    """Lossless encoders on the numbers that pre-quantization leaves; for tau > 0 also JPEG-LS with NEAR."""
    rows = []
    for path in tqdm(paths, unit="picture"):
        original = np.asarray(picture.load(path))
        for tau in TAUS:
            numbers = prequantize(original, tau)
            error = difference(original, restore(numbers, tau))
            same = {"picture": path.name, "tau": tau}
            for name in LOSSLESS:
                file, encoded = timed(lossless_baselines.encode, name, numbers)
                decoded, taken = timed(lossless_baselines.decode, name, file)
                if not np.array_equal(decoded, numbers):
                    raise RuntimeError(f"{name} is not lossless on {path.name}")
                row = same | {"codec": name, "bpsp": bpsp(len(file), original)}
                rows.append(row | {"encode_s": encoded, "decode_s": taken} | error)
            if tau:
                file, encoded = timed(lossless_baselines.encode_near, original, tau)
                decoded, taken = timed(lossless_baselines.decode_near, file)
                row = same | {"codec": NEAR, "bpsp": bpsp(len(file), original)}
                rows.append(row | {"encode_s": encoded, "decode_s": taken} | difference(original, decoded))
    settings = {name: codec.settings for name, codec in LOSSLESS.items()} | {NEAR: NEAR_SETTINGS}
    keys = ["bpsp", "psnr", "encode_s", "decode_s"]
    return {"settings": settings, "rows": rows, "means": means(rows, ["codec", "tau"], keys)}


def timed(call: Callable, *arguments) -> tuple:
    """What a call returns, and the processor's seconds that it took."""
    start = time.process_time()
    found = call(*arguments)
    return found, time.process_time() - start


@torch.no_grad()
def contexts(paths: list[Path]) -> dict:
    """Bits per sub-pixel of the residual for each tau and way to choose its distribution."""
    trained, rows = weights.load(MODEL), []
    for path in tqdm(paths, unit="picture"):
        x = picture.to_tensor(picture.load(path))
        x_tilde, features, _ = trained.model.lossy_layer(x)
        u, r = trained.model.prior.surroundings(x_tilde, features), (255 * x).round() - x_tilde
        for tau in TAUS[1:]:
            r_hat = near_lossless(r, tau)
            ways = {"exact": (r, False), "quantized": (r_hat, False), "corrected": (r_hat, True)}
            row = {"picture": path.name, "tau": tau}
            for way, (seen, correct) in ways.items():
                mixture = trained.model.prior.mixture(u, seen, tau, correct)
                bits = logistic_mixture.bits(r_hat, x_tilde, mixture, tau, known=r_hat)
                row[way] = bits.item() / x.numel()
            rows.append(row)
    keys = ["exact", "quantized", "corrected"]
    return {"weights": trained.digest, "rows": rows, "means": means(rows, ["tau"], keys)}


@torch.inference_mode()
def conditions(paths: list[Path]) -> dict:
    """Bits per sub-pixel of the residual for each tau of the quantizer and condition of the correction.

    `file` is what the file holds, the bin; `training` the exact residual, which the training minimises.
    """
    trained, rows = weights.load(MODEL), []
    prior = trained.model.prior
    for path in tqdm(paths[::EVERY], unit="picture"):
        x = picture.to_tensor(picture.load(path))
        x_tilde, features, _ = trained.model.lossy_layer(x)
        u, r = prior.surroundings(x_tilde, features), (255 * x).round() - x_tilde
        for tau in TAUS[1:]:
            r_hat = near_lossless(r, tau)
            for condition in TAUS[1:]:
                mixture = prior.mixture(u, r_hat, condition)
                file = logistic_mixture.bits(r_hat, x_tilde, mixture, tau, known=r_hat)
                training = logistic_mixture.bits(r, x_tilde, mixture, known=r_hat)
                row = {"picture": path.name, "tau": tau, "condition": condition}
                bits = {"file": file.item() / x.numel(), "training": training.item() / x.numel()}
                rows.append(row | bits)
    by = ["tau", "condition"]
    return {
        "weights": trained.digest,
        "every": EVERY,
        "rows": rows,
        "means": means(rows, by, ["file", "training"]),
    }


def bpsp(length: int, original: Image.Image | np.ndarray) -> float:
    """Bits per sub-pixel of a file of `length` bytes."""
    return 8 * length / np.asarray(original).size


def difference(a, b) -> dict[str, float | int | None]:
    """The largest error of any sample, and PSNR in dB, None for equal pictures."""
    errors = np.asarray(a).astype(int) - np.asarray(b).astype(int)
    mse = float((errors**2).mean())
    return {
        "largest_error": int(np.abs(errors).max()),
        "psnr": 10 * math.log10(255**2 / mse) if mse else None,
    }


def means(rows: list[dict], by: list[str], keys: list[str]) -> list[dict]:
    """Mean of `keys` over the pictures, for each combination of the values of `by`."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in by), []).append(row)
    rows = []
    for group, same in groups.items():
        mean_of = {key: None if same[0][key] is None else mean(row[key] for row in same) for key in keys}
        rows.append(dict(zip(by, group, strict=True)) | mean_of)
    return rows


if __name__ == "__main__":
    sys.exit(main())
