"""What a file says about the meaning of its colours, and Pillow does not.

Found are the code points of a PNG (cICP), of an AVIF and of a HEIF (nclx), the profile of a JPEG 2000, and
the primaries of a TIFF.
"""

import re
from typing import Any

from PIL import Image

from codec_lib.picture import png, tiff

SRGB_PLACES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # x, y of white, red, green, blue
WHITE_POINT, PRIMARIES = 318, 319  # tags of a TIFF
CODESTREAM = b"\xff\x4f\xff\x51"  # of a JPEG 2000: SOC, then SIZ
ENUMERATED, PROFILES = 1, (2, 3)  # what a colr box of a JPEG 2000 holds
SRGB_POINTS = ((1, 2), (2, 13))  # primaries and transfer of nclx that are those of sRGB, or unspecified


def stated(image: Image.Image, data: bytes) -> dict[str, Any]:
    """What is to be added to Pillow's `info`, under its names.

    Args:
        image: a file, opened.
        data: the file, as far as it is at hand.
    """
    match image.format:
        case "PNG" if data.startswith(png.SIGNATURE) and (code := png.colour_code(data)):
            return {"cicp": code}
        case "AVIF" | "HEIF" if not image.info.get("icc_profile") and (code := _nclx(data)):
            return {"cicp": code}
        case "JPEG2000":
            kind, payload = jpeg2000_colour(data)
            return {"icc_profile": payload} if kind in PROFILES else {}
        case "TIFF":
            return _chromaticity(getattr(image, "tag_v2", {}))
    return {}


def jpeg2000_colour(data: bytes) -> tuple[int, bytes]:
    """Kind and payload of the first colr box before the codestream of a JPEG 2000; 0 for none."""
    head = data[: data.find(CODESTREAM) + 1]
    if not (box := re.search(rb"(.{4})colr([\1\2\3])..", head, re.DOTALL)):
        return 0, b""
    return box[2][0], head[box.end() : box.start() + int.from_bytes(box[1], "big")]


def _nclx(data: bytes) -> tuple[int, ...] | None:
    """Primaries, transfer, matrix and range of the first nclx box, unless they mean sRGB."""
    if not (box := re.search(rb"colrnclx(.{7})", data, re.DOTALL)):
        return None
    primaries, transfer, matrix = (int.from_bytes(box[1][at : at + 2], "big") for at in (0, 2, 4))
    if primaries in SRGB_POINTS[0] and transfer in SRGB_POINTS[1]:
        return None
    return primaries, transfer, matrix, box[1][6] >> 7


def _chromaticity(tags: Any) -> dict[str, Any]:
    """White and primaries of a TIFF, those of sRGB for what it does not give."""
    if WHITE_POINT not in tags and PRIMARIES not in tags:
        return {}
    white, primaries = SRGB_PLACES[:2], SRGB_PLACES[2:]
    places = (*tiff.values(tags, WHITE_POINT, *white), *tiff.values(tags, PRIMARIES, *primaries))
    return {"chromaticity": places}
