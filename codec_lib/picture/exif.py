"""EXIF: which way up a picture is, and its bytes as the file has them.

A picture that was turned upright must not be turned again. So its EXIF gets another orientation, 1, in
place: all other bytes stay what they were. Pillow would write EXIF anew, and drop what it does not know.

>>> upright_bytes(bytes.fromhex("4d4d002a00000008 0001 0112000300000001 0006 0000 00000000")).hex(" ", 2)
'4d4d 002a 0000 0008 0001 0112 0003 0000 0001 0001 0000 0000 0000'
"""

import re
import struct

from PIL import Image
from PIL.Image import Transpose

from codec_lib.picture import libtiff

HEAD = b"Exif\0\0"  # of EXIF in a JPEG; elsewhere it may stand or not
RAW_PROFILE = "Raw profile type exif"  # of a PNG: a text of hexadecimal digits behind three lines
XMP = {"xmp": bytes, "XML:com.adobe.xmp": str}  # where Pillow looks for an orientation, too
ORIENTATION, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x8769, 0x8825, 0xA005
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
SHORT = 3  # the type of an orientation: a whole number of two bytes
SAMPLES_OF_TIFF = {  # tags that say how a TIFF stores its samples, or that have a section of their own
    *range(254, 260), 262, 266, 273, *range(277, 280), 284, 317, *range(320, 326), 330, 332, 338, 339,
    347, *range(512, 522), 529, 530, 531, 532, 700, 34675,
}  # fmt: skip


def upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """A copy turned as its EXIF or XMP says, and a note if EXIF cannot be read.

    The copy's `info` has EXIF under "exif": the bytes of the file, or an `Image.Exif` where there are none.
    """
    libtiff.load(image)  # an error of the samples is none of EXIF
    tags, stored, notes = None, None, ()
    try:
        tags = _tags(image)
        stored = _stored(image, tags)
    except MemoryError:
        raise
    except Exception:  # Pillow raises what its parser runs into
        notes = ("EXIF cannot be read; left out",)
    if tags is None:
        image = image.copy()
        for name in ("exif", RAW_PROFILE):
            image.info.pop(name, None)
        tags = _tags(image)  # those of XMP
    turn = TURNS.get(tags.get(ORIENTATION, 1))
    turned = image.copy() if turn is None else image.transpose(turn)
    turned.info.pop("exif", None)
    if stored:
        turned.info["exif"] = stored
    return turned, notes


def upright_bytes(exif: bytes | Image.Exif) -> bytes:
    """EXIF with orientation 1, if it has one that turns; ValueError if it cannot be read or written."""
    try:
        data = exif.tobytes() if isinstance(exif, Image.Exif) else exif
        start = 0
        while data.startswith(HEAD, start):
            start += len(HEAD)
        order = {b"II": "<", b"MM": ">"}[data[start : start + 2]]
        (first,) = struct.unpack_from(f"{order}I", data, start + 4)
        (count,) = struct.unpack_from(f"{order}H", data, start + first)
        turns = TURNS.get(read(data).get(ORIENTATION, 1)) is not None
        for entry in range(start + first + 2, start + first + 2 + 12 * count, 12):
            (tag,) = struct.unpack_from(f"{order}H", data, entry)
            if turns and tag == ORIENTATION:  # of whatever type it is, and however many numbers it has
                one = struct.pack(f"{order}HIHH", SHORT, 1, 1, 0)
                data = data[: entry + 2] + one + data[entry + 12 :]
        return data
    except Exception as error:  # Pillow raises what its writer runs into
        raise ValueError(f"exif: cannot be read ({error})") from None


def read(data: bytes) -> Image.Exif:
    """The tags of EXIF as a file has it; SyntaxError if it cannot be read."""
    tags = Image.Exif()
    tags.load(data)
    return tags


def about_the_picture(tags: Image.Exif) -> Image.Exif:
    """The tags but for the orientation and those that are about a TIFF's samples."""
    kept = Image.Exif()
    for tag in tags.keys() - {ORIENTATION, EXIF_IFD, GPS_IFD} - SAMPLES_OF_TIFF:
        kept[tag] = tags[tag]
    for tag in (EXIF_IFD, GPS_IFD):
        if inner := {key: value for key, value in tags.get_ifd(tag).items() if key != INTEROP_IFD}:
            kept[tag] = inner
    return kept


def upright_xmp(xmp: bytes) -> bytes:
    """XMP with orientation 1, if it has one that turns."""
    return re.sub(rb'(tiff:Orientation(?:="|>))[2-8]', rb"\g<1>1", xmp)  # what Pillow looks for


def _tags(image: Image.Image) -> Image.Exif:
    if isinstance(given := image.info.get("exif"), Image.Exif):
        return given
    odd = [name for name, kind in XMP.items() if not isinstance(image.info.get(name, kind()), kind)]
    if odd:  # Pillow would stumble over it
        image = image.copy()
        for name in odd:
            del image.info[name]
    return image.getexif()


def _stored(image: Image.Image, tags: Image.Exif) -> bytes | Image.Exif | None:
    """EXIF as the file has it; else the tags, without those that are about a TIFF's samples."""
    if data := image.info.get("exif"):
        return data
    if text := image.info.get(RAW_PROFILE):
        return bytes.fromhex("".join(text.split("\n")[3:]))
    return about_the_picture(tags) or None
