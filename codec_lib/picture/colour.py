"""Pillow's modes to samples of grey or RGB, with or without alpha; the table is in `__init__.py`."""

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from codec_lib.errors import shown

KEPT = ("1", "L", "LA", "P", "PA", "RGB", "RGBX", "RGBA")
CONVERTED = {"La": "LA", "RGBa": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB"}
THROUGH_PROFILE = ("CMYK", "LAB")  # those that no profile of grey or RGB describes
ENTRIES = 256  # of the largest palette
ALLOWED = "grey or RGB of 8 or 16 bits, with or without alpha"


def samples(image: Image.Image, deep: np.ndarray | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 or uint16 (H, W, C) with C = 1 to 4, and a note on each thing that was changed.

    Args:
        image: loaded, in any mode.
        deep: the samples instead of the image's own, uint16 (H, W, C).
    Raises:
        ValueError: a mode that does not say how bright its samples are.
    """
    if deep is not None:
        samples = deep
    elif image.mode in KEPT:
        samples = np.asarray(_plain(image))
    elif image.mode in CONVERTED:
        converted, note = _converted(image)
        return np.asarray(converted), (note,)
    elif image.mode.startswith("I;16"):
        samples = np.asarray(image).astype(np.uint16)
    elif image.mode == "I":
        samples = _sixteen(np.asarray(image))
    else:
        raise ValueError(f"mode {image.mode}; allowed is {ALLOWED}")
    samples = samples[:, :, None] if samples.ndim == 2 else samples
    key = image.info.get("transparency")
    return (samples, ()) if key is None or samples.shape[2] in (2, 4) else _keyed(samples, key)


def _plain(image: Image.Image) -> Image.Image:
    """An image in one of the modes `KEPT` as L, LA, RGB or RGBA."""
    if image.mode not in ("P", "PA"):
        return image.convert({"1": "L", "RGBX": "RGB"}.get(image.mode, image.mode))
    key = image.info.get("transparency")
    if isinstance(key, bytes):
        image = image.copy()  # the application's own keeps its key
        image.info["transparency"] = key[:ENTRIES]
    elif "transparency" in image.info and not (isinstance(key, int) and key in range(ENTRIES)):
        image = image.copy()
        del image.info["transparency"]  # no entry of the palette
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _keyed(samples: np.ndarray, key: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """With an alpha channel, where one colour, `key`, is transparent."""
    try:
        colour = np.atleast_1d(np.asarray(key))
    except (ValueError, TypeError, OverflowError):  # a list of lists, or whatever an application put there
        colour = np.empty(0)
    if colour.dtype.kind not in "iu" or colour.shape != samples.shape[2:]:
        return samples, (f"transparency {shown(key)} is no colour of the picture; left out",)
    opaque = (samples != colour).any(axis=2, keepdims=True)
    return np.concatenate([samples, opaque * samples.dtype.type(np.iinfo(samples.dtype).max)], axis=2), ()


def _sixteen(samples: np.ndarray) -> np.ndarray:
    """32-bit integers that hold 16-bit samples, as Pillow opens some PNG, PGM and TIFF files."""
    if samples.min() < 0 or samples.max() > 65535:
        raise ValueError(f"mode I, samples from {samples.min()} to {samples.max()}; allowed is 0 to 65535")
    return samples.astype(np.uint16)


def _converted(image: Image.Image) -> tuple[Image.Image, str]:
    """An image in one of the modes `CONVERTED`, and a note; CMYK goes through its profile if it can."""
    target = CONVERTED[image.mode]
    if image.mode == "LAB":
        return _to_srgb(image, ImageCms.createProfile("LAB")), "LAB became sRGB"
    if image.mode == "CMYK" and (profile := image.info.get("icc_profile")):
        try:
            through = _to_srgb(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
            return through, "CMYK became sRGB through its profile"
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            return image.convert(target), "CMYK became RGB without its profile, which does not fit"
    return image.convert(target), f"{image.mode} became {target}"


def _to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), image.mode, "RGB")
    converted = ImageCms.applyTransform(image, transform)
    return converted if converted is not None else image  # None is for transforms in place
