"""Sixteen bits where Pillow gives eight.

Pillow has no mode for colours of more than 8 bits a sample. It opens such files as 8 bits and says
nothing. What a file holds is in its header, and for PNG and TIFF Pillow's decoder can be told which
byte of each sample to take: the raw mode RGB;16B takes the first, RGB;16L the second. Reading a file
once with each gives all 16 bits. In a binary PPM the samples lie there as they are.
"""

import math
import re
import sys
from collections.abc import Callable

import numpy as np
from PIL import Image

from codec_lib.picture import changes, png, tiff

TWO_BYTES = re.compile(r"(RGB|RGBX|RGBA);16([BLN])")  # byte order: big, little, this machine's


def raw_mode(image: Image.Image) -> str:
    """How a file stores its samples, in Pillow's words; "" where it does not say, as after loading."""
    arguments = _tile(image)[3]
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def stored_mode(image: Image.Image) -> str:
    """The image's mode, or RGBa for a file not yet loaded whose colours Pillow will divide by alpha."""
    return "RGBa" if re.match("(RGB|BGR)a", raw_mode(image)) else image.mode


def read(
    image: Image.Image, data: bytes, load: Callable[[bytes, str], Image.Image]
) -> tuple[np.ndarray | None, str | None]:
    """The samples of a file that Pillow would load as fewer bits, and what is lost all the same.

    Args:
        image: the file, opened and not yet loaded.
        data: its bytes.
        load: opens them again and loads them in another raw mode.
    Returns:
        uint16 (H, W, C), or None where Pillow loads what there is; and what `lost` says.
    """
    raw = raw_mode(image)
    decoder, _, offset, arguments = _tile(image)
    if image.format == "PPM" and decoder == "ppm" and arguments == ("RGB", 65535):
        width, height = image.size
        stored = np.frombuffer(data, ">u2", 3 * width * height, offset)
        return stored.reshape(height, width, 3).astype(np.uint16), None
    if decoder == "SGI16":
        (width, height), count = image.size, len(image.getbands())
        stored = np.frombuffer(data, ">u2", count * width * height, offset)
        upright = stored.reshape(count, height, width)[:, ::-1]  # one plane after the other, from below
        return upright.transpose(1, 2, 0).astype(np.uint16), None
    if tiff.deep_white_is_zero(image):
        return tiff.inverted(np.asarray(load(data, raw))), None
    if isinstance(image, tiff.DeepGreyAlpha):
        return image.samples(load(data, raw)), None
    if raw == "LA;16B":  # four bytes a pixel: RGBA takes them all
        return np.array(load(data, "RGBA")).view(">u2").astype(np.uint16), None
    if raw == "I;12":
        grey = np.asarray(load(data, raw))[:, :, None]
        return np.rint(grey * (65535 / 4095)).astype(np.uint16), lost(image, data)
    if not (match := TWO_BYTES.fullmatch(raw)):
        return None, lost(image, data)
    channels, order = match.groups()
    first, second = (np.asarray(load(data, f"{channels};16{byte}")) for byte in "BL")
    if order == "L" or (order == "N" and sys.byteorder == "little"):
        first, second = second, first
    return (first.astype(np.uint16) << 8) | second, None


def lost(image: Image.Image, data: bytes = b"") -> str | None:
    """What a file holds that Pillow, loading it, would not give: "10 bits a sample", or None.

    Args:
        image: opened and not yet loaded.
        data: the file, as far as it is at hand.
    """
    raw = raw_mode(image)
    bits = 12 if raw == "I;12" else 8
    match image.format:
        case "PPM" if raw in ("L", "I", "RGB") and isinstance(_tile(image)[3], tuple):
            maxval = _tile(image)[3][1]
            bits = 8 if maxval == (65535 if image.mode == "I" else 255) else math.log2(maxval + 1)
        case "JPEG2000":
            bits = _most_unlike_eight(
                [(depth & 127) + 1 for depth, _, _ in changes.jpeg2000_components(data)]
            )
            if bits == 16 and image.mode.startswith("I;16"):
                return None
        case "AVIF" | "HEIF":
            bits = max(_heif_bits(data), int(image.info.get("bit_depth") or 8))
        case "ICO" | "ICNS":
            components = [(depth & 127) + 1 for depth, _, _ in changes.jpeg2000_components(data)]
            bits = max([8, *components, *(png.bits(data, start) for start in png.embedded(data))])
        case "DDS" if _tile(image)[0] == "dds_rgb":
            bits = max(8, *(mask.bit_count() for mask in _tile(image)[3][1]))
        case "SGI" if _tile(image)[0] == "SGI16":
            bits = 16
        case _ if re.search(";16[BLN]$", raw) and not raw.startswith("I"):
            bits = 16
    return f"{bits:.3g} bits a sample" if bits != 8 else None


def _tile(image: Image.Image) -> tuple:
    """The first of Pillow's tiles, as decoder, extents, offset, arguments; empty ones after loading."""
    tiles = getattr(image, "tile", None)
    return tuple(tiles[0]) if tiles else ("", None, 0, "")


def _most_unlike_eight(bits: list[int]) -> int:
    """The most bits of any component, or if one has fewer than 8 the least; 8 if there is none."""
    return max(bits) if max(bits, default=8) > 8 else min(bits, default=8)


def _heif_bits(data: bytes) -> int:
    """The most bits of any item of an AVIF or HEIF file, from its codec configurations."""
    start = data.find(b"meta")
    properties = data[start : start + int.from_bytes(data[max(start - 4, 0) : start], "big")]
    bits = [8]
    for match in re.finditer(b"av1C..(.)", properties, re.DOTALL):
        bits.append({0x40: 10, 0x60: 12}.get(match[1][0] & 0x60, 8))
    for match in re.finditer(b"hvcC.{17}(.)", properties, re.DOTALL):
        bits.append(8 + (match[1][0] & 7))
    return max(bits)
