"""A decoded picture as the bytes of a picture file, and what of it such a file does not hold.

Each picture format drops something: JPEG has no alpha, GIF has 256 colours, BMP no colour profile. Pillow's
writers differ in what they do then: some raise, some leave it out. So what a format holds is found by
trying: a small picture is written into memory, opened again and looked at; and so is the picture itself.
What would be lost of alpha or of 16 bits is refused, anything else that is lost is told.
"""

import io
from collections.abc import Collection
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from codec_lib.picture import deep_files, exif
from codec_lib.picture.deep_files import XMP_TAG
from codec_lib.picture.limits import own_limits

HOLD_ALL = ".png and .tif"  # any size, alpha, 16 bits
CARRIERS = {
    "L": ("L", "RGB"),
    "LA": ("LA", "RGBA"),
    "RGB": ("RGB",),
    "RGBA": ("RGBA",),
}  # in order of choice
PAGES = {"EPS"}  # drawn by Ghostscript, which some machines have: no samples, and not the same everywhere
SIXTEEN_BITS = deep_files.WRITERS
GREY = {".bw", ".pgm"}  # endings that mean the grey pictures of a format
OTHER_SAMPLES = {".pbm", ".pfm"}  # endings that mean samples of one bit, or floats
CLOSEST = {  # what comes closest to the samples, of formats that can also be lossy
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "JPEG": {"quality": 100, "subsampling": 0},
    "JPEG2000": {"irreversible": False},
    "MPO": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
}
ALLOWED = "allowed is uint8 or uint16 (H, W[, 2 to 4])"
METADATA = {"icc_profile": "colour profile", "exif": "EXIF data", "xmp": "XMP data"}


def check_ending(ending: str) -> None:
    """ValueError unless pictures can be written under names with this ending, such as ".png" or ".JPG"."""
    _format_of(ending)


def to_bytes(
    image: Image.Image | np.ndarray, ending: str, *, lossless: bool, info: dict[str, bytes] | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """Write a picture into memory, as a file whose name has this ending.

    Args:
        image: a picture of mode L, LA, RGB, RGBA or I;16; or an array, uint8 or uint16, (H, W), (H, W, 2),
            (H, W, 3) or (H, W, 4), where 2 and 4 channels have alpha, and 65535 is the white of uint16.
        ending: of the file's name, in small letters or large.
        lossless: whether the samples are those of the original, so that what is still changed is told.
        info: what goes beside the samples: "icc_profile", "exif" and "xmp"; the image's own unless given.
    Returns:
        The bytes of the file, and notes, one line for each thing that the file does not hold.
    Raises:
        ValueError: no such format, or one that does not hold colours, alpha, 16 bits or this size; the
            message is one line and names endings that do.
    """
    format = _format_of(ending)
    if isinstance(image, np.ndarray) and image.dtype == np.uint16 and image.ndim == 3:
        return _sixteen_bit_colours(image, format, ending, info or {})
    image = _as_picture(image)
    if image.mode == "I;16":
        if format not in SIXTEEN_BITS:
            raise ValueError(f"ending: {ending} is not written with 16 bits; {HOLD_ALL} are")
        carrier = image.copy()
    else:
        carrier = image.convert(_carrier(image.mode, format, ending))
    carrier.info = {}  # writers would take from it what is left out here
    metadata, notes = _fitting(image.info if info is None else info, carrier.mode)
    data, opened = _save(carrier, format, ending, CLOSEST.get(format, {}), metadata)
    change = _largest_change(image, opened) if lossless or format == "GIF" else 0
    if change:
        why = " keeps 256 colours and" if format == "GIF" else ""
        notes.append(f"the ending {ending}{why} changes samples by up to {change}")
    lost = [key for key, value in metadata.items() if not _is_in(key, value, opened)]
    return data, (*notes, *_lost(lost, ending))


def _format_of(ending: str) -> str:
    Image.init()
    ending = ending.lower()
    format = None if ending in OTHER_SAMPLES else Image.registered_extensions().get(ending)
    if format in PAGES or format not in Image.SAVE or not (_holds(format, "RGB") or _holds(format, "L")):
        raise ValueError(f"ending: {ending!r} is none that can be written; .png, .tif, .webp, .jpg are")
    return format


def _as_picture(image: Image.Image | np.ndarray) -> Image.Image:
    if isinstance(image, np.ndarray):
        shapes = {np.dtype(np.uint8): ((), (2,), (3,), (4,)), np.dtype(np.uint16): ((),)}
        if image.ndim < 2 or 0 in image.shape or image.shape[2:] not in shapes.get(image.dtype, ()):
            raise ValueError(f"image: {image.dtype} array {image.shape}; {ALLOWED}")
        image = Image.fromarray(image)
    if image.mode not in (*CARRIERS, "I;16"):
        raise ValueError(f"image: mode {image.mode}; allowed are {', '.join(CARRIERS)} and I;16")
    if image.mode in ("L", "RGB") and "transparency" in image.info:  # alpha by another name
        image = image.convert("RGBA")
    return image


def _carrier(mode: str, format: str, ending: str) -> str:
    """The mode in which a format holds pictures of this mode."""
    for carrier in CARRIERS[mode]:
        if _holds(format, carrier) and (carrier == "L" or ending.lower() not in GREY):
            return carrier
    part = "alpha" if "A" in mode else "colours"
    raise ValueError(f"ending: {ending} does not hold {part}; {HOLD_ALL} do")


@cache
def _holds(format: str, mode: str) -> bool:
    """Whether a small picture of this mode, written and opened again, has its size and its alpha."""
    ramp = Image.linear_gradient("L").resize((21, 33))
    picture = Image.merge(mode, [ramp] * len(mode))
    try:
        _, opened = _write(picture, format, {})
    except Exception:  # each writer and each reader has its own
        return False
    return "A" not in mode or opened.convert("RGBA").getchannel("A").getextrema() != (255, 255)


def _fitting(info: dict, mode: str) -> tuple[dict[str, bytes], list[str]]:
    """What of it is metadata of a picture of this mode, and a note on a profile that is not."""
    metadata = {key: info[key] for key in METADATA if info.get(key)}
    if "icc_profile" in metadata and not _suits(metadata["icc_profile"], mode):
        del metadata["icc_profile"]
        return metadata, [f"the colour profile is not one of {mode} pictures and was left out"]
    return metadata, []


def _save(
    picture: Image.Image, format: str, ending: str, options: dict, metadata: dict
) -> tuple[bytes, Image.Image]:
    """`_write` with as much of the metadata as the writer takes; the profile is the last to be left out."""
    failure = None
    for count in range(len(metadata) + 1):
        for left_out in combinations(reversed(metadata), count):
            taken = {key: value for key, value in metadata.items() if key not in left_out}
            try:
                return _write(picture, format, options | _as_options(taken, format))
            except MemoryError:
                raise
            except Exception as error:  # each writer has its own
                failure = error
    reason = " ".join(str(failure).split()) or type(failure).__name__
    raise ValueError(f"ending: {ending} cannot hold this picture ({reason}); {HOLD_ALL} can") from failure


def _write(picture: Image.Image, format: str, options: dict) -> tuple[bytes, Image.Image]:
    """The bytes of a picture file, and what is found in them; ValueError unless that has the same size."""
    file = io.BytesIO()
    picture.save(file, format, **options)
    with own_limits():  # it is our own picture
        opened = Image.open(io.BytesIO(file.getvalue()))
        opened.load()
    if opened.size != picture.size:
        raise ValueError("it is held in another size")
    return file.getvalue(), opened


def _as_options(metadata: dict, format: str) -> dict:
    """The metadata as the format's writer takes it."""
    options: dict[str, Any] = dict(metadata)
    if "exif" in metadata:
        stored = metadata["exif"].removeprefix(exif.HEAD)
        options["exif"] = exif.HEAD + stored  # without its head, a JPEG's would not be found
    if "xmp" in metadata and format == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", metadata["xmp"].decode())
    if "xmp" in metadata and format == "TIFF":
        options["exif"] = exif.read(metadata.get("exif", b""))
        options["exif"][XMP_TAG] = metadata["xmp"]
    return options


def _suits(profile: bytes, mode: str) -> bool:
    """Whether the colour space that a profile's header names is that of the mode."""
    return profile[16:20] == (b"RGB " if mode.startswith("RGB") else b"GRAY")


def _lost(keys: Collection[str], ending: str) -> list[str]:
    """A note on each kind of metadata that a file does not have."""
    return [
        f"the ending {ending} does not hold the {name}" for key, name in METADATA.items() if key in keys
    ]


def _is_in(key: str, value: bytes, opened: Image.Image) -> bool:
    """Whether a file that was opened again has what was to be written beside the samples."""
    if key != "exif":
        return opened.info.get(key) == value
    if opened.format != "TIFF":
        return key in opened.info
    try:
        return set(exif.read(value)) <= set(opened.getexif())  # a TIFF file has these tags among its own
    except SyntaxError:
        return False


def _largest_change(picture: Image.Image, opened: Image.Image) -> int:
    if picture.mode != "I;16":
        mode = "RGBA" if "A" in picture.mode else "RGB"
        picture, opened = picture.convert(mode), opened.convert(mode)
    return int(np.abs(np.asarray(picture, dtype=np.int32) - np.asarray(opened, dtype=np.int32)).max())


def _sixteen_bit_colours(
    samples: np.ndarray, format: str, ending: str, info: dict[str, bytes]
) -> tuple[bytes, tuple[str, ...]]:
    """A PNG or TIFF file of uint16 (H, W, 2 to 4), and notes on what it does not hold."""
    if format not in SIXTEEN_BITS:
        raise ValueError(f"ending: {ending} is not written with 16 bits; {HOLD_ALL} are")
    if samples.shape[2] not in (2, 3, 4) or 0 in samples.shape:
        raise ValueError(f"image: uint16 array {samples.shape}; {ALLOWED}")
    metadata, notes = _fitting(info, "RGB" if samples.shape[2] > 2 else "L")
    data, written = deep_files.write(samples, format, ending, metadata)
    return data, (*notes, *_lost(metadata.keys() - written, ending))
