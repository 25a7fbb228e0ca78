"""Pictures in and out: anything a reader has, as 8-bit samples.

A codec sees (1, 3, H, W) in [0, 1]. Files and arrays come grey, with alpha, with a palette, with 16
bits. The colour is what a network codes; alpha is kept beside it without loss.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from codec_lib.errors import BitstreamError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")  # modes that become L, LA, RGB or RGBA without loss

Picture = Image.Image | np.ndarray | str | Path


def load(image: Picture, exact: bool = False) -> Image.Image:
    """Any picture as a PIL image of mode L, LA, RGB or RGBA.

    Args:
        image: a path, a PIL image, or a uint8 array (H, W), (H, W, 3) or (H, W, 4). A path is turned
            upright by its EXIF orientation. 16-bit grey is scaled to 8 bits; palettes and CMYK become
            RGB. Colour profiles are dropped.
        exact: refuse a picture whose samples would change, such as one of 16 bits.
    Raises:
        ValueError: no such file, not a picture, or an array of another shape or type.
    """
    if isinstance(image, str | Path):
        try:
            with Image.open(image) as opened:
                opened.load()
                image = ImageOps.exif_transpose(opened)
        except UnidentifiedImageError:
            raise ValueError(f"image: {image} is not a picture that Pillow reads") from None
        except (SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise ValueError(f"image: {image} cannot be read ({error})") from None
    elif isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
            raise ValueError(f"image: {image.dtype} array {image.shape}; allowed is uint8 (H, W[, 3])")
        if image.ndim == 3 and image.shape[2] not in (3, 4):
            raise ValueError(f"image: {image.shape[2]} channels; allowed are 3, or 4 with alpha")
        image = Image.fromarray(image)
    if exact and image.mode not in EIGHT_BITS:
        raise ValueError(
            f"image: mode {image.mode}; exact coding takes 8 bits of grey or RGB, with or without A"
        )
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit PNG and TIFF
        samples = np.asarray(image, dtype=np.float64)
        image = Image.fromarray(np.clip(np.rint(samples / 257), 0, 255).astype(np.uint8))
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA")
    return image.convert(("LA" if has_alpha else "L") if grey else ("RGBA" if has_alpha else "RGB"))


def to_levels(image: Image.Image) -> Tensor:
    """The colour of a picture as uint8 (1, 3, H, W); grey is repeated three times."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]


def to_tensor(image: Image.Image) -> Tensor:
    """The same as float32 in [0, 1]."""
    return to_levels(image).float().div_(255)


def quantize(x: Tensor) -> Tensor:
    """uint8 levels of samples in [0, 1], same shape; what is outside is clamped. Overwrites x."""
    return x.clamp_(0, 1).mul_(255).round_().to(torch.uint8)


def from_levels(levels: Tensor, mode: str, alpha: Image.Image | None = None) -> Image.Image:
    """8-bit picture of `mode` from uint8 (1, 3, H, W); `alpha` is put back where mode has one."""
    image = Image.fromarray(np.ascontiguousarray(levels[0].permute(1, 2, 0).cpu().numpy()))
    if mode.startswith("L"):
        image = image.convert("L")
    if mode.endswith("A"):
        image.putalpha(alpha)
    return image


def from_tensor(x: Tensor, mode: str, alpha: Image.Image | None = None) -> Image.Image:
    """The same from samples (1, 3, H, W), float, of which those outside of [0, 1] are clamped."""
    return from_levels(quantize(x.clone()), mode, alpha)


def pack_alpha(image: Image.Image) -> bytes:
    """The alpha channel as a PNG: a well-known lossless file inside ours."""
    buffer = io.BytesIO()
    image.getchannel("A").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def unpack_alpha(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The alpha channel of `size` (width, height); BitstreamError for anything else.

    Only the chunks that `pack_alpha` writes are allowed: a PNG may also hold text, colour profiles and
    animations, each compressed on its own, and a decoder would unpack them.
    """
    grey = struct.pack(">4sIIBBBBB", b"IHDR", *size, 8, 0, 0, 0, 0)
    if not data.startswith(PNG_SIGNATURE + struct.pack(">I17sI", 13, grey, zlib.crc32(grey))):
        raise BitstreamError(f"section alpha: no PNG of {size[0]} x {size[1]} with 8 bits of grey")
    chunks, position = [], len(PNG_SIGNATURE)
    while position < len(data):
        chunks.append(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    if chunks != [b"IHDR", *[b"IDAT"] * (len(chunks) - 2), b"IEND"] or position != len(data):
        raise BitstreamError(f"section alpha: chunks {b' '.join(chunks)[:60]}; allowed is IHDR IDAT IEND")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as alpha:
            alpha.load()
            return alpha
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BitstreamError(f"section alpha: damaged PNG ({error})") from None
