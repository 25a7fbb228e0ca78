"""The container: what is written comes back, and every damage has a line that says where."""

import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib import header
from codec_lib.container import inspect, read, write
from codec_lib.errors import BitstreamError, SectionError
from codec_lib.header import Header

HEADER = Header("hyperprior", "0123456789abcdef", "fedcba9876543210", 37, 53, "RGB", "quality", 4.5)
SECTIONS = {"z": b"side information", "y": bytes(range(200))}
FILE = write(HEADER, SECTIONS)
BODY = sum(map(len, SECTIONS.values()))

names = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
headers = st.builds(
    Header,
    model=names,
    weights=st.binary(min_size=8, max_size=8).map(bytes.hex),
    probabilities=st.binary(min_size=8, max_size=8).map(bytes.hex),
    width=st.integers(1, 8000),
    height=st.integers(1, 8000),
    mode=st.sampled_from(header.MODES),
    setting=names,
    value=st.floats(0, 255),
)
sections = st.dictionaries(names, st.binary(max_size=300), max_size=5)


def take_all(data: bytes) -> dict[str, bytes]:
    """All sections of a file to whose end nothing is added."""
    file = read(data)
    assert file.surplus == 0
    return file.take()


def forged(offset: int, value: bytes) -> bytes:
    """The file with header bytes replaced and the header's checksum made right again."""
    head = FILE[: len(FILE) - BODY - 4]
    head = head[:offset] + value + head[offset + len(value) :]
    return head + struct.pack("<I", zlib.crc32(head)) + FILE[len(FILE) - BODY :]


@given(headers, sections)
def test_what_was_written_is_read(header, parts):
    file = read(write(header, parts))
    assert (file.header, file.take(parts), file.names) == (header, parts, tuple(parts))


def test_the_layout_is_pinned_byte_by_byte():
    header = Header("ab", "00112233445566aa", "bb" * 8, 3, 2, "L", "tau", 1.5)
    head = bytes.fromhex(
        "89434c43 03 00 03000000 02000000 8001 00112233445566aa bbbbbbbbbbbbbbbb 02 6162 03 746175 01"
    )
    head += b"\x01y" + struct.pack("<II", 1, zlib.crc32(b"!"))
    assert write(header, {"y": b"!"}) == head + struct.pack("<I", zlib.crc32(head)) + b"!"


@pytest.mark.parametrize("position", range(len(FILE)))
@pytest.mark.parametrize("bit", [0, 7])
def test_any_flipped_bit_is_noticed(position, bit):
    damaged = bytearray(FILE)
    damaged[position] ^= 1 << bit
    with pytest.raises(BitstreamError):
        take_all(bytes(damaged))


@pytest.mark.parametrize("length", range(len(FILE)))
def test_any_truncation_is_noticed(length):
    with pytest.raises(BitstreamError):
        take_all(FILE[:length])


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    for start in (b"", header.MAGIC, FILE[:38]):
        with pytest.raises(BitstreamError):
            read(start + data)


def test_bytes_after_the_end_are_counted():
    assert read(FILE).surplus == 0
    assert read(FILE + b"\0").surplus == 1


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (4, b"\x02", "version: 2; this library reads version 3: encode the picture again"),
        (5, b"\x09", "mode: 9"),
        (6, struct.pack("<II", 60000, 60000), "size: 60000 x 60000; allowed are .* 1 to 134217728 pixels"),
        (6, struct.pack("<II", 0, 5), "size: 0 x 5"),
        (6, struct.pack("<II", 2**32 - 1, 2**32 - 1), "size: 4294967295 x 4294967295"),
        (6, struct.pack("<II", 65537, 1), "size: 65537 x 1; allowed are sides to 65536"),
        (33, b"\xff", "model: b'\\\\xffyperprior'"),
        (44, b"\xff", "setting: b'\\\\xffuality'"),
        (51, b"\xff", "header: ends after"),
        (53, b"\x07", "sections: b'\\\\x07', 'y'; allowed are printable names, each at most once"),
        (53, b"y", "sections: 'y', 'y'; allowed are printable names, each at most once"),
    ],
)
def test_a_forged_header_is_refused_by_name_value_and_range(offset, value, message):
    with pytest.raises(BitstreamError, match=message) as caught:
        read(forged(offset, value))
    assert "\n" not in str(caught.value)


def test_a_section_that_claims_more_bytes_than_there_are_is_truncated():
    file = read(forged(54, struct.pack("<I", 2**32 - 1)))
    with pytest.raises(SectionError, match="section z: 216 bytes left of 4294967295; truncated"):
        file.take(["z"])


def test_the_limit_on_pixels_is_the_callers():
    read(FILE, max_pixels=37 * 53)
    read(FILE, max_pixels=np.int64(37 * 53))
    with pytest.raises(BitstreamError, match="37 x 53"):
        read(FILE, max_pixels=37 * 53 - 1)


@pytest.mark.parametrize("limit", [0, -1, header.MAX_PIXELS + 1, None, "5", 1e6])
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
    assert [(s.name, s.length, s.state) for s in found.sections] == [
        (name, len(payload), "ok") for name, payload in parts.items()
    ]


def test_inspect_names_the_damaged_section_and_prints_every_field():
    damaged = FILE[:-1] + b"!"
    found = inspect(damaged)
    assert found.header == HEADER
    assert [(s.name, s.state) for s in found.sections] == [("z", "ok"), ("y", "damaged")]
    assert [str(problem)[:21] for problem in found.problems] == ["section y: CRC-32 is "]
    for line in (
        "magic         89 43 4c 43", "version       3", "mode          RGB", "width         37",
        "height        53", "quality       4.5", "weights       0123456789abcdef",
        "probabilities fedcba9876543210", "model         hyperprior", "sections      2",
        f"size          {len(FILE)} bytes", f"problem       {found.problems[0]}",
    ):  # fmt: skip
        assert line in str(found).splitlines()


def test_inspect_reports_every_failed_check_and_not_only_the_first():
    damaged = bytearray(FILE[:-1])
    damaged[:4] = b"what"
    damaged[5] = 9
    damaged[len(FILE) - BODY] ^= 1
    names = [str(problem).split(":")[0] for problem in inspect(damaged).problems]
    assert names == ["magic", "header", "mode", "section z", "section y"]


@pytest.mark.parametrize(
    ("length", "states"),
    [(1, ["ok", "truncated"]), (200, ["ok", "missing"]), (214, ["truncated", "missing"])],
)
def test_inspect_tells_truncated_from_missing_sections(length, states):
    found = inspect(FILE[:-length])
    assert [s.state for s in found.sections] == states
    assert found.header == HEADER
    assert str(found.problems[-1]).endswith(states[-1])


def test_inspect_counts_the_bytes_after_the_end():
    (problem,) = inspect(FILE + b"xy").problems
    assert str(problem) == "file: 2 bytes after the last section; none allowed"


def test_inspect_reads_a_truncated_header_as_far_as_it_goes():
    for length in range(len(FILE) - BODY):
        found = inspect(FILE[:length])
        assert found.header is None
        assert str(found.problems[-1]) == f"header: ends after {length} bytes; truncated" or length == 0
        assert found.fields == dict(list(inspect(FILE).fields.items())[: len(found.fields)])
        assert str(found)
    assert inspect(FILE[:14]).fields.keys() == {"magic", "version", "mode", "width", "height"}
    assert [s.name for s in inspect(FILE[:62]).sections] == ["z"]


def test_inspect_believes_no_header_with_a_wrong_checksum_and_prints_it_all_the_same():
    damaged = bytearray(FILE)
    damaged[6] ^= 2  # 37 pixels become 39
    found = inspect(damaged)
    assert found.header is None
    assert "width         39" in str(found).splitlines()
    assert [str(problem)[:18] for problem in found.problems] == ["header: CRC-32 is "]
    assert [s.state for s in found.sections] == ["ok", "ok"]


@given(st.binary(max_size=300), st.sampled_from([b"", header.MAGIC, FILE[:32], FILE[:44], FILE]))
def test_inspect_never_raises_and_agrees_with_read(data, start):
    found = inspect(start + data)
    assert str(found).isprintable() or all(line.isprintable() for line in str(found).splitlines())
    if found.problems:
        with pytest.raises((BitstreamError, AssertionError)) as caught:
            take_all(start + data)
        if isinstance(caught.value, BitstreamError):  # else there are bytes after the end
            assert str(caught.value) == str(found.problems[0])
    else:
        assert read(start + data) == read(FILE)


@pytest.mark.parametrize("position", range(len(FILE)))
def test_inspect_notices_any_changed_byte(position):
    damaged = bytearray(FILE)
    damaged[position] ^= 0x55
    found = inspect(damaged)
    assert found.problems
    assert all("\n" not in str(problem) for problem in found.problems)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0}, {"height": 65537}, {"width": 60000, "height": 60000}, {"mode": "CMYK"},
        {"value": 256}, {"value": -1}, {"model": "n\u00e4me"}, {"setting": ""}, {"model": "a" * 256},
        {"weights": "00"}, {"probabilities": "g" * 16},
    ],
)  # fmt: skip
def test_a_header_cannot_be_made_that_would_be_refused(change):
    with pytest.raises(BitstreamError):
        Header(**{**vars(HEADER), **change})


def test_only_the_sections_that_are_taken_need_to_be_intact():
    data = write(HEADER, {"z": b"side", "y": b"latents", "r": b"residual"})
    for damaged in (data[:-3], data[:-1] + b"!"):
        file = read(damaged)
        assert file.take(["z", "y"]) == {"z": b"side", "y": b"latents"}
        assert file.intact == ("z", "y")
        with pytest.raises(SectionError, match="section r") as caught:
            file.take(["z", "r"])
        assert caught.value.section == "r"
    with pytest.raises(SectionError, match="section y"):
        read(data[:-12]).take(["z", "y"])
    with pytest.raises(SectionError, match="section low: there is none; there are z, y, r"):
        read(data).take(["low"])


def test_nothing_but_the_version_is_read_of_a_file_of_another_version():
    found = inspect(FILE[:4] + b"\x02" + FILE[5:])
    assert found.fields == {"magic": "89 43 4c 43", "version": 2}
    assert [str(problem).split(":")[0] for problem in found.problems] == ["version"]


@pytest.mark.parametrize("sections", [{"": b""}, {"\u00e4": b""}, {str(k): b"" for k in range(256)}])
def test_sections_that_no_table_holds_are_not_written(sections):
    with pytest.raises(ValueError, match="allowed are up to 255 names"):
        write(HEADER, sections)


def test_errors_survive_the_way_between_processes():
    error = pickle.loads(pickle.dumps(SectionError("y", "2 bytes left of 5; truncated")))
    assert (error.section, str(error)) == ("y", "section y: 2 bytes left of 5; truncated")
