"""Rate and distortion over a folder of pictures: file lengths, 8-bit pictures, wall-clock seconds."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from codec_lib import codec, picture, weights
from codec_lib.devices import pick_device
from codec_lib.measure import baselines, metrics

MEANS = ("bpp", *metrics.FIGURES, "encode_s", "decode_s")

Encode = Callable[[Any, float], bytes]
Decode = Callable[[bytes], Any]


def evaluate(
    paths: Sequence[Path],
    encode: Encode,
    decode: Decode,
    values: Sequence[float],
    setting: str = "quality",
    title: str = "",
) -> dict:
    """Compress every picture at every value of a setting, decode it, and measure.

    Args:
        paths: picture files; each is taken as 8-bit RGB.
        encode: (PIL image, value) -> bytes of a complete file.
        decode: those bytes -> PIL image or uint8 array.
        values: passed to `encode` as they are.
        setting: what the values are of, which is their name in the result.
        title: what the progress bar says.
    Returns:
        A dict of "rows", one for each picture, named by its path below the folder that all share, and
        value, and "means" over pictures for each value, of
        bpp (from file lengths), psnr (dB), ms_ssim and ssimulacra2 (None for pictures too small for
        them), encode_s and decode_s (seconds).
    """
    rows, top = [], os.path.commonpath([path.absolute().parent for path in paths])
    with tqdm(total=len(paths) * len(values), desc=title or "evaluating", unit="file", disable=None) as bar:
        for path in paths:
            original = _taken(path)
            for value in values:
                row = {"picture": path.absolute().relative_to(top).as_posix(), setting: value}
                rows.append(row | _measure(original, lambda x, v=value: encode(x, v), decode))
                bar.update()
    means = []
    for value in values:
        same = [row for row in rows if row[setting] == value]
        means.append({setting: value} | {key: _mean(same, key) for key in MEANS})
    return {"rows": rows, "means": means}


def _taken(path: Path) -> Image.Image:
    """A picture in 8-bit RGB; ValueError, which names it, for what is none."""
    try:
        return picture.load(path).convert("RGB")
    except ValueError as error:
        reason = str(error)
        raise ValueError(reason if str(path) in reason else f"{path}: {reason}") from None


def evaluate_model(
    paths: Sequence[Path],
    model: str,
    values: Sequence[float] | None = None,
    device: str = "auto",
    decoder: str | None = None,
) -> dict:
    """`evaluate` for a trained model of this library; warmed up before anything is timed.

    values are of the model's own setting; eight from its coarsest to its finest unless given. decoder is
    another one for the same files. Raises ValueError for a value that is out of range, and for a decoder
    of other files.
    """
    weights.check_readable(model)
    setting = weights.load(model, pick_device(device)).model.setting
    values = setting.spread() if values is None else [setting.check(value) for value in values]

    def encode(image: Any, value: float) -> bytes:
        setting_of: dict[str, Any] = {setting.name: value}
        return codec.encode(image, model, device=device, **setting_of)

    def decode(data: bytes) -> Any:
        return codec.decode(data, decoder=decoder, device=device)

    decode(encode(np.zeros((64, 64, 3), np.uint8), values[0]))
    return evaluate(paths, encode, decode, values, setting.name, model)


def evaluate_baseline(paths: Sequence[Path], name: str) -> dict:
    """`evaluate` for a classical codec, at the qualities of its curve, with its settings stated."""
    baseline = baselines.BASELINES[name]
    measured = evaluate(
        paths,
        lambda image, quality: baselines.encode(name, image, quality),
        lambda data: baselines.decode(name, data),
        baseline.qualities,
        title=baseline.label,
    )
    return {"settings": baseline.settings, **measured}


def _measure(original: Image.Image, encode: Callable[[Any], bytes], decode: Decode) -> dict:
    start = time.perf_counter()
    data = encode(original)
    middle = time.perf_counter()
    decoded = decode(data)
    end = time.perf_counter()
    side = min(original.size)
    ms_ssim = metrics.ms_ssim(original, decoded) if side >= metrics.MS_SSIM_SIDE else None
    ssimulacra2 = metrics.ssimulacra2(original, decoded) if side >= metrics.SMALLEST else None
    return {
        "bytes": len(data),
        "bpp": 8 * len(data) / (original.width * original.height),
        "psnr": metrics.psnr(original, decoded),
        "ms_ssim": ms_ssim,
        "ssimulacra2": ssimulacra2,
        "encode_s": middle - start,
        "decode_s": end - middle,
    }


def _mean(rows: list[dict], key: str) -> float | None:
    values = [row[key] for row in rows if row[key] is not None]
    return mean(values) if values else None
