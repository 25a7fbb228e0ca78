"""The page on the file format tells the truth: its tables are taken from it and compared with the code."""

import hashlib
import json
import re
import struct
from math import prod
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import codec_lib as cl
from codec_lib import container, header, picture, setting, weights
from codec_lib.entropy import escape, rans
from codec_lib.entropy.pmf import Tables
from codec_lib.exact import fixed_point, integer_layer
from codec_lib.fitting import parameters
from codec_lib.fitting.context import NEIGHBOURS
from codec_lib.models import DEFAULT
from codec_lib.picture import metadata
from codec_lib.priors import context
from tests.web.page import Page

TEXT = (Path(__file__).parents[2] / "book" / "format.md").read_text(encoding="utf-8")
HEADER = header.Header("flagship", "0011223344556677", "8899aabbccddeeff", 3, 2, "RGB", "quality", 4.0)
SECTIONS = {"z": b"side", "y": b"latents"}


def table(*columns: str) -> list[list[str]]:
    """The rows of the table on the page that has these columns; it must be there exactly once."""
    head = "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns) + "\n"
    assert TEXT.count(head) == 1, head
    rows = TEXT.split(head)[1].split("\n\n")[0].splitlines()
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def example() -> bytes:
    """The bytes of the worked example."""
    rows = table("offset", "bytes", "field", "value")
    data = b"".join(bytes.fromhex(row[1]) for row in rows)
    offsets = np.cumsum([0, *(len(bytes.fromhex(row[1])) for row in rows)])[:-1]
    assert [int(row[0]) for row in rows] == offsets.tolist()
    return data


def test_the_fields_are_those_of_the_header():
    rows = table("offset", "size", "field", "meaning")
    at, fixed = 0, []
    for name, code in header.FIXED.items():
        size = struct.calcsize("<" + code)
        fixed.append([str(at), str(size), name])
        at += size
    assert [row[:3] for row in rows[: len(fixed)]] == fixed
    later = ["model", "setting", "sections", "section", "checksum"]
    assert [row[2] for row in rows[len(fixed) :]] == later
    assert rows[len(fixed)][0] == str(at)
    assert bytes.fromhex(rows[0][3].split("`")[0]) == header.MAGIC
    assert int(rows[1][3]) == header.VERSION
    assert rows[3][3] == f"in pixels, 1 to {header.MAX_SIDE}"
    assert rows[4][3].endswith(f"at most {header.MAX_PIXELS}")
    assert rows[5][3].endswith(f"times {header.VALUE_SCALE}")


def test_the_example_is_a_file():
    assert example() == container.write(HEADER, SECTIONS)
    file = container.read(example())
    assert (file.header, file.take()) == (HEADER, SECTIONS)


def test_the_page_names_the_same_fields_of_it(site, tmp_path):
    """container.js, asked for the fields of the example: offset, size, name."""
    (tmp_path / "example").write_bytes(example())
    (answer,) = Page(site, tmp_path).ask({"inspect": "example"})
    assert answer["problems"] == []
    rows = table("offset", "bytes", "field", "value")
    written = [[int(row[0]), len(bytes.fromhex(row[1])), row[2]] for row in rows[:-2]]
    assert [[field["offset"], field["size"], field["name"]] for field in answer["fields"]] == written
    found = [[section["offset"], section["length"], section["name"]] for section in answer["sections"]]
    assert found == [[int(row[0]), len(bytes.fromhex(row[1])), row[2]] for row in rows[-2:]]


def test_a_changed_byte_of_the_example_is_seen():
    for k in range(len(example())):
        damaged = bytearray(example())
        damaged[k] ^= 1
        assert container.inspect(bytes(damaged)).problems


def test_the_modes_are_those_of_the_header():
    rows = table("number", "mode", "channels", "bits a sample")
    assert [(int(row[0]), row[1]) for row in rows] == list(enumerate(header.MODES))
    for _, mode, channels, depth in rows:
        assert len(channels.split(", ")) == picture.CHANNELS[mode.split(";")[0]]
        assert depth == ("16" if mode.endswith(";16") else "8")


def test_the_sections_beside_the_model_are_those_of_the_library():
    names = [row[0] for row in table("name", "when", "what it holds")]
    assert set(names) == {*picture.BESIDE, *picture.REFINING}
    assert f"{metadata.MAX_BYTES >> 20} MiB" in TEXT


def test_the_example_of_a_stream_is_one():
    tables = Tables.from_pmfs([[0.5, 0.25, 0.24]], offsets=[-1])
    frequencies = np.diff(tables.cdf[0]).tolist()
    assert "frequencies {}, {}, {} and, for the escape, {}.".format(*frequencies) in " ".join(TEXT.split())
    rows = [
        [int(cell) for cell in row] for row in table("step", "x", "slot", "entry", "symbol", "x after it")
    ]
    message = [row[4] for row in rows]
    data = rans.encode(message, [0] * len(message), tables)
    assert f"`{data.hex(' ')}`" in TEXT
    _, states, _ = rans.parse_header(data)
    x = int(states[0])
    for _, before, slot, k, _, after in rows:
        assert (x, x % 65536) == (before, slot)
        start, end = int(tables.cdf[0, k]), int(tables.cdf[0, k + 1])
        assert start <= slot < end
        x = (end - start) * (x >> 16) + slot - start
        assert x == after
    assert x == 1 << 24


def test_the_limits_of_a_stream_are_those_of_the_coder():
    text = " ".join(TEXT.split())
    assert f"messages shorter than {rans.LONG_MESSAGE} symbols" in text
    assert f"any number up to {1 << rans.MAX_LANES_LOG2}" in text
    assert f"at most {escape.MAX_ZEROS} zeros long" in text
    assert f"{rans.LOWEST} or more" in text


def test_the_constants_are_those_of_the_code():
    for name, value, _ in table("name", "value", "what it is"):
        found = [
            vars(module)[name] for module in (fixed_point, integer_layer, context) if name in vars(module)
        ]
        assert found == [int(value)] * len(found) != [], name


@pytest.fixture(scope="module")
def arrays():
    with safe_open(weights.find(DEFAULT), "np") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def test_the_networks_are_those_of_the_weights(arrays):
    for name, _, sizes, shifts, slopes in table("network", "layers", "in, out", "s", "k"):
        layers = sizes.split(";")
        for n, (size, shift, slope) in enumerate(
            zip(layers, shifts.split(";"), slopes.split(";"), strict=True)
        ):
            shape = arrays[f"frozen.{name}.{n}.shape"].tolist()
            weight = arrays[f"frozen.{name}.{n}.weight"].shape
            assert [int(part) for part in size.split(",")] == list(
                weight[:2] if shape[0] else weight[1::-1]
            )
            if shift.strip() != "none":
                assert [int(shift), int(slope)] == shape[4:]
        assert f"frozen.{name}.{len(layers)}.shape" not in arrays


def test_the_layers_of_the_synthesis_are_those_of_the_weights(arrays):
    for kind, name, channels in table("layer", "name", "channels"):
        first = f"{name}.branch.0.weight" if kind == "block" else f"{name}.weight"
        outputs, inputs, rows, _ = arrays[first].shape
        assert outputs == int(channels.split()[0].strip(","))
        assert kind == "block" or int(kind[0]) == rows
        assert kind != "block" or (inputs, rows) == (outputs, 3)


def test_the_setting_is_that_of_the_library():
    quality = setting.QUALITY
    assert f"`{quality.name}`, {quality.coarsest:g} to {quality.finest:g}" in TEXT


def test_the_shortest_header_is_as_long_as_the_page_says(repository):
    golden = repository / "tests" / "golden" / "files" / "flagship-1.clc"
    file = container.read(golden.read_bytes())
    assert f"a header of {len(container.write(file.header, {'z': b'', 'y': b''}))} bytes" in TEXT


def test_the_arrays_and_neighbours_of_a_fitted_file_are_those_of_the_library():
    arrays = {name: [int(side) for side in shape.split(",")] for name, shape in table("array", "shape")}
    assert list(arrays) == list(parameters.SHAPES)
    assert [prod(shape) for shape in arrays.values()] == list(parameters.SIZES.values())
    assert f"the {parameters.COUNT}\nparameters" in TEXT
    seen = TEXT.split("A place sees 24")[1].split("With x these values")[0]
    told = [(int(row), int(column)) for row, column in re.findall(r"\((-?\d), (-?\d)\)", seen)]
    assert told == [(row, column) for _, row, column in NEIGHBOURS]


def test_the_answers_for_a_golden_file_are_those_of_the_library(repository):
    folder = repository / "tests" / "golden" / "files"
    answers = dict(table("of `flagship-1.clc`", "value"))
    data = (folder / "flagship-1.clc").read_bytes()
    file = container.read(data)
    header, model = file.header, weights.load(file.header.model).model
    integers = model.read(file.take(), header.value, header.height, header.width)
    assert answers["bytes"] == str(len(data))
    for name in "zy":
        told = [int(number) for number in answers[f"{name} begins"].split(",")]
        assert integers[name].flatten()[: len(told)].tolist() == told
    state = hashlib.sha256()
    for name in "fyz":
        state.update(integers[name].numpy().astype("<i4").tobytes())
    known = json.loads((folder / "symbols.json").read_text())["symbols"]["flagship-1.clc"]
    assert answers["SHA-256 of f, y and z"] == state.hexdigest() == known
    level = [int(sample) for sample in answers["row 100, column 128"].split(",")]
    assert np.abs(np.int64(cl.decode(data))[100, 128] - level).max() <= 1
