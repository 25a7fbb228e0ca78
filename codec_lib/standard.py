"""Standard codecs as parts of our own: JPEG, JPEG 2000 and WebP, as Pillow writes them.

What they write is a file that any program opens. What is read here comes from anywhere: a stream that is
not of its format and of the size that is expected raises BitstreamError.
"""

import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from codec_lib.errors import BitstreamError
from codec_lib.picture.limits import own_limits

SCAN, MAX_SCANS = b"\xff\xda", 64  # of a JPEG: each costs the time of all pixels; some ten are usual
PROFILE_PART = 65_519  # bytes of a profile in one segment: 255 segments are more than `metadata` allows


@dataclass(frozen=True)
class Standard:
    """A format by Pillow's name, the ending of its files, settings, and how many pixels a side may have.

    `quality` is the name of Pillow's option for the quality: 0 to 100, or for JPEG 2000 the PSNR in dB.
    """

    label: str
    format: str
    ending: str
    quality: str
    largest_side: int
    has_grey: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


STANDARD = {
    "jpeg": Standard(
        "JPEG", "JPEG", ".jpg", "quality", 65_500, settings={"optimize": True, "progressive": True}
    ),
    "jpeg2k": Standard(
        "JPEG 2000", "JPEG2000", ".jp2", "quality_layers", 2**31 - 1,
        settings={"quality_mode": "dB", "irreversible": True},
    ),
    "webp": Standard("WebP", "WEBP", ".webp", "quality", 16_383, False, {"method": 6}),
}  # fmt: skip


def encode(name: str, levels: np.ndarray, quality: float) -> bytes:
    """The file of a picture, uint8 (H, W, 3) or, where the format knows grey, (H, W).

    Raises ValueError for a picture that is too large for the format.
    """
    codec = STANDARD[name]
    if max(levels.shape[:2]) > codec.largest_side:
        raise ValueError(f"{codec.label}: a side of {max(levels.shape[:2])}, up to {codec.largest_side}")
    settings = dict(codec.settings)
    if codec.quality == "quality_layers":
        settings |= {"quality_layers": [quality], "mct": int(levels.ndim == 3)}
    else:
        settings |= {"quality": round(quality)}
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, codec.format, **settings)
    return buffer.getvalue()


def decode(name: str, data: bytes, width: int, height: int) -> np.ndarray:
    """The picture, uint8 (height, width, 3), of a file that has this format and size, grey or RGB.

    Raises BitstreamError for any other file.
    """
    codec = STANDARD[name]
    try:
        with own_limits(), Image.open(io.BytesIO(data), formats=[codec.format]) as image:
            if image.size != (width, height) or image.mode not in ("L", "RGB"):
                found = f"{image.size[0]} x {image.size[1]}, {image.mode}"
                raise BitstreamError(f"{codec.label}: {found}; expected {width} x {height}, L or RGB")
            if codec.format == "JPEG" and (scans := data.count(SCAN)) > MAX_SCANS:
                raise BitstreamError(f"{codec.label}: {scans} scans; expected at most {MAX_SCANS}")
            return np.array(image.convert("RGB"))
    except (BitstreamError, MemoryError):
        raise
    except Exception as error:  # Pillow raises what its plugins run into
        reason = " ".join(f"{error}".split())[:200] or type(error).__name__
        if isinstance(error, Image.UnidentifiedImageError):  # its words hold an address
            reason = "it is none"
        raise BitstreamError(f"{codec.label}: {len(data)} bytes cannot be read ({reason})") from None


def with_profile(data: bytes, profile: bytes) -> bytes:
    """A JPEG file with a colour profile, in APP2 segments behind its first marker; samples stay.

    Source: ICC.1:2022, annex B.4. Raises BitstreamError for what does not begin as a JPEG file does.
    """
    if data[:2] != b"\xff\xd8":
        raise BitstreamError(f"JPEG: begins with {data[:2].hex()}, expected ffd8")
    parts = [profile[k : k + PROFILE_PART] for k in range(0, len(profile), PROFILE_PART)]
    segments = []
    for k, part in enumerate(parts, 1):
        content = b"ICC_PROFILE\0" + bytes((k, len(parts))) + part
        segments.append(b"\xff\xe2" + (len(content) + 2).to_bytes(2, "big") + content)
    return data[:2] + b"".join(segments) + data[2:]


@lru_cache(maxsize=101)
def jpeg_tables(quality: int) -> np.ndarray:
    """The steps that JPEG quantizes with, float32 (2, 8, 8), of brightness and of colours, from a file."""
    data = encode("jpeg", np.zeros((8, 8, 3), np.uint8), quality)
    with Image.open(io.BytesIO(data)) as image:
        tables = image.quantization  # type: ignore[attr-defined]  # of JPEG files only
    return np.array([tables[0], tables[1]], np.float32).reshape(2, 8, 8)
