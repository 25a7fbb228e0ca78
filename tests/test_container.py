import re
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
        (6, struct.pack("<II", 60000, 60000), "size: 60000 x 60000; allowed are .* 1 to 134217728 pixels"),
        (6, struct.pack("<II", 0, 5), "size: 0 x 5"),
        (6, struct.pack("<II", 2**32 - 1, 2**32 - 1), "size: 4294967295 x 4294967295"),
        (6, struct.pack("<II", 65537, 1), "size: 65537 x 1; allowed are sides to 65536"),
        (14, struct.pack("<H", 255), "quality: 0.99"),
        (14, struct.pack("<H", 2049), "quality: 8.00"),
        (33, b"\xff", "model: b'\\\\xffyperprior'"),
        (43, b"\x05", "sections: 5; allowed are 0 to 4"),
        (43, b"\xff", "sections: 255; allowed are 0 to 4"),
        (44, b"\x07", "sections: kinds 7, y; allowed are y, z, alpha, r, each at most once"),
        (44, b"\x00", "sections: kinds y, y; allowed are y, z, alpha, r, each at most once"),
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


@pytest.mark.parametrize("limit", [0, -1, container.MAX_PIXELS + 1, None, "5", 1e6])
def test_a_limit_out_of_range_is_refused(limit):
    with pytest.raises(ValueError, match="max_pixels"):
        read(FILE, max_pixels=limit)


@pytest.mark.parametrize("function", [read, inspect])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_whatever_acts_like_bytes_is_read(function, kind):
    assert function(kind(FILE)) == function(FILE)


@pytest.mark.parametrize("function", [read, inspect])
@pytest.mark.parametrize("thing", [None, "text", 5, 10**15, ["a"], object()])
def test_what_is_no_bytes_is_refused_by_its_type(function, thing):
    with pytest.raises(TypeError, match=f"data: {type(thing).__name__}; allowed are bytes"):
        function(thing)


@given(headers, sections)
def test_inspect_finds_nothing_wrong_with_what_was_written(header, parts):
    found = inspect(write(header, parts))
    assert (found.header, found.problems) == (header, ())
    assert [(s.kind, s.length, s.state) for s in found.sections] == [
        (kind, len(payload), "ok") for kind, payload in parts.items()
    ]


def test_inspect_names_the_damaged_section_and_prints_every_field():
    damaged = FILE[:-1] + b"!"
    found = inspect(damaged)
    assert found.header == HEADER
    assert [(s.kind, s.state) for s in found.sections] == [("z", "ok"), ("y", "damaged")]
    assert [problem[:21] for problem in found.problems] == ["section y: CRC-32 is "]
    for line in (
        "magic         89 43 4c 43", "version       2", "mode          RGB", "width         37",
        "height        53", "quality       4.5", "weights       0123456789abcdef",
        "probabilities fedcba9876543210", "model         hyperprior", "sections      2",
        f"size          {len(FILE)} bytes", f"problem       {found.problems[0]}",
    ):  # fmt: skip
        assert line in str(found).splitlines()


def test_inspect_reports_every_failed_check_and_not_only_the_first():
    damaged = bytearray(FILE[:-1])
    damaged[:6] = b"what?\x09"
    damaged[14:16] = b"\xff\xff"
    damaged[len(FILE) - BODY] ^= 1
    names = [problem.split(":")[0] for problem in inspect(damaged).problems]
    assert names == ["magic", "version", "header", "mode", "quality", "section z", "section y"]


@pytest.mark.parametrize(
    ("length", "states"),
    [(1, ["ok", "truncated"]), (200, ["ok", "missing"]), (214, ["truncated", "missing"])],
)
def test_inspect_tells_truncated_from_missing_sections(length, states):
    found = inspect(FILE[:-length])
    assert [s.state for s in found.sections] == states
    assert found.header == HEADER
    assert found.problems[-1].endswith(states[-1])


def test_inspect_counts_the_bytes_after_the_end():
    assert inspect(FILE + b"xy").problems == ("file: 2 bytes after the last section; none allowed",)


def test_inspect_reads_a_truncated_header_as_far_as_it_goes():
    for length in range(len(FILE) - BODY):
        found = inspect(FILE[:length])
        assert found.header is None
        assert found.problems[-1] == f"header: ends after {length} bytes; truncated" or length == 0
        assert found.fields == dict(list(inspect(FILE).fields.items())[: len(found.fields)])
        assert str(found)
    assert inspect(FILE[:14]).fields.keys() == {"magic", "version", "mode", "width", "height"}
    assert [s.kind for s in inspect(FILE[:53]).sections] == ["z"]


def test_inspect_believes_no_header_with_a_wrong_checksum_and_prints_it_all_the_same():
    damaged = bytearray(FILE)
    damaged[6] ^= 2  # 37 pixels become 39
    found = inspect(damaged)
    assert found.header is None
    assert "width         39" in str(found).splitlines()
    assert [problem[:18] for problem in found.problems] == ["header: CRC-32 is "]
    assert [s.state for s in found.sections] == ["ok", "ok"]


@given(st.binary(max_size=300), st.sampled_from([b"", container.MAGIC, FILE[:32], FILE[:44], FILE]))
def test_inspect_never_raises_and_agrees_with_read(data, start):
    found = inspect(start + data)
    assert str(found).isprintable() or all(line.isprintable() for line in str(found).splitlines())
    if found.problems:
        with pytest.raises(BitstreamError, match=f"^{re.escape(found.problems[0])}$"):
            read(start + data)
    else:
        assert read(start + data) == read(FILE)


@pytest.mark.parametrize("position", range(len(FILE)))
def test_inspect_notices_any_changed_byte(position):
    damaged = bytearray(FILE)
    damaged[position] ^= 0x55
    found = inspect(damaged)
    assert found.problems
    assert all("\n" not in problem for problem in found.problems)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0}, {"height": 65537}, {"width": 60000, "height": 60000}, {"mode": "CMYK"},
        {"quality": 9}, {"model": "n\u00e4me"}, {"model": "a" * 256},
        {"weights": "00"}, {"probabilities": "g" * 16},
    ],
)  # fmt: skip
def test_a_header_cannot_be_made_that_would_be_refused(change):
    with pytest.raises(BitstreamError):
        Header(**{**vars(HEADER), **change})


def test_only_the_sections_that_are_asked_for_need_to_be_intact():
    file = write(HEADER, {"z": b"side", "y": b"latents", "r": b"\x02residual"})
    assert inspect(file).fields["tau"] == 2
    for damaged in (file[:-3], file[:-1] + b"!"):
        header, sections = read(damaged, only=("z", "y"))
        assert (header, sections) == (HEADER, {"z": b"side", "y": b"latents"})
        with pytest.raises(BitstreamError, match="section r"):
            read(damaged)
    with pytest.raises(BitstreamError, match="section y"):
        read(file[:-12], only=("z", "y"))
