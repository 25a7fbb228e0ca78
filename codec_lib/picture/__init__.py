"""Pictures in and out: anything a reader has, as samples that a codec takes, or one line that says why not.

A codec sees colours of 8 bits: (1, 3, H, W). Files come grey, with alpha, with a palette, with 16 bits.
`take` takes a picture apart into the colour and what goes beside it without loss, in sections of a file:
alpha, the low bytes of 16 bits, the colour profile. `restore` puts it together again. In between there
are eight modes: L, LA, RGB, RGBA, and the same with 16 bits a sample, written L;16 and so on.

    Pillow's mode              becomes            exact coding
    1                          L                  kept
    L, LA, RGB, RGBA           itself             kept; a transparent colour becomes alpha
    P, PA                      RGB, RGBA          kept: the colours of the palette
    RGBX                       RGB                kept: X is padding, except in a TIFF
    I;16, I;16B, I;16L, I;16N  L;16               kept
    I from 0 to 65535          L;16               kept: how Pillow opens some 16-bit files
    16-bit colour of PNG,      LA;16, RGB;16,     kept: read as in `depth.py`
      TIFF, SGI, binary PPM      RGBA;16
    La, RGBa                   LA, RGBA           refused: alpha has to be divided out
    CMYK                       RGB                refused: converted through its profile, if any, to sRGB
    YCbCr, HSV, LAB            RGB                refused: converted
    other files of more than   8 bits             refused: 10 bits of AVIF, HEIF, JPEG 2000, and others
      8 bits a sample
    signed samples, floats,    8 bits             refused, where Pillow says nothing: see `changes.py`
      channels without a place
    I beyond, F, any other     refused            refused: nothing says which sample is white

Unless coding is exact, 16 bits become 8, x / 257 rounded. Whatever is converted or left out has a note.
"""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from codec_lib.errors import BitstreamError
from codec_lib.header import MODES
from codec_lib.picture import arrays, colour, metadata, opening, planes
from codec_lib.picture.metadata import OPTIONAL

Source = Image.Image | np.ndarray | Tensor | bytes | bytearray | memoryview | BinaryIO | str | os.PathLike
REFINING = ("low",)  # sections that refine a picture which is whole without them
BESIDE = ("alpha", *OPTIONAL)
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


@dataclass(frozen=True, eq=False)
class Parts:
    """A picture taken apart.

    `mode` is one of `MODES`, `size` is (width, height). `levels` is the colour, uint8 (1, 3, H, W), grey
    repeated three times; of 16 bits it is the high byte. `sections` holds what goes beside it into a
    file, by name: those of `required_sections` and any of `OPTIONAL`. Each of `notes` is one line about
    something that was converted or left out.
    """

    mode: str
    size: tuple[int, int]
    levels: Tensor
    sections: dict[str, bytes]
    notes: tuple[str, ...]

    def samples(self) -> np.ndarray:
        """What exact coding has to give back: uint8 or uint16 (H, W) or (H, W, C)."""
        needed = {name: self.sections[name] for name in required_sections(self.mode)}
        return np.asarray(restore(self.levels, self.mode, needed))


def take(source: Source, *, exact: bool = False, keep: Collection[str] = ("icc",)) -> Parts:
    """Take a picture apart.

    Args:
        source: a path; the bytes of a file; a file opened as binary, which is read from where it is and
            left open; a PIL image; an array, uint8, uint16 or bool, (H, W) or (H, W, C) with C = 1 to 4
            for grey, grey and alpha, RGB, RGBA; or a tensor (H, W), (C, H, W) or (1, C, H, W) of the
            same types, or of floats in [0, 1], which become 8 bits. Of files and PIL images the EXIF
            orientation is applied. Of a file with several frames or pages the first is taken.
        exact: keep 16 bits a sample, and refuse a picture whose samples would change.
        keep: which of icc, exif and xmp to keep.
    Raises:
        ValueError: no picture, of a mode that cannot be taken, too large, or with `exact` of a kind that
            would change.
        OSError: a path that cannot be read.
    """
    metadata.check_names(keep)
    samples, info, notes = _samples(source, exact)
    mode = next(name for name, count in CHANNELS.items() if count == samples.shape[2])
    optional, left_out = metadata.collect(info, mode, keep)
    high, sections = samples, {}
    if samples.dtype == np.uint16:
        mode, high = f"{mode};16", (samples >> 8).astype(np.uint8)
    if "alpha" in required_sections(mode):
        sections["alpha"] = planes.pack("alpha", high[:, :, -1])
    if "low" in required_sections(mode):
        sections["low"] = planes.pack("low", planes.low_plane(samples))
    shown = high[:, :, : 3 if samples.shape[2] > 2 else 1]
    levels = torch.from_numpy(np.array(np.broadcast_to(shown, (*shown.shape[:2], 3))))
    height, width = shown.shape[:2]
    levels = levels.permute(2, 0, 1)[None]
    return Parts(mode, (width, height), levels, sections | optional, (*notes, *left_out))


def required_sections(mode: str) -> tuple[str, ...]:
    """The sections that a picture of one of `MODES` needs beside its colour, in their order."""
    return ("alpha",) * ("A" in mode) + ("low",) * mode.endswith(";16")


def restore(levels: Tensor, mode: str, sections: dict[str, bytes]) -> Image.Image | np.ndarray:
    """The picture that `take` took apart, from decoded colour.

    Args:
        levels: uint8 (1, 3, H, W). If each is off by at most tau, samples of 16 bits are by 257 tau.
        mode: one of `MODES`.
        sections: those of `required_sections`, and any of `OPTIONAL`. Without the section low the
            picture has 8 bits: a preview.
    Returns:
        a PIL image, of mode I;16 for L;16; for other modes of 16 bits uint16 (H, W, 2 to 4), since PIL
        has no mode for them. The image's `info` has what `info_of` gives; an array has no place for it.
    Raises:
        BitstreamError: sections that are not those of the mode, or damaged.
    """
    if mode not in MODES:
        raise BitstreamError(f"mode: {mode!r}; allowed are {', '.join(MODES)}")
    needed = set(required_sections(mode))
    if not needed - {"low"} <= set(sections) <= needed | set(OPTIONAL):
        raise BitstreamError(f"sections: {sorted(sections)}; {mode} has {sorted(needed)}")
    info = info_of(mode, sections)
    image = from_levels(levels, mode.removesuffix(";16").removesuffix("A"))
    width, height = image.size
    high = np.asarray(image).reshape(height, width, -1)
    if "alpha" in sections:
        alpha = planes.unpack("alpha", sections["alpha"], width, height)
        high = np.concatenate([high, alpha[:, :, None]], axis=2)
    if "low" in sections:
        low = planes.unpack("low", sections["low"], width * high.shape[2], height)
        high = planes.with_low(high, low)
        if high.shape[2] > 1:
            return high
    picture = _image(high)
    picture.info |= info
    return picture


def info_of(mode: str, sections: dict[str, bytes]) -> dict[str, bytes]:
    """Profile, EXIF and XMP of those sections that have them, by the names of Pillow's `info`.

    Raises BitstreamError for damaged ones.
    """
    kept = [name for name in sections if name in OPTIONAL]
    return {metadata.INFO[name]: metadata.unpack(name, sections[name], mode) for name in kept}


def load(image: Source) -> Image.Image:
    """Any picture as a PIL image of mode L, LA, RGB or RGBA: what `take` makes of it, of 8 bits."""
    samples, _, _ = _samples(image, exact=False)
    return _image(samples)


def to_levels(image: Image.Image) -> Tensor:
    """The colour of a picture as uint8 (1, 3, H, W); grey is repeated three times."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]


def to_tensor(image: Image.Image) -> Tensor:
    """The same as float32 in [0, 1]."""
    return to_levels(image).float().div_(255)


def round_to_levels(x: Tensor) -> Tensor:
    """uint8 levels of samples in [0, 1], same shape; what is outside is clamped. Overwrites x."""
    return x.clamp_(0, 1).mul_(255).round_().to(torch.uint8)


def from_levels(levels: Tensor, mode: str) -> Image.Image:
    """8-bit picture of `mode`, L or RGB, from uint8 (1, 3, H, W)."""
    image = Image.fromarray(np.ascontiguousarray(levels[0].permute(1, 2, 0).cpu().numpy()))
    return image.convert("L") if mode.startswith("L") else image


def from_tensor(x: Tensor, mode: str) -> Image.Image:
    """The same from samples (1, 3, H, W), float, of which those outside of [0, 1] are clamped."""
    return from_levels(round_to_levels(x.clone()), mode)


def psnr_of(mse: float, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(peak^2 / mse), of samples from 0 to `peak`; inf for 0."""
    return 10 * math.log10(peak**2 / mse) if mse else math.inf


def _samples(source: Source, exact: bool) -> tuple[np.ndarray, dict, tuple[str, ...]]:
    """uint8 or with `exact` uint16 (H, W, C), Pillow's `info` about them, and notes."""
    lost, changed, info, notes = None, (), {}, ()
    if isinstance(source, np.ndarray):
        samples = arrays.from_array(source)
    elif isinstance(source, Tensor):
        samples = arrays.from_tensor(source)
        if source.is_floating_point():
            lost = f"float samples of {8 * source.element_size()} bits"
    else:
        opened = opening.open_picture(source)
        samples, lost, changed = opened.samples, opened.lost, opened.changed
        info, notes = dict(opened.image.info), changed + opened.notes
        if opened.mode in colour.CONVERTED:
            changed = (f"mode {opened.mode}", *changed)
        if opened.mode != opened.image.mode:  # converted by Pillow
            notes = (*notes, f"{opened.mode} became {opened.image.mode}")
        if opened.mode in colour.THROUGH_PROFILE and info.get("icc_profile"):
            del info["icc_profile"]
    if exact and (refused := (lost, *changed) if lost else changed):
        raise ValueError(f"image: {refused[0]}; exact coding takes {colour.ALLOWED}")
    opening.check_size(samples.shape[1], samples.shape[0])
    if samples.dtype == np.uint16 and not exact:
        samples = arrays.to_eight_bits(samples)
        lost = lost or "16 bits a sample"
    return samples, info, ((f"{lost} became 8",) if lost else ()) + notes


def _image(samples: np.ndarray) -> Image.Image:
    """uint8 (H, W, C), or uint16 with one channel, as a PIL image."""
    return Image.fromarray(samples.squeeze(2) if samples.shape[2] == 1 else samples)
