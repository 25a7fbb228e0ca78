"""Files that Pillow opens as 8 bits of grey or colour, whatever they hold."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, features

from codec_lib import picture
from codec_lib.picture import metadata
from tests import icc
from tests.picture.test_depth import DEEP, deep_png, flat, png

EIGHT = {mode: (samples >> 8).astype(np.uint8) for mode, samples in DEEP.items()}
HEIGHT, WIDTH = 19, 23


def changed(data: bytes, note: str) -> None:
    """Noted, and refused by exact coding, as a file and as an image that Pillow has not loaded yet."""
    assert note in picture.take(data).notes
    assert note in picture.take(Image.open(io.BytesIO(data))).notes
    for source in (data, Image.open(io.BytesIO(data))):
        with pytest.raises(
            ValueError, match=f"^image: {note.removesuffix(' became 8')}; exact coding takes"
        ):
            picture.take(source, exact=True)


def sgi(samples: np.ndarray) -> bytes:
    height, width, count = samples.shape
    head = struct.pack(">hBBHHHHii", 474, 0, 2, 3 if count > 1 else 2, width, height, count, 0, 65535)
    return head.ljust(512, b"\0") + samples[::-1].transpose(2, 0, 1).astype(">u2").tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_sgi_of_sixteen_bits_is_kept(mode):
    data = sgi(DEEP[mode])
    assert np.array_equal(picture.take(data, exact=True).samples(), flat(DEEP[mode]))
    assert np.array_equal(picture.take(data).samples(), np.rint(flat(DEEP[mode]) / 257))
    with pytest.raises(ValueError, match=r"^image: 16 bits a sample; exact coding"):
        picture.take(Image.open(io.BytesIO(data)), exact=True)
    with pytest.raises(ValueError, match="bytes cannot be read"):
        picture.take(data[:-1], exact=True)


def icon(inside: bytes, kind: str) -> bytes:
    if kind == "ICNS":
        return b"icns" + struct.pack(">I4sI", 16 + len(inside), b"ic07", 8 + len(inside)) + inside
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, WIDTH, HEIGHT, 0, 0, 1, 32, len(inside), 22) + inside


@pytest.mark.parametrize("kind", ["ICO", "ICNS"])
def test_an_icon_of_sixteen_bits_is_noted(kind):
    square = png(np.zeros((128, 128, 4), ">u2"), (128, 128), "RGBA")  # the size of ic07
    inside = square if kind == "ICNS" else deep_png("RGBA")
    changed(icon(inside, kind), "16 bits a sample became 8")


@pytest.mark.parametrize("kind", ["ICO", "ICNS"])
def test_an_icon_of_eight_bits_is_kept(kind):
    buffer = io.BytesIO()
    square = Image.fromarray(EIGHT["RGBA"]).resize((32, 32))
    square.save(buffer, kind, **({"sizes": [(32, 32)]} if kind == "ICO" else {}))
    notes = picture.take(buffer.getvalue(), exact=True).notes
    assert [note for note in notes if not note.endswith("pictures; the others are left out")] == []


def psd(colour: int, channels: int) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, HEIGHT, WIDTH, 8, colour) + bytes(14)
    return head + EIGHT["RGBA"][..., :channels].transpose(2, 0, 1).tobytes()


@pytest.mark.parametrize(("colour", "channels"), [(1, 1), (3, 3), (3, 4)])
def test_a_psd_with_the_channels_of_its_mode_is_kept(colour, channels):
    found = picture.take(psd(colour, channels), exact=True).samples()
    assert np.array_equal(found, flat(EIGHT["RGBA"][..., :channels]))


@pytest.mark.parametrize(
    ("colour", "channels", "note"),
    [
        (1, 2, "1 of 2 channels left out"), (1, 3, "2 of 3 channels left out"),
        (7, 3, "multichannel became grey"), (8, 1, "duotone became grey"),
    ],
)  # fmt: skip
def test_a_psd_with_more_than_its_mode_is_noted(colour, channels, note):
    changed(psd(colour, channels), note)


def dds(form: int, size: int = 16) -> bytes:
    head = struct.pack("<7I44x", 124, 0x81007, 4, 4, size, 0, 1)
    pixels = struct.pack("<2I4s5I", 32, 4, b"DX10", 0, 0, 0, 0, 0) + struct.pack("<5I", 0x1000, 0, 0, 0, 0)
    return b"DDS " + head + pixels + struct.pack("<5I", form, 3, 0, 1, 0) + bytes(size)


@pytest.mark.parametrize(
    ("form", "note"),
    [
        (95, "floats of BC6H became 8 bits"), (96, "floats of BC6HS became 8 bits"),
        (84, "signed samples of BC5S became unsigned"),
    ],
)  # fmt: skip
def test_dds_of_floats_and_of_signed_samples_is_noted(form, note):
    changed(dds(form), note)


@pytest.mark.parametrize("form", [83, 98])
def test_dds_of_eight_bits_is_taken(form):
    assert picture.take(dds(form), exact=True).notes == ()


def test_dds_of_ten_bits_is_noted():
    pixels = struct.pack("<2I4s5I", 32, 0x40, bytes(4), 32, 0x3FF00000, 0xFFC00, 0x3FF, 0)
    head = struct.pack("<7I44x", 124, 0x81007, 4, 4, 16, 0, 1) + pixels
    changed(b"DDS " + head.ljust(124, b"\0") + bytes(64), "10 bits a sample became 8")


def fits(bits: int, samples: np.ndarray, *cards: str) -> bytes:
    numbers = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": WIDTH, "NAXIS2": HEIGHT}
    lines = [f"{name:8}= {value:>20}" for name, value in numbers.items()] + [*cards, "END"]
    head = "".join(line.ljust(80) for line in lines).encode()
    data = samples[::-1].tobytes()
    return head.ljust(-(-len(head) // 2880) * 2880) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


def test_fits_of_eight_bits_is_kept():
    plain = fits(8, EIGHT["L"], f"BZERO   = {0.0:>20}", f"BSCALE  = {1.0:>20}")
    assert np.array_equal(picture.take(plain, exact=True).samples(), flat(EIGHT["L"]))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "data",
    [
        fits(16, DEEP["L"].astype(">i2")),
        fits(16, DEEP["L"].astype(">i2"), f"BZERO   = {32768.0:>20}"),
        fits(8, EIGHT["L"], f"BZERO   = {-128:>20} / signed"),
        fits(8, EIGHT["L"], f"BSCALE  = {'2.0D0':>20}"),
    ],
)
def test_fits_with_a_sign_or_a_scale_is_refused(data, exact):
    for source in (data, Image.open(io.BytesIO(data))):
        with pytest.raises(ValueError, match=r"^image: .*FITS samples .*; allowed (is|are) "):
            picture.take(source, exact=exact)


@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_signed_jpeg_2000_is_noted(kind):
    imagecodecs = pytest.importorskip("imagecodecs")
    data = imagecodecs.jpeg2k_encode(flat(DEEP["L"]).astype(kind), level=0, reversible=True)
    changed(data, "signed samples became unsigned")


def test_jpeg_2000_of_ten_bits_is_noted_before_pillow_loads_it():
    imagecodecs = pytest.importorskip("imagecodecs")
    data = imagecodecs.jpeg2k_encode(DEEP["RGB"] >> 6, bitspersample=10, level=0, reversible=True)
    changed(data, "10 bits a sample became 8")


def test_jpeg_2000_that_says_ycbcr_is_noted():
    buffer = io.BytesIO()
    Image.fromarray(EIGHT["RGB"]).save(buffer, "JPEG2000")
    data = buffer.getvalue()
    place = data.index(b"colr\1") + 7
    assert picture.take(data, exact=True).notes == ()
    changed(data[:place] + struct.pack(">I", 18) + data[place + 4 :], "YCbCr became RGB")


def with_colour_box(payload: bytes) -> bytes:
    """A JPEG 2000 whose colr box has this payload instead of "sRGB"."""
    buffer = io.BytesIO()
    Image.fromarray(EIGHT["RGB"]).save(buffer, "JPEG2000")
    data = bytearray(buffer.getvalue())
    box, header = data.index(b"colr") - 4, data.index(b"jp2h") - 4
    more = len(payload) - (int.from_bytes(data[box : box + 4], "big") - 8)
    size = int.from_bytes(data[header : header + 4], "big") + more
    data[header : header + 4] = struct.pack(">I", size)
    data[box : box + 8 + len(payload) - more] = struct.pack(">I4s", 8 + len(payload), b"colr") + payload
    return bytes(data)


@pytest.mark.parametrize("space", [14, 20])
def test_jpeg_2000_of_another_colour_space_is_noted(space):
    changed(
        with_colour_box(struct.pack(">BBBI", 1, 0, 0, space)), f"colour space {space} was taken for sRGB"
    )


@pytest.mark.parametrize("kind", [2, 3])
def test_the_profile_of_a_jpeg_2000_is_kept(kind):
    profile = icc.matrix(icc.P3_PRIMARIES)
    data = with_colour_box(struct.pack(">BBB", kind, 0, 0) + profile)
    for source in (data, Image.open(io.BytesIO(data))):
        parts = picture.take(source, exact=True)
        assert parts.notes == ()
        assert metadata.unpack("icc", parts.sections["icc"], "RGB") == profile


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
@pytest.mark.parametrize(
    ("points", "notes"),
    [
        ((9, 16, 9), ("cICP: 9 16 9 1, which is not sRGB; left out",)),
        ((12, 13, 6), ("cICP: 12 13 6 1, which is not sRGB; left out",)),
        ((1, 13, 6), ()),
        ((2, 2, 6), ()),
    ],
)
def test_the_code_points_of_an_avif_are_noted(points, notes):
    buffer = io.BytesIO()
    Image.fromarray(EIGHT["RGB"]).save(buffer, "AVIF")
    data = buffer.getvalue()
    place = data.index(b"colrnclx") + 8
    data = data[:place] + struct.pack(">HHHB", *points, 128) + data[place + 7 :]
    assert picture.take(data).notes == notes
    assert picture.take(data, keep=()).notes == ()


def test_the_primaries_of_a_tiff_are_noted():
    white, srgb = (0.3127, 0.329), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    adobe = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    note = "chromaticity: primaries that are not those of sRGB, and no profile; left out"
    for tags, notes in (
        ({318: white, 319: srgb}, ()), ({318: white}, ()), ({319: adobe}, (note,)),
        ({318: white, 319: adobe}, (note,)), ({318: (0.3457, 0.3585)}, (note,)),
    ):  # fmt: skip
        buffer = io.BytesIO()
        Image.fromarray(EIGHT["RGB"]).save(buffer, "TIFF", tiffinfo=tags)
        for source in (buffer.getvalue(), Image.open(buffer)):
            assert picture.take(source, exact=True).notes == notes


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.parametrize("exact", [False, True])
def test_a_pcx_without_its_last_byte_is_refused(mode, exact):
    buffer = io.BytesIO()
    Image.fromarray(EIGHT["RGB"]).convert(mode).save(buffer, "PCX")
    data = buffer.getvalue()
    assert picture.take(data, exact=exact).notes == ()
    for source in (data[:-1], Image.open(io.BytesIO(data[:-1]))):
        with pytest.raises(ValueError, match="a PCX without its palette"):
            picture.take(source, exact=exact)
