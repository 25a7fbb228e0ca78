"""The codecs to beat, at their own best sensible settings, as real encoded bytes.

| name      | library                  | settings                                             |
|-----------|--------------------------|------------------------------------------------------|
| jpeg      | Pillow (libjpeg-turbo)   | 4:2:0, optimized Huffman tables, progressive         |
| jpeg2k    | Pillow (OpenJPEG)        | irreversible 9/7 wavelet, colour transform, by PSNR  |
| webp      | Pillow (libwebp)         | method 6                                             |
| avif      | Pillow (libavif, AV1)    | speed 6, 4:4:4; the encoder's choices suit the eye   |
| avif-psnr | the same                 | tuned for PSNR                                       |
| heic      | pillow-heif (x265, HEVC) | 4:4:4, the intra coder that BPG wraps; for the eye   |
| heic-psnr | the same                 | tuned for PSNR                                       |
| jxl       | imagecodecs (libjxl)     | effort 7, by distance                                |

`quality` has each encoder's own meaning: 0 to 100 for most, dB for jpeg2k, Butteraugli distance for jxl.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from codec_lib import standard


@dataclass(frozen=True)
class Baseline:
    """One encoder: what it is called on a plot, its settings in words, and qualities for a curve.

    `is_percent` says that its quality is 0 to 100, and files grow with it.
    """

    label: str
    settings: str
    qualities: tuple[float, ...]
    is_percent: bool = True


BASELINES = {
    "jpeg": Baseline(
        "JPEG", "Pillow, 4:2:0, optimize, progressive", (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95)
    ),
    "jpeg2k": Baseline(
        "JPEG 2000",
        "Pillow, irreversible, mct, quality_mode dB",
        (26, 28, 30, 32, 34, 36, 38, 40),
        is_percent=False,
    ),
    "webp": Baseline("WebP", "Pillow, method 6", (1, 10, 25, 45, 65, 80, 90, 95)),
    "avif": Baseline("AVIF", "Pillow, speed 6, 4:4:4", (15, 30, 45, 60, 75, 88)),
    "avif-psnr": Baseline("AVIF, for PSNR", "Pillow, speed 6, 4:4:4, tune=psnr", (10, 20, 33, 48, 65, 82)),
    "heic": Baseline("HEIC (HEVC)", "pillow-heif, 4:4:4", (10, 25, 40, 55, 70, 85)),
    "heic-psnr": Baseline("HEIC, for PSNR", "pillow-heif, 4:4:4, tune=psnr", (5, 18, 32, 46, 60, 75)),
    "jxl": Baseline(
        "JPEG XL",
        "imagecodecs, effort 7, Butteraugli distance",
        (12, 8, 5, 3, 2, 1.2, 0.7),
        is_percent=False,
    ),
}

AVIF: dict[str, Any] = {"speed": 6, "subsampling": "4:4:4"}
HEIC: dict[str, Any] = {"chroma": 444}
OPTIONS = {  # format and options of Pillow
    "avif": ("AVIF", AVIF),
    "avif-psnr": ("AVIF", AVIF | {"advanced": {"tune": "psnr"}}),
    "heic": ("HEIF", HEIC),
    "heic-psnr": ("HEIF", HEIC | {"enc_params": {"tune": "psnr"}}),
}


def encode(name: str, image: Image.Image | np.ndarray, quality: float) -> bytes:
    """The bytes of `image` (PIL image or uint8 RGB array) in a classical format.

    Raises ValueError for a name that is not in `BASELINES`, ImportError where its library is missing.
    """
    _prepare(name)
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if name == "jxl":
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(np.asarray(image), distance=quality, effort=7))
    if name in standard.STANDARD:
        return standard.encode(name, np.asarray(image), quality)
    file_format, settings = OPTIONS[name]
    buffer = io.BytesIO()
    image.save(buffer, file_format, quality=int(quality), **settings)
    return buffer.getvalue()


def decode(name: str, data: bytes) -> np.ndarray:
    """The picture, uint8 (H, W, 3), in bytes made by `encode`; raises as that does."""
    _prepare(name)
    if name == "jxl":
        import imagecodecs

        return imagecodecs.jpegxl_decode(data)
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def at_size(name: str, image: Image.Image | np.ndarray, budget: int) -> bytes:
    """The best-looking encoding of at most `budget` bytes, by bisection over qualities 1 to 100.

    Falls back to the smallest file where none fits. Raises as `encode` does, and ValueError for a format
    whose quality is no percentage.
    """
    if name in BASELINES and not BASELINES[name].is_percent:
        known = ", ".join(key for key, baseline in BASELINES.items() if baseline.is_percent)
        raise ValueError(f"baseline: {name!r}; sizes can be asked of {known}")
    low, high = 0, 101
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(encode(name, image, middle)) <= budget else (low, middle)
    return encode(name, image, max(low, 1))


def _prepare(name: str) -> None:
    """Tell Pillow of the format, where it needs that."""
    if name not in BASELINES and name not in OPTIONS:  # to which a chapter may add
        raise ValueError(f"baseline: {name!r}; there are {', '.join(BASELINES)}")
    if name.startswith("heic"):
        import pillow_heif

        pillow_heif.register_heif_opener()
