import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib import container
from codec_lib.container import Header, inspect, read, write
from codec_lib.errors import BitstreamError

HEADER = Header("hyperprior", "0123456789abcdef", "fedcba9876543210", 37, 53, "RGB", 4.5)
SECTIONS = {"z": b"side information", "y": bytes(range(200))}
FILE = write(HEADER, SECTIONS)
BODY = sum(map(len, SECTIONS.values()))

headers = st.builds(
    Header,
    model=st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=40),
    weights=st.binary(min_size=8, max_size=8).map(bytes.hex),
    probabilities=st.binary(min_size=8, max_size=8).map(bytes.hex),
    width=st.integers(1, 8000),
    height=st.integers(1, 8000),
    mode=st.sampled_from(container.MODES),
    quality=st.floats(1, 8),
)
sections = st.dictionaries(st.sampled_from(container.KINDS), st.binary(max_size=300))


def forged(offset: int, value: bytes) -> bytes:
    """The file with header bytes replaced and the header's checksum made right again."""
    head = FILE[: len(FILE) - BODY - 4]
    head = head[:offset] + value + head[offset + len(value) :]
    return head + struct.pack("<I", zlib.crc32(head)) + FILE[len(FILE) - BODY :]


@given(headers, sections)
def test_what_was_written_is_read(header, parts):
    assert read(write(header, parts)) == (header, parts)


def test_the_layout_is_pinned_byte_by_byte():
    header = Header("ab", "00112233445566aa", "bb" * 8, 3, 2, "L", 1.5)
    head = bytes.fromhex(
        "89434c43 02 00 03000000 02000000 8001 00112233445566aa bbbbbbbbbbbbbbbb 02 6162 01"
    )
    head += b"\x00" + struct.pack("<II", 1, zlib.crc32(b"!"))
    assert write(header, {"y": b"!"}) == head + struct.pack("<I", zlib.crc32(head)) + b"!"


@pytest.mark.parametrize("position", range(len(FILE)))
@pytest.mark.parametrize("bit", [0, 7])
def test_any_flipped_bit_is_noticed(position, bit):
    damaged = bytearray(FILE)
    damaged[position] ^= 1 << bit
    with pytest.raises(BitstreamError):
        read(bytes(damaged))


@pytest.mark.parametrize("length", range(len(FILE)))
def test_any_truncation_is_noticed(length):
    with pytest.raises(BitstreamError):
        read(FILE[:length])


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    for start in (b"", container.MAGIC, FILE[:38]):
        with pytest.raises(BitstreamError):
            read(start + data)


def test_bytes_after_the_end_are_refused():
    with pytest.raises(BitstreamError, match="1 bytes after the last section"):
        read(FILE + b"\0")


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, b"\x03", "version: 3"),
        (5, b"\x09", "mode: 9"),
        (6, struct.pack("<II", 60000, 60000), "size: 60000 x 60000; allowed are 1 to 67108864 pixels"),
        (6, struct.pack("<II", 0, 5), "size: 0 x 5"),
        (6, struct.pack("<II", 2**32 - 1, 2**32 - 1), "size: 4294967295 x 4294967295"),
        (14, struct.pack("<H", 255), "quality: 0.99"),
        (14, struct.pack("<H", 2049), "quality: 8.00"),
        (33, b"\xff", "model: b'\\\\xffyperprior'"),
        (44, b"\x07", "sections: kinds"),
        (44, b"\x00", "sections: kinds"),  # the same kind twice
        (45, struct.pack("<I", 2**32 - 1), "section z: 216 bytes left of 4294967295; truncated"),
    ],
)
def test_a_forged_header_is_refused_by_name_value_and_range(offset, value, message):
    with pytest.raises(BitstreamError, match=message) as caught:
        read(forged(offset, value))
    assert "\n" not in str(caught.value)


def test_the_limit_on_pixels_is_the_callers():
    read(FILE, max_pixels=37 * 53)
    with pytest.raises(BitstreamError, match="37 x 53"):
        read(FILE, max_pixels=37 * 53 - 1)


def test_inspect_names_the_damaged_section_and_prints_every_field():
    damaged = bytearray(FILE)
    damaged[-1] ^= 1
    found = inspect(bytes(damaged))
    assert [(s.kind, s.state) for s in found.sections] == [("z", "ok"), ("y", "damaged")]
    for value in (
        "hyperprior",
        "0123456789abcdef",
        "fedcba9876543210",
        "37",
        "53",
        "RGB",
        "4.5",
        f"{len(FILE)} bytes",
    ):
        assert value in str(found)


def test_inspect_names_the_truncated_section():
    assert [s.state for s in inspect(FILE[:-1]).sections] == ["ok", "truncated"]
    assert inspect(FILE + b"xy").surplus == 2


def test_a_header_cannot_be_made_for_a_picture_that_would_be_refused():
    with pytest.raises(BitstreamError, match="size"):
        Header("hyperprior", "00" * 8, "00" * 8, 0, 1, "RGB", 4.0)
