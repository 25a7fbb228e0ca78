"""A PNG has all of its rows, and what it says about its colours is not lost without a word."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from codec_lib import picture
from codec_lib.picture import png
from tests.png_chunks import chunk

BITS = [
    (0, 1),
    (0, 2),
    (0, 4),
    (0, 8),
    (0, 16),
    (2, 8),
    (2, 16),
    (3, 1),
    (3, 8),
    (4, 8),
    (4, 16),
    (6, 8),
    (6, 16),
]


def file_of(
    stream: bytes, size: tuple[int, int], colour: int, bits: int, interlaced: int = 0, more=b""
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, interlaced))
    palette = chunk(b"PLTE", bytes(768)[: 3 << bits]) if colour == 3 else b""
    half = len(stream) // 2
    pixels = chunk(b"IDAT", stream[:half]) + chunk(b"IDAT", stream[half:])
    return png.SIGNATURE + head + more + palette + pixels + chunk(b"IEND", b"")


def length(size: tuple[int, int], colour: int, bits: int, interlaced: int) -> int:
    """Bytes of the rows, counted pixel by pixel."""
    first = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    rows: dict = {}
    for y in range(size[1]):
        for x in range(size[0]):
            row = (first[y % 8][x % 8] if interlaced else "", y)
            rows[row] = rows.get(row, 0) + bits * png.CHANNELS[colour]
    return sum(1 + -(-row // 8) for row in rows.values())


@pytest.mark.parametrize("interlaced", [0, 1])
@pytest.mark.parametrize(("colour", "bits"), BITS)
@pytest.mark.parametrize("size", [(1, 1), (13, 1), (1, 13), (9, 7)])
def test_a_byte_less_than_all_rows_is_refused(size, colour, bits, interlaced):
    whole = length(size, colour, bits, interlaced)
    for found in (whole, whole + 9):  # what follows the rows means nothing
        data = file_of(zlib.compress(bytes(found)), size, colour, bits, interlaced)
        assert picture.take(data, exact=True).size == size
    data = file_of(zlib.compress(bytes(whole - 1)), size, colour, bits, interlaced)
    for source in (data, Image.open(io.BytesIO(data))):
        with pytest.raises(ValueError, match=rf"\({whole - 1} bytes of pixels; its rows take {whole}\)$"):
            picture.take(source)


def test_an_icon_whose_png_lacks_rows_is_refused():
    inside = file_of(zlib.compress(bytes(65)), (16, 16), 6, 8)
    data = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inside), 22) + inside
    with pytest.raises(ValueError, match="65 bytes of pixels; its rows take 1040"):
        picture.take(data)


def test_a_palette_is_not_made_up():
    data = file_of(zlib.compress(bytes(2)), (1, 1), 3, 8)
    with pytest.raises(ValueError, match="a PNG without its palette"):
        picture.take(data.replace(chunk(b"PLTE", bytes(768)), b""))


@given(st.integers(0, 3 << 20), st.integers(1, 5), st.binary(max_size=3))
def test_a_stream_is_counted_to_its_last_byte(size, pieces, behind):
    stream = zlib.compress(bytes(size), 1) + behind
    cut = -(-len(stream) // pieces)
    parts = [stream[start : start + cut] for start in range(0, len(stream), cut)]
    assert png.count(parts, size) == (size, not behind)
    if size:
        assert png.count(parts, size - 1)[1] is False
        assert png.count([stream[: -5 - len(behind)]], size)[1] is False


def test_a_bomb_is_not_unpacked_beyond_what_is_asked_for():
    bomb = zlib.compress(bytes(100 << 20))
    assert png.count([bomb], 1000)[0] <= png.STEP


def test_each_embedded_png_is_found_once():
    inside = file_of(zlib.compress(bytes(2)), (1, 1), 0, 8)
    hidden = file_of(zlib.compress(bytes(2)), (1, 1), 0, 8, more=chunk(b"prIV", inside))
    assert list(png.embedded(b"before" + inside + b"between" + hidden)) == [6, 13 + len(inside)]


SRGB = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
PRIMARIES = "chromaticity: primaries that are not those of sRGB, and no profile; left out"


@pytest.mark.parametrize(
    ("chunks", "notes"),
    [
        (chunk(b"cHRM", SRGB), ()),
        (chunk(b"cHRM", P3), (PRIMARIES,)),
        (chunk(b"cHRM", P3) + chunk(b"sRGB", b"\0"), ()),
        (chunk(b"cICP", bytes([1, 13, 0, 1])), ()),
        (chunk(b"cICP", bytes([9, 16, 0, 1])), ("cICP: 9 16 0 1, which is not sRGB; left out",)),
        (chunk(b"cICP", bytes([1, 13, 0, 0])), ("cICP: 1 13 0 0, which is not sRGB; left out",)),
    ],
)
def test_what_its_colours_mean_is_noted(chunks, notes):
    data = file_of(zlib.compress(bytes(4)), (1, 1), 2, 8, more=chunks)
    for source in (data, Image.open(io.BytesIO(data))):
        assert picture.take(source, exact=True).notes == notes
        assert picture.take(data, keep=()).notes == ()


BAD_EXIF = [
    chunk(b"eXIf", b"garbage"),
    chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n      8\n4949")),
    chunk(b"tEXt", b"Raw profile type exif\0\nexif\n   4\nno hex"),
]


@pytest.mark.parametrize("exif", BAD_EXIF)
@pytest.mark.parametrize("bits", [8, 16])
def test_bad_exif_is_left_out_with_a_note(exif, bits):
    rows = b"\0" + np.arange(3, dtype=f">u{bits // 8}").tobytes()
    data = file_of(zlib.compress(rows), (1, 1), 2, bits, more=exif)
    sources = [data] if bits == 16 else [data, Image.open(io.BytesIO(data))]
    for source in sources:
        parts = picture.take(source, exact=True, keep=picture.OPTIONAL)
        assert parts.notes == ("EXIF cannot be read; left out",)
        assert parts.samples().tolist() == [[[0, 1, 2]]]
        assert parts.sections.keys() <= {"low"}


@pytest.mark.parametrize(("bits", "key", "found"), [(2, 1, [85, 170, 255, 0]), (4, 6, [102, 204])])
def test_a_transparent_grey_of_few_bits_is_alpha(bits, key, found):
    row = zlib.compress(b"\0\x6c")  # 1 2 3 0, or 6 12
    data = file_of(row, (8 // bits, 1), 0, bits, more=chunk(b"tRNS", struct.pack(">H", key)))
    for source in (data, Image.open(io.BytesIO(data))):
        samples = picture.take(source, exact=True).samples()
        assert samples[..., 0].tolist() == [found]
        assert samples[..., 1].tolist() == [[0] + [255] * (len(found) - 1)]


@pytest.mark.parametrize("count", [256, 257, 300])
def test_more_alpha_than_a_palette_may_have_is_of_no_pixel(count):
    alpha = bytes(k % 251 for k in range(count))
    stream = zlib.compress(bytes([0, 0, 7, 250, 255]))
    data = file_of(stream, (4, 1), 3, 8, more=chunk(b"tRNS", alpha))
    assert picture.take(data, exact=True).samples()[0, :, 3].tolist() == [0, 7, 250, 4]
