"""How good, and how much of it a codec saves: PSNR, MS-SSIM, SSIMULACRA2, BD-rate.

Pictures are 8-bit arrays or PIL images of the same size, as a reader would see them: never the floats
inside a network, which flatter a codec by up to 0.1 dB.
"""

import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from PIL import Image

from codec_lib.picture import psnr_of

Picture = np.ndarray | Image.Image
Point = tuple[float, float]  # bits per pixel, quality in dB
FIGURES = ("psnr", "ms_ssim", "ssimulacra2")  # of a decoded picture, each a function below
SMALLEST = 8  # pixels of a side that SSIMULACRA2 looks at
MS_SSIM_SIDE = 161  # pixels that five scales need at least


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio in dB, over all channels: 10 log10(255^2 / MSE); inf if equal.

    Raises ValueError for pictures of other shapes.

    >>> psnr(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8))
    0.0
    """
    a, b = _samples(a), _samples(b)
    if a.shape != b.shape:
        raise ValueError(f"pictures: {a.shape} and {b.shape}; expected equal shapes")
    difference = a.astype(np.float64) - b
    return psnr_of(float(np.mean(difference**2)), 255)


def ms_ssim(a: Picture, b: Picture) -> float:
    """Multi-scale structural similarity in [0, 1] of two RGB or grey pictures (Wang et al., 2003).

    Five scales of an 11-pixel window need sides of `MS_SSIM_SIDE` pixels: ValueError for smaller ones.
    """
    from pytorch_msssim import ms_ssim as compute

    x, y = (torch.from_numpy(np.atleast_3d(_samples(p)).copy()) for p in (a, b))
    if min(x.shape[:2]) < MS_SSIM_SIDE:
        raise ValueError(f"picture: {x.shape[1]} x {x.shape[0]}; MS-SSIM needs {MS_SSIM_SIDE}")
    x, y = (t.permute(2, 0, 1)[None].float() for t in (x, y))
    return compute(x, y, data_range=255).item()


def ssimulacra2(a: Picture, b: Picture) -> float:
    """SSIMULACRA2 of two RGB or grey pictures: 100 for equal ones, with marks at 90, 70, 50 and 30.

    These stand for visually lossless, high, medium and low quality, as viewers rated coded photographs. It
    was fitted to such ratings of classical encoders, and says little below zero. Source: Sneyers, 2022; in
    Python by the package `ssimulacra2` (BSD licence), about 1 s a megapixel.

    Raises ValueError for pictures of different sizes, or with a side below 8 pixels.
    """
    from ssimulacra2 import compute_ssimulacra2

    images = [Image.fromarray(_samples(picture)).convert("RGB") for picture in (a, b)]
    if images[0].size != images[1].size or min(images[0].size) < SMALLEST:
        sizes = " and ".join(f"{image.width} x {image.height}" for image in images)
        raise ValueError(f"pictures: {sizes}; SSIMULACRA2 needs equal sides, from {SMALLEST} pixels")
    files = [io.BytesIO() for _ in images]
    for image, file in zip(images, files, strict=True):
        image.save(file, "BMP")  # the package opens files only
    return float(compute_ssimulacra2(files[0], files[1]))


def bd_rate(anchor: Sequence[Point], test: Sequence[Point]) -> float:
    """Average rate difference of `test` against `anchor` at equal quality, in percent (negative: fewer).

    Points are (bpp, dB), three or more, with quality rising with rate: ValueError otherwise, or where the
    curves have no quality in common. Akima interpolation of log-rate over what both curves cover.
    Source: Bjontegaard, VCEG-M33, 2001.
    """
    import bjontegaard

    curves = []
    for name, points in (("anchor", anchor), ("test", test)):
        rate, quality = zip(*sorted(points), strict=True)
        if len(rate) < 3 or any(b <= a for a, b in pairwise(quality)):
            raise ValueError(f"{name}: quality {quality}; it must rise with the rate, at 3 points or more")
        curves += [rate, quality]
    if min(curves[1][-1], curves[3][-1]) <= max(curves[1][0], curves[3][0]):
        raise ValueError("the curves have no quality in common")
    rate = bjontegaard.bd_rate(*curves, method="akima", min_overlap=0, require_matching_points=False)
    return float(rate)  # type: ignore[arg-type]  # more than a number only where interpolators are wanted


def _samples(picture: Picture) -> np.ndarray:
    array = np.asarray(picture)
    if array.dtype != np.uint8:
        raise ValueError(f"picture: {array.dtype}; metrics take 8-bit samples")
    return array
