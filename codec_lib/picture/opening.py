"""Files, bytes and open files to a loaded Pillow image, or one line that says why not.

Pillow's plugins raise whatever they run into. Here every failure becomes a ValueError.
"""

import io
import logging
import os
import re
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from codec_lib import files
from codec_lib.header import MAX_PIXELS, MAX_SIDE
from codec_lib.picture import changes, colour, colour_info, depth, exif, tiff
from codec_lib.picture.limits import own_limits

FileSource = bytes | bytearray | memoryview | BinaryIO | str | os.PathLike

SOURCES = "a path, bytes, a file opened as binary, a PIL image, an array and a tensor"
ALLOWED_SIZE = f"allowed are sides to {MAX_SIDE} and 1 to {MAX_PIXELS} pixels"
NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}  # which Pillow opens, and others read
ICONS = {"CUR", "ICNS", "ICO"}  # which have one picture in several sizes
GREY_STEPS = {"L;2": 85, "L;4": 17}  # what Pillow scales the samples by, but not the transparent one

logging.getLogger("PIL").addHandler(logging.NullHandler())  # or it prints, beside what it raises


@dataclass(frozen=True)
class Opened:
    """A picture as Pillow loads it, upright.

    `samples`, uint8 or uint16 (H, W, C), are of grey or RGB, with or without alpha. `lost` says what the
    file has and they do not hold, such as "10 bits a sample". `mode` is the image's, or RGBa where Pillow
    divides alpha out of the colours while it loads them. Each of `changed` is one line about what the
    image does not have as the file has it, and each of `notes` one about what else was changed or left out.
    """

    image: Image.Image
    mode: str
    samples: np.ndarray
    lost: str | None
    changed: tuple[str, ...]
    notes: tuple[str, ...]


def open_picture(source: Image.Image | FileSource) -> Opened:
    """The first picture of a file, or an image that the application opened or made.

    A file open as binary is read from where it is, and left open. The application's own image is left
    as it is; of one that is loaded nobody knows how many bits its file had.

    Raises OSError for a file that cannot be read, ValueError for what is no picture.
    """
    if not isinstance(source, Image.Image):
        return _from_file(source)
    check_size(*source.size)
    with _one_line("a Pillow image"), own_limits():
        data = _behind(source)
        changed = changes.check(source, data)
        mode, lost = depth.stored_mode(source), depth.lost(source, data)
        if tiff.deep_white_is_zero(source):
            raise ValueError("16 bits with 0 for white, which Pillow does not invert; allowed is the file")
        upright, notes = _described(source, data)
        samples, converted = colour.samples(upright)
    return Opened(upright, mode, samples, lost, changed, notes + converted)


def _from_file(source: FileSource) -> Opened:
    data, name = _contents(source)
    with _one_line(name), own_limits():
        image = _open(data)
    with image:
        check_size(*image.size)
        with _one_line(name), own_limits():
            changed = changes.check(image, data)
            mode = depth.stored_mode(image)
            deep, lost = depth.read(image, data, _load)
            upright, notes = _described(image, data)
            samples, converted = colour.samples(upright, deep)
    return Opened(upright, mode, samples, lost, changed, notes + converted)


def _described(image: Image.Image, data: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """An upright copy whose `info` also has what Pillow does not say there, and notes."""
    scale = GREY_STEPS.get(depth.raw_mode(image), 1)  # which nobody knows once it is loaded
    stated = colour_info.stated(image, data)
    upright, notes = exif.upright(image)
    upright.info |= stated
    if isinstance(upright.info.get("transparency"), int):
        upright.info["transparency"] *= scale
    return upright, notes + _others(image, data)


def endings() -> set[str]:
    """Of files that Pillow reads, by all the plugins that the application has: .png, .jpg, .gif, ..."""
    known = Image.registered_extensions()  # which loads Pillow's own
    readable = {*Image.OPEN, "MPO"} - NO_PICTURES  # an .mpo is opened as a JPEG
    return {ending for ending, kind in known.items() if kind in readable}


def check_size(width: int, height: int) -> None:
    """ValueError for a picture larger than a file of ours may be, or without pixels."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
        raise ValueError(f"image: {width} x {height}; {ALLOWED_SIZE}")


def _contents(source: FileSource) -> tuple[bytes, str]:
    """All bytes of a source, and what to call it."""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return data, f"{len(data)} bytes"
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if not files.has_an_end(path):
            raise ValueError(f"image: {path} is no file")
        try:
            return files.contents(path), f"{path}"
        except ValueError as error:
            raise ValueError(f"image: {error}") from None
    if not callable(getattr(source, "read", None)):
        raise ValueError(f"image: {type(source).__name__}; allowed are {SOURCES}")
    try:
        data = source.read()
    except UnicodeDecodeError:
        data = ""
    if not isinstance(data, bytes):
        raise ValueError(f"image: a file that gives {type(data).__name__}; allowed is one opened as binary")
    return data, f"a file of {len(data)} bytes"


def _open(data: bytes) -> ImageFile.ImageFile:
    """An image not yet loaded, also of the kind of TIFF that Pillow has no mode for."""
    try:
        return Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        try:
            return tiff.DeepGreyAlpha(io.BytesIO(data))
        except SyntaxError:
            pass
        raise


def _load(data: bytes, raw: str) -> Image.Image:
    """The file once more, loaded in another raw mode, upright."""
    with _open(data) as image:
        tiles = []
        for tile in image.tile:
            others = tile.args[1:] if isinstance(tile.args, tuple) else None
            tiles.append(tile._replace(args=raw if others is None else (raw, *others)))
        image.tile = tiles
        return exif.upright(image)[0]


def _behind(image: Image.Image) -> bytes:
    """The file of an image that is not loaded yet; nothing if it cannot be read twice."""
    file = getattr(image, "fp", None)
    if file is None:
        return b""
    try:
        place = file.tell()
        file.seek(0)
        data = file.read()
        file.seek(place)
    except Exception:  # an application may have any kind of file, and closed it
        return b""
    return data if isinstance(data, bytes) else b""


def _others(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """A note on the frames or pages of which this is one, which is loaded: counting may lose the place."""
    if image.format in ICONS:
        count = _count_icons(image, data)
        return (f"one of {count} pictures; the others are left out",) if count > 1 else ()
    if image.format == "PPM":
        return ("the first of several pictures; the others are left out",) if _one_follows(data) else ()
    try:
        count = int(getattr(image, "n_frames", 1))
        number = min(image.tell(), count - 1) + 1
    except Exception:  # its file is closed, or damaged behind this frame, or of pages of several kinds
        known = getattr(image, "_frame_pos", ())  # directories of a TIFF that were found on the way
        return ("a frame of several; the others are left out",) if len(known) > 1 else ()
    return (f"frame {number} of {count}; the others are left out",) if count > 1 else ()


def _count_icons(image: Image.Image, data: bytes) -> int:
    """How many pictures an icon has; of one that is loaded, how many sizes."""
    if data and image.format != "ICNS":
        return int.from_bytes(data[4:6], "little")
    sizes = image.info.get("sizes")
    return len(sizes) if isinstance(sizes, Sized) else 1


def _one_follows(data: bytes) -> bool:
    """Whether behind a binary PBM, PGM or PPM there is another one, as in a stream of them."""
    gap = rb"(?:\s|#[^\r\n]*[\r\n])+"
    numbers = [rb"(\d+)"] * (2 if data[:2] == b"P4" else 3)
    head = re.match(rb"P[456]" + gap + gap.join(numbers) + rb"\s", data)
    if head is None:
        return False
    width, height, *largest = map(int, head.groups())
    if largest:
        row = width * (3 if data[:2] == b"P6" else 1) * (1 if largest[0] < 256 else 2)
    else:
        row = -(-width // 8)
    return re.match(rb"\s*P[1-7]\s", data[head.end() + row * height :]) is not None


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Whatever a plugin raises becomes a ValueError of one line; a lack of memory is not its fault."""
    try:
        yield
    except MemoryError:
        raise
    except Image.DecompressionBombError:
        raise ValueError(f"image: {name} is too large; {ALLOWED_SIZE}") from None
    except UnidentifiedImageError:
        raise ValueError(f"image: {name} is not a picture that Pillow reads") from None
    except Exception as error:
        reason = " ".join(f"{error}".split())[:200] or type(error).__name__
        raise ValueError(f"image: {name} cannot be read ({reason})") from None
