"""The header of a `.clc` file, byte by byte.

    offset  size  field
    0       4     magic          89 43 4C 43 ("\\x89CLC")
    4       1     version        3
    5       1     mode           place in `MODES`: 0 = L, 1 = RGB, 2 = LA, 3 = RGBA, then with 16 bits
    6       4     width          pixels, little endian like everything here
    10      4     height         pixels
    14      2     value          of the setting, in 1/256: 1024 is 4
    16      8     weights        first bytes of the SHA-256 of the weights file
    24      8     probabilities  first bytes of the SHA-256 of the frozen tables and networks (`Trained`)
    32      1+n   model          name of the weights: length, then ASCII
    .       1+n   setting        what `value` is of, such as "quality": length, then ASCII
    .       1     sections       how many
    .       s     sections       each: name (1+n), length (4), CRC-32 of its bytes (4)
    .       4     CRC-32 of everything above
    .             the sections' bytes, in the order of the table, and nothing after them

Reading a header never raises: what is there becomes fields, and what is wrong with them becomes problems.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codec_lib.errors import BitstreamError

MAGIC = b"\x89CLC"
VERSION = 3
MODES = ("L", "RGB", "LA", "RGBA", "L;16", "RGB;16", "LA;16", "RGBA;16")
MAX_PIXELS = 1 << 27
MAX_SIDE = 1 << 16  # models pad both sides to a multiple of theirs: a 1 x 2**26 picture would grow 64-fold
VALUE_SCALE = 256
FIXED = {  # the fields before the first name, as the struct module spells them
    "magic": "4s",
    "version": "B",
    "mode": "B",
    "width": "I",
    "height": "I",
    "value": "H",
    "weights": "8s",
    "probabilities": "8s",
}


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    `model` is the name of the weights, `weights` and `probabilities` are 16 hexadecimal digits each,
    `value` is what the encoder was asked for, 0 or more and below 256. Without equal probabilities no
    symbol can be decoded; without equal weights they would become other pixels.
    """

    model: str
    weights: str
    probabilities: str
    width: int
    height: int
    mode: str
    setting: str
    value: float

    def __post_init__(self):
        object.__setattr__(self, "value", round(self.value * VALUE_SCALE) / VALUE_SCALE)
        for problem in _out_of_range(vars(self), MAX_PIXELS):
            raise problem


@dataclass(frozen=True)
class Parsed:
    """What the first bytes of a file say, believable or not.

    `header` is there when the checksum is right and every field is in its range: when there are no
    `problems`. `rows` are name, length and CRC-32 of each section; `end` is where their bytes start, None
    if the header is cut off.
    """

    header: Header | None
    fields: dict[str, Any]
    rows: list[tuple[str, int, int]]
    end: int | None
    problems: list[BitstreamError]


def pack(header: Header, rows: list[tuple[str, int, int]]) -> bytes:
    """The bytes of a header with its table of sections.

    Raises ValueError for a section whose name is not printable ASCII, or for more than 255 of them.
    """
    names = [name for name, _, _ in rows]
    if len(names) > 255 or not all(map(_is_name, names)):
        raise ValueError(f"sections: {names}; allowed are up to 255 names of printable ASCII")
    data = struct.pack(
        "<" + "".join(FIXED.values()),
        MAGIC, VERSION, MODES.index(header.mode), header.width, header.height,
        round(header.value * VALUE_SCALE),
        bytes.fromhex(header.weights), bytes.fromhex(header.probabilities),
    )  # fmt: skip
    data += _name(header.model) + _name(header.setting) + bytes([len(rows)])
    for name, length, crc in rows:
        data += _name(name) + struct.pack("<II", length, crc)
    return data + struct.pack("<I", zlib.crc32(data))


def parse(data: bytes, max_pixels: int = MAX_PIXELS) -> Parsed:
    """All that the first bytes of a file say, and what is wrong with it; never raises."""
    reader, fields, rows = _Reader(data), {}, []
    problems: list[BitstreamError] = []
    try:
        for name, value in _values(reader):
            if name == "section":
                rows.append(value)
            else:
                fields[name] = value
    except EOFError:
        problems.append(BitstreamError(f"header: ends after {len(data)} bytes; truncated"))
    crc = f"{zlib.crc32(data[: reader.position - 4]):08x}"
    if fields.get("checksum", crc) != crc:
        problems.append(BitstreamError(f"header: CRC-32 is {crc}, it says {fields['checksum']}"))
    problems = [*_foreign(data, fields), *problems, *_out_of_range(fields, max_pixels), *_bad_names(rows)]
    header = None
    if not problems:
        header = Header(**{name: fields[name] for name in Header.__dataclass_fields__})
    return Parsed(header, fields, rows, reader.position if "checksum" in fields else None, problems)


def _values(reader: "_Reader") -> Iterator[tuple[str, Any]]:
    """Name and value of all that a header holds, in order; EOFError where the bytes end."""
    for name, code in FIXED.items():
        (value,) = reader.unpack(code)
        match name:
            case "magic":
                value = value.hex(" ")
            case "mode" if value < len(MODES):
                value = MODES[value]
            case "value":
                value /= VALUE_SCALE
            case "weights" | "probabilities":
                value = value.hex()
        yield name, value
        if name == "version" and value != VERSION:
            return  # what follows has another layout
    yield "model", reader.name()
    yield "setting", reader.name()
    (count,) = reader.unpack("B")
    yield "sections", count
    for _ in range(count):
        yield "section", (reader.name(), *reader.unpack("II"))
    yield "checksum", f"{reader.unpack('I')[0]:08x}"


def _foreign(data: bytes, fields: dict[str, Any]) -> Iterator[BitstreamError]:
    if data[:4] != MAGIC[: max(1, len(data))]:
        yield BitstreamError(
            f"magic: {data[:4].hex(' ') or 'none'}; a .clc file starts with {MAGIC.hex(' ')}"
        )
    elif fields.get("version", VERSION) != VERSION:
        yield BitstreamError(
            f"version: {fields['version']}; this library reads version {VERSION}: encode the picture again"
        )


def _out_of_range(fields: dict[str, Any], max_pixels: int) -> Iterator[BitstreamError]:
    """What is wrong with those of a header's fields that are there."""
    if fields.get("mode", "L") not in MODES:
        allowed = f"{', '.join(MODES)}, written as 0 to {len(MODES) - 1}"
        yield BitstreamError(f"mode: {fields['mode']}; allowed are {allowed}")
    if "height" in fields:
        width, height = fields["width"], fields["height"]
        sides = 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE
        if not (sides and width * height <= max_pixels):
            allowed = f"sides to {MAX_SIDE} and 1 to {max_pixels} pixels"
            yield BitstreamError(f"size: {width} x {height}; allowed are {allowed}")
    if not 0 <= fields.get("value", 0) < 1 << 8:
        yield BitstreamError(f"value: {fields['value']}; allowed is 0 or more and below 256")
    for name in ("weights", "probabilities"):
        if not re.fullmatch("[0-9a-f]{16}", fields.get(name, "0" * 16)):
            yield BitstreamError(f"{name}: {fields[name]!r}; allowed are 16 hexadecimal digits")
    for name in ("model", "setting"):
        if name in fields and not _is_name(fields[name]):
            yield BitstreamError(
                f"{name}: {fields[name]!r}; allowed are 1 to 255 printable ASCII characters"
            )


def _bad_names(rows: list[tuple]) -> Iterator[BitstreamError]:
    names = [row[0] for row in rows]
    if len(set(names)) < len(names) or not all(map(_is_name, names)):
        listed = ", ".join(map(repr, names))
        yield BitstreamError(f"sections: {listed}; allowed are printable names, each at most once")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isascii() and name.isprintable() and 1 <= len(name) <= 255


def _name(name: str) -> bytes:
    return bytes([len(name)]) + name.encode("ascii")


class _Reader:
    """Takes bytes off the front of a file and notices its end."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes, or EOFError."""
        if self.position + count > len(self.data):
            raise EOFError
        self.position += count
        return self.data[self.position - count : self.position]

    def unpack(self, codes: str) -> tuple:
        """The next little-endian numbers, spelled as in the struct module, or EOFError."""
        layout = struct.Struct("<" + codes)
        return layout.unpack(self.take(layout.size))

    def name(self) -> str | bytes:
        """The next name; bytes where it is no printable ASCII; EOFError."""
        name = self.take(self.take(1)[0])
        return name.decode("ascii") if _is_name(name.decode("latin-1")) else name
