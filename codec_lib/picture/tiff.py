"""The tags of a TIFF: what they say, against what Pillow's image of it can mean, and EXIF among them.

Pillow looks up a mode for the tags and drops what the mode has no room for. So what a file says is
compared with the mode here, in one place: what means nothing is refused, what was changed has a name.
"""

import io
import struct
import sys
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2 as Directory
from PIL.TiffImagePlugin import TiffImageFile

from codec_lib.picture import exif

CLASSIC, HEAD = b"II*\0", 8  # how a file begins; and the bytes that stand before its directory
WIDTH_OF_BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR = 258, 259, 262, 277, 284
EXTRA, FORMAT, STRIPS, STRIP_SIZES, TILES, TILE_SIZES = 338, 339, 273, 279, 324, 325
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, YCBCR = 0, 1, 2, 6
JPEG, UNSIGNED, SIGNED, SEPARATE, ASSOCIATED, UNASSOCIATED = 7, 1, 2, 2, 1, 2
COLOUR_MAP, SUBFILE, REDUCED = 320, 254, 1
BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # of a value of each type
BY_PLANES = ("RGB", "RGBA", "CMYK", "LAB")  # the modes whose planes of 8 bits Pillow puts where they belong


def check(image: Image.Image, data: bytes = b"") -> tuple[str, ...]:
    """What is not in Pillow's image as it is in the file, each a line for a note.

    Args:
        image: a TIFF, opened.
        data: the file, where it is at hand. Strips beyond its end are refused: libtiff prints about them.
    Raises:
        ValueError: samples that Pillow misreads.
    """
    tags: Any = getattr(image, "tag_v2", {})
    bits, bands = max(values(tags, WIDTH_OF_BITS, 1)), len(image.getbands())
    if tags.get(PLANAR) == SEPARATE and bands > 1:
        if bits > 8:
            raise ValueError(f"{bits} bits a sample in one plane after the other; allowed is interleaved")
        if image.mode not in BY_PLANES or ASSOCIATED in values(tags, EXTRA):
            raise ValueError(f"{image.mode} in one plane after the other; allowed is interleaved")
    if bits <= 8 and SIGNED in values(tags, FORMAT):
        raise ValueError(f"signed samples of {bits} bits; allowed are unsigned ones")
    _refuse_missing(image, tags, data)
    changes = []
    if (
        values(tags, SUBFILE, 0)[0] & REDUCED
    ):  # as first in camera raws; the picture is in a directory below
        changes.append("a reduced copy of another picture, which is left out")
    if image.mode == "RGB" and _photometric(tags) == YCBCR:
        if tags.get(COMPRESSION) != JPEG or tags.get(PLANAR) == SEPARATE:
            changes.append("YCbCr became RGB")
        return tuple(changes)  # a JPEG says itself how many samples it has
    surplus = tags.get(SAMPLES, 1) - bands
    if surplus > 0:
        changes.append(f"{surplus} of {bands + surplus} samples a pixel left out")
    palette = values(tags, COLOUR_MAP, 0) if image.mode in ("P", "PA") else ()
    if any(sample % 256 and sample % 257 for sample in palette):
        changes.append("16-bit colours of the palette became 8")
    return tuple(changes)


def deep_white_is_zero(image: Image.Image) -> bool:
    """Whether this is a TIFF of 16 bits whose 0 is white: Pillow inverts those of 8 bits only."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and image.mode.startswith("I") and _photometric(tags) == WHITE_IS_ZERO


def inverted(samples: np.ndarray) -> np.ndarray:
    """uint16 (H, W, 1) of grey (H, W), with white where 0 was."""
    return (65535 - samples.astype(np.uint16))[:, :, None]


class DeepGreyAlpha(TiffImageFile):
    """A TIFF of grey and alpha, 16 bits each, for which Pillow has no mode: RGBA, whose bytes are theirs.

    Raises SyntaxError for any other file.
    """

    def _setup(self) -> None:
        tags: Any = self.tag_v2
        bits, formats = values(tags, WIDTH_OF_BITS, 1), values(tags, FORMAT, UNSIGNED)
        if not (
            (tags.get(SAMPLES), _photometric(tags)) == (2, BLACK_IS_ZERO)
            and (set(bits), set(formats), values(tags, EXTRA)) == ({16}, {UNSIGNED}, (UNASSOCIATED,))
        ):
            raise SyntaxError("another kind of TIFF")
        disguise = {SAMPLES: 4, PHOTOMETRIC: RGB, WIDTH_OF_BITS: (8, 8, 8, 8)}
        stored = {tag: tags[tag] for tag in disguise}
        tags.update(disguise)
        try:
            super()._setup()
        finally:
            tags.update(stored)

    def samples(self, loaded: Image.Image) -> np.ndarray:
        """uint16 (H, W, 2) of this file, loaded as RGBA."""
        is_as_stored = self.tile[0][0] == "raw"  # libtiff gives the bytes in the machine's order
        is_big = self.tag_v2.prefix == b"MM" if is_as_stored else sys.byteorder == "big"
        return np.array(loaded).view(">u2" if is_big else "<u2").astype(np.uint16)


def with_exif(data: bytes, stored: bytes) -> bytes:
    """A TIFF whose directory also has the tags of EXIF that are about the picture, not its samples.

    A new directory stands before all that the file has behind its head.

    Args:
        data: a little-endian file of one picture in strips.
        stored: EXIF as it stands in a file.
    Raises:
        ValueError: EXIF that cannot be read or written, or a BigTIFF.
    """
    if data[:4] != CLASSIC:
        raise ValueError("exif: goes into a little-endian TIFF of less than 4 GiB")
    file = io.BytesIO(data)
    own, both = Directory(file.read(HEAD)), Directory()
    file.seek(own.next)
    own.load(file)
    for tag, value in own.items():
        both.tagtype[tag] = own.tagtype[tag]
        both[tag] = value
    both[STRIPS] = tuple(place - HEAD for place in values(own, STRIPS))  # Pillow adds where the tags end
    try:
        for tag, value in exif.about_the_picture(exif.read(stored)).items():
            both[tag] = value
        return data[:HEAD] + both.tobytes(HEAD) + data[HEAD:]
    except Exception as error:  # Pillow raises what its parser and writer run into
        raise ValueError(f"exif: cannot be written into a TIFF ({error})") from None


def values(tags: Any, tag: int, *default: Any) -> tuple:
    """All values of a tag."""
    value = tags.get(tag, default)
    return value if isinstance(value, tuple) else (value,)


def _refuse_missing(image: Image.Image, tags: Any, data: bytes) -> None:
    """ValueError for tags, compressed strips or tiles that end behind the file."""
    tiles: Any = getattr(image, "tile", None)
    if not (data and tiles and tiles[0][0] == "libtiff"):
        return
    if (end := _end_of_tags(data)) > len(data):
        raise ValueError(f"tags to byte {end}; the file ends at {len(data)}")
    for start, size in ((STRIPS, STRIP_SIZES), (TILES, TILE_SIZES)):
        pairs = zip(values(tags, start), values(tags, size), strict=False)
        end = max((offset + length for offset, length in pairs if length), default=0)
        if end > len(data):
            raise ValueError(f"strips to byte {end}; the file ends at {len(data)}")


def _end_of_tags(data: bytes) -> int:
    """Where the first directory ends, and what its entries point to; behind the file if that is cut."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in (b"+\0", b"\0+")  # a BigTIFF
    head, entry, room = ("8xQ", "HHQ", 8) if is_big else ("4xI", "HHI", 4)
    try:
        (start,) = struct.unpack_from(order + head, data)
        (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, start)
        first = start + (8 if is_big else 2)
        size = 4 + 2 * room
        end = first + size * count + room
        for place in range(first, min(first + size * count, len(data)), size):
            _, kind, length = struct.unpack_from(order + entry, data, place)
            length *= BYTES[kind] if kind < len(BYTES) else 0
            if length > room:
                (value,) = struct.unpack_from(order + entry[-1], data, place + size - room)
                end = max(end, value + length)
    except struct.error:
        return len(data) + 1
    return end


def _photometric(tags: Any) -> int:
    return tags.get(PHOTOMETRIC, WHITE_IS_ZERO)  # as Pillow takes it
