"""What a picture's numbers mean, and where they come from: colour profile, EXIF and XMP.

A section holds the bytes compressed by zlib. At most `MAX_BYTES` are packed, and unpacked again, so that a
short section cannot fill the memory. The most common profile,
sRGB, is recognised by what it does to colours, not by its bytes, of which there are dozens: it costs
one byte. A profile that is anything else is kept as it is.

>>> profile = srgb()
>>> pack("icc", profile)
b'\\x00'
>>> unpack("icc", b"\\0", "RGB") == profile
True
"""

import io
import math
import zlib
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from numbers import Real
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from codec_lib.errors import SectionError, shown
from codec_lib.picture import exif
from codec_lib.picture.colour_info import SRGB_PLACES

OPTIONAL = ("icc", "exif", "xmp")
INFO = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}  # the names that Pillow gives them
MAX_BYTES = 4 << 20
SRGB = b"\0"  # no zlib stream starts like this
SRGB_GAMMA = 0.45455  # what PNG files of sRGB give as their exponent


def check_names(keep: Any) -> None:
    """ValueError for what is no collection of some of `OPTIONAL`."""
    names = None
    if isinstance(keep, Collection) and not isinstance(keep, str | bytes):
        with suppress(TypeError):  # an array without dimensions has nothing to go through
            names = list(keep)
    if names is None:
        raise ValueError(f"keep: {shown(keep)}; allowed is a collection of {', '.join(OPTIONAL)}")
    if unknown := [name for name in names if not (isinstance(name, str) and name in OPTIONAL)]:
        asked = ", ".join(shown(name).strip("'") for name in unknown)
        raise ValueError(f"keep: {asked}; allowed are {', '.join(OPTIONAL)}")


def collect(info: dict, mode: str, keep: Collection[str]) -> tuple[dict[str, bytes], list[str]]:
    """The sections of those kinds in `keep` that Pillow's `info` has, and notes on what is left out.

    `mode` is the picture's, as coded. The orientation in EXIF and XMP, which has been applied, is 1 then.
    """
    sections, notes = {}, []
    for name in OPTIONAL:
        data = info.get(INFO[name])
        if name not in keep or INFO[name] not in info:
            continue
        try:
            if name == "exif" and isinstance(data, bytes | Image.Exif):
                data = exif.upright_bytes(data)
            if not isinstance(data, bytes) or not data:  # None is Pillow's for a damaged profile
                raise ValueError(f"{name}: cannot be read")
            if name == "icc" and len(data) < (size := int.from_bytes(data[:4], "big")):
                raise ValueError(f"icc: {len(data)} bytes of a profile of {size}")
            sections[name] = pack(name, exif.upright_xmp(data) if name == "xmp" else data, mode)
        except ValueError as error:
            notes.append(f"{error}; left out")
    return sections, notes + (_colours_left_out(info, mode) if "icc" in keep else [])


def _colours_left_out(info: dict, mode: str) -> list[str]:
    """Notes on what else says what the colours mean, where that is not sRGB."""
    notes = []
    profile, places = info.get("icc_profile"), _numbers(info.get("chromaticity"))
    code, gamma = _numbers(info.get("cicp")), _numbers((info.get("gamma"),))
    if code:
        notes.append(f"cICP: {' '.join(f'{number:g}' for number in code)}, which is not sRGB; left out")
    if "srgb" in info or (isinstance(profile, bytes) and profile):
        return notes
    has_primaries = not mode.startswith("L") and len(places) == len(SRGB_PLACES)
    if has_primaries and not np.allclose(places, SRGB_PLACES, 0, 0.002):
        notes.append("chromaticity: primaries that are not those of sRGB, and no profile; left out")
    if gamma and not abs(gamma[0] - SRGB_GAMMA) <= 0.01:  # a PNG may say no more than this
        notes.append(f"gamma: {gamma[0]:g}, and no profile; left out")
    return notes


def _numbers(values: Any) -> list[float]:
    """These, if all are numbers; an application may have put anything there."""
    if not isinstance(values, tuple) or not all(isinstance(value, Real) for value in values):
        return []
    try:
        return [float(value) for value in values]
    except OverflowError:
        return [math.inf] * len(values)


def pack(name: str, data: bytes, mode: str = "RGB") -> bytes:
    """The bytes of a section. ValueError for too many, or a profile that does not fit the mode."""
    if problem := _misfit(name, data, mode):
        raise ValueError(f"{name}: {problem}")
    return SRGB if name == "icc" and is_srgb(data) else zlib.compress(data, 9)


def unpack(name: str, section: bytes, mode: str) -> bytes:
    """What `pack` was given, or for sRGB a profile that means the same; BitstreamError for else."""
    if name == "icc" and section == SRGB:
        data = srgb()
    else:
        stream = zlib.decompressobj()
        try:
            data = stream.decompress(section, MAX_BYTES + 1)
        except zlib.error as error:
            raise SectionError(name, f"damaged zlib stream ({error})") from None
        if len(data) <= MAX_BYTES and not stream.eof:
            raise SectionError(name, f"zlib stream of {len(section)} bytes ends too early")
        if stream.unused_data:
            raise SectionError(name, f"{len(stream.unused_data)} bytes after its zlib stream")
    if problem := _misfit(name, data, mode):
        raise SectionError(name, problem)
    return data


def is_srgb(profile: bytes) -> bool:
    """Whether a profile changes no colour by more than one level of 8 bits when taken for sRGB.

    Only a matrix with three curves can pass: a profile with tables may do something else in another
    program. Of a profile that cannot be read the answer is no.
    """
    try:
        read = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        parsed: Any = read.profile
        tables = any(used_in or used_out for used_in, used_out, _ in parsed.clut.values())
        if parsed.xcolor_space.strip() != "RGB" or tables or not parsed.is_matrix_shaper:
            return False
        colours = _colours()
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        seen = ImageCms.profileToProfile(
            Image.fromarray(colours), read, target, ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return False
    return int(np.abs(np.asarray(seen).astype(int) - colours).max()) <= 1


@cache
def srgb() -> bytes:
    """The sRGB profile of LittleCMS, with one date: every call of one version gives the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")  # 2000-01-01
    return bytes(profile)


def _colours() -> np.ndarray:
    """uint8 (1, N, 3): a lattice of colours, then every level of grey and of each primary."""
    steps = np.linspace(0, 255, 18).astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    levels = np.arange(256, dtype=np.uint8)[:, None]
    ramps = [levels * np.array(which, np.uint8) for which in ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    return np.concatenate([lattice, *ramps])[None]


def _misfit(name: str, data: bytes, mode: str) -> str | None:
    """Why these bytes cannot go with a picture of this mode, or None."""
    if len(data) > MAX_BYTES:
        return f"more than {MAX_BYTES} bytes"
    if name == "icc":
        space = data[16:20].decode("latin-1")  # as the header of a profile has it
        fitting = "GRAY" if mode.startswith("L") else "RGB "
        if len(data) < 128 or data[36:40] != b"acsp":
            return f"{len(data)} bytes that are no colour profile"
        if space != fitting:
            return f"a profile of {space.strip()!r}; {mode} takes one of {fitting.strip()!r}"
    return None
