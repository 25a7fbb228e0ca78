"""Rate and distortion over a folder of pictures: file lengths, 8-bit pictures, wall-clock seconds."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from tqdm.auto import tqdm

from codec_lib import codec, picture
from codec_lib.measure import baselines, metrics

FIGURES = ("bpp", "psnr", "ms_ssim", "encode_s", "decode_s")

Encode = Callable[[object, float], bytes]
Decode = Callable[[bytes], object]


def evaluate(
    paths: Sequence[Path],
    encode: Encode,
    decode: Decode,
    qualities: Sequence[float],
    title: str = "",
) -> dict:
    """Compress every picture at every quality, decode it, and measure.

    Args:
        paths: picture files; each is taken as 8-bit RGB.
        encode: (PIL image, quality) -> bytes of a complete file.
        decode: those bytes -> PIL image or uint8 array.
        qualities: passed to `encode` as they are.
        title: what the progress bar says.
    Returns:
        {"rows": [...], "means": [...]}: a row for each picture and quality, and the mean over pictures
        for each quality, of bpp (from file lengths), psnr (dB), ms_ssim (None for pictures too small
        for it), encode_s and decode_s (seconds).
    """
    rows = []
    with tqdm(total=len(paths) * len(qualities), desc=title or "evaluating", unit="file") as bar:
        for path in paths:
            original = picture.load(path).convert("RGB")
            for quality in qualities:
                rows.append({"picture": path.name, **_measure(original, encode, decode, quality)})
                bar.update()
    means = []
    for quality in qualities:
        same = [row for row in rows if row["quality"] == quality]
        means.append({"quality": quality} | {key: _mean(same, key) for key in FIGURES})
    return {"rows": rows, "means": means}


def evaluate_model(
    paths: Sequence[Path], model: str, qualities: Sequence[float], device: str = "auto"
) -> dict:
    """`evaluate` for a trained model of this library; warmed up before anything is timed."""
    warm = codec.encode(np.zeros((64, 64, 3), np.uint8), model, 4, device)
    codec.decode(warm, device)
    return evaluate(
        paths,
        lambda image, quality: codec.encode(image, model, quality, device),
        lambda data: codec.decode(data, device),
        qualities,
        model,
    )


def evaluate_baseline(paths: Sequence[Path], name: str) -> dict:
    """`evaluate` for a classical codec, at the qualities of its curve, with its settings stated."""
    baseline = baselines.BASELINES[name]
    measured = evaluate(
        paths,
        lambda image, quality: baselines.encode(name, image, quality),
        lambda data: baselines.decode(name, data),
        baseline.qualities,
        baseline.label,
    )
    return {"settings": baseline.settings, **measured}


def _measure(original, encode: Encode, decode: Decode, quality: float) -> dict:
    start = time.perf_counter()
    data = encode(original, quality)
    middle = time.perf_counter()
    decoded = decode(data)
    end = time.perf_counter()
    return {
        "quality": quality,
        "bytes": len(data),
        "bpp": 8 * len(data) / (original.width * original.height),
        "psnr": metrics.psnr(original, decoded),
        "ms_ssim": metrics.ms_ssim(original, decoded) if min(original.size) > 160 else None,
        "encode_s": middle - start,
        "decode_s": end - middle,
    }


def _mean(rows: list[dict], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return mean(values) if values else None
