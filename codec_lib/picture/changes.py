"""What else Pillow changes while it opens a file, and does not say.

Pillow gives 8 bits of grey or colour for nearly everything. Here each kind of file is asked whether
that is what it holds. What was changed gets a line; exact coding refuses it. What would come out as
noise, such as signed samples read as unsigned ones, is refused altogether.
"""

import re

from PIL import Image

from codec_lib.picture import colour_info, png, tiff
from codec_lib.picture.colour_info import CODESTREAM

YCC = 18  # the colour space of a JPEG 2000 that Pillow turns into RGB
SPACES, SPACES_OF = (16, 17), {"CMYK": (12,), "1": (0, 15)}  # sRGB and grey; those with a mode of their own
FLOATS, SIGNED = ("BC6H", "BC6HS"), ("BC5S",)  # pixel formats of DDS
PSD_KINDS = {7: "multichannel", 8: "duotone"}  # colour modes of PSD that Pillow opens as grey


def check(image: Image.Image, data: bytes) -> tuple[str, ...]:
    """What Pillow's image does not have as the file has it, each a line for a note.

    Args:
        image: a file, opened.
        data: the file, as far as it is at hand.
    Raises:
        ValueError: samples that Pillow misreads, or that are missing.
    """
    match image.format:
        case "TIFF":
            return tiff.check(image, data)
        case "PNG":
            png.check(data)
        case "ICO" | "ICNS":
            for start in png.embedded(data):
                png.check(data, start)
            return _jpeg2000(image, data)
        case "JPEG2000":
            return _jpeg2000(image, data)
        case "PCX":
            _refuse_pcx(data)
        case "FITS":
            _refuse_fits(image, data)
        case "DDS":
            return _dds(image)
        case "PSD":
            return _psd(image, data)
    return ()


def jpeg2000_components(data: bytes) -> list[tuple[int, int, int]]:
    """Of each component: its depth less one, with a bit for a sign, and its steps across and down."""
    components = []  # as in the SIZ segments
    for match in re.finditer(re.escape(CODESTREAM), data):
        start = match.start() + 42
        length, count = (int.from_bytes(data[at : at + 2], "big") for at in (start - 38, start - 2))
        found = data[start : start + 3 * count] if length == 38 + 3 * count else b""
        components += zip(found[::3], found[1::3], found[2::3], strict=False)
    return components


def _jpeg2000(image: Image.Image, data: bytes) -> tuple[str, ...]:
    components, changes = jpeg2000_components(data), []
    if any(depth & 128 for depth, _, _ in components):
        changes.append("signed samples became unsigned")
    if any((across, down) != (1, 1) for _, across, down in components):
        changes.append("components of a lower resolution were enlarged")
    kind, payload = colour_info.jpeg2000_colour(data)
    space = int.from_bytes(payload[:4], "big")
    if kind == colour_info.ENUMERATED and space not in (*SPACES, *SPACES_OF.get(image.mode, ())):
        changes.append("YCbCr became RGB" if space == YCC else f"colour space {space} was taken for sRGB")
    return tuple(changes)


def _refuse_pcx(data: bytes) -> None:
    """ValueError for a PCX of 256 colours that are not where they belong, as after a cut."""
    is_indexed = data[1:2] == b"\5" and data[3:4] == b"\x08" and data[65:66] == b"\1"
    if is_indexed and data[-769:-768] != b"\x0c":
        raise ValueError("a PCX without its palette")


def _refuse_fits(image: Image.Image, data: bytes) -> None:
    """ValueError for signed samples of 16 bits, and for those with a scale or zero of their own."""
    if image.mode.startswith("I;16"):
        raise ValueError("FITS samples of 16 bits, which have a sign; allowed are 8 bits")
    for card in re.finditer(rb"(BZERO|BSCALE) *= *([^ /]+)", data[: data.find(b"END     ") + 1]):
        usual = {b"BZERO": 0.0, b"BSCALE": 1.0}[card[1]]
        if float(card[2].replace(b"D", b"E")) != usual:
            raise ValueError(
                f"FITS samples with {card[1].decode()} {card[2].decode()}; allowed is {usual:g}"
            )


def _dds(image: Image.Image) -> tuple[str, ...]:
    form = getattr(image, "pixel_format", "")
    if form in FLOATS:
        return (f"floats of {form} became 8 bits",)
    if form in SIGNED:
        return (f"signed samples of {form} became unsigned",)
    return ()


def _psd(image: Image.Image, data: bytes) -> tuple[str, ...]:
    channels, bands = int.from_bytes(data[12:14], "big"), len(image.getbands())
    changes = []
    if kind := PSD_KINDS.get(int.from_bytes(data[24:26], "big")):
        changes.append(f"{kind} became grey")
    if channels > bands:
        changes.append(f"{channels - bands} of {channels} channels left out")
    return tuple(changes)
