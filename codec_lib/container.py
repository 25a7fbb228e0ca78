"""The `.clc` file: a typed header, then sections of bytes, each with a name and a checksum of its own.

    offset  size  field
    0       4     magic          89 43 4C 43 ("\\x89CLC")
    4       1     version        3
    5       1     mode           place in `MODES`: 0 = L, 1 = RGB, 2 = LA, 3 = RGBA, then with 16 bits
    6       4     width          pixels, little endian like everything here
    10      4     height         pixels
    14      2     value          of the setting, in 1/256: 1024 is 4
    16      8     weights        first bytes of the SHA-256 of the weights file
    24      8     probabilities  first bytes of the SHA-256 of all that chooses probabilities
    32      1+n   model          name of the weights: length, then ASCII
    .       1+n   setting        what `value` is of, such as "quality": length, then ASCII
    .       1     sections       how many
    .       s     sections       each: name (1+n), length (4), CRC-32 of its bytes (4)
    .       4     CRC-32 of everything above
    .             the sections' bytes, in the order of the table, and nothing after them

What a section holds, which of them a model needs, and what a setting means is not known here.

Reading allocates nothing in proportion to what a header claims: sizes are checked against the bytes
that are there and against `MAX_PIXELS` and `MAX_SIDE` first. `read` raises BitstreamError unless the
header is intact; sections are checked when they are taken. `inspect` tells what any file still says, and
all that is wrong with it.

>>> header = Header(model="hyperprior", weights="00" * 8, probabilities="11" * 8,
...                 width=3, height=2, mode="RGB", setting="quality", value=4.0)
>>> data = write(header, {"z": b"side", "y": b"latents"})
>>> len(data), read(data).header == header, read(data).take(["y"])
(87, True, {'y': b'latents'})
>>> inspect(data[:-1]).problems
(SectionError('y', '6 bytes left of 7; truncated'),)
"""

import re
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from codec_lib.errors import BitstreamError, SectionError

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

    `model` is the name of the weights, `weights` and `probabilities` are 16 hexadecimal digits each, `value`
    is what the encoder was asked for, from 0 to 255. Without equal probabilities no symbol can be decoded;
    without equal weights they would become other pixels.
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
class Section:
    """One row of a file's section table, and those of its bytes that are there."""

    name: str
    length: int
    crc: int
    payload: bytes = field(repr=False)

    @property
    def state(self) -> str:
        """ "ok", "damaged", "truncated" or "missing"."""
        if len(self.payload) < self.length:
            return "truncated" if self.payload else "missing"
        return "ok" if zlib.crc32(self.payload) == self.crc else "damaged"

    @property
    def problem(self) -> SectionError | None:
        """What is wrong with it, or None."""
        match self.state:
            case "ok":
                return None
            case "damaged":
                reason = f"CRC-32 is {zlib.crc32(self.payload):08x}, the header says {self.crc:08x}"
            case state:
                reason = f"{len(self.payload)} bytes left of {self.length}; {state}"
        return SectionError(self.name, reason)


@dataclass(frozen=True)
class File:
    """A file whose header is intact. Its sections may be anything, until they are taken."""

    header: Header
    sections: tuple[Section, ...]
    surplus: int  # bytes after the last section

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its sections, in order."""
        return tuple(section.name for section in self.sections)

    @property
    def intact(self) -> tuple[str, ...]:
        """The names of those sections whose bytes are all there and right."""
        return tuple(section.name for section in self.sections if section.state == "ok")

    def take(self, names: Collection[str]) -> dict[str, bytes]:
        """The bytes of some sections; SectionError for the first that is not there or not intact."""
        present = {section.name: section for section in self.sections}
        for name in names:
            if name not in present:
                raise SectionError(name, f"there is none; there are {', '.join(present) or 'none'}")
            if problem := present[name].problem:
                raise problem
        return {name: present[name].payload for name in names}


@dataclass(frozen=True)
class Inspection:
    """All that can be read of a file, and all that is wrong with it.

    `fields` holds what the header says, believable or not, as far as its bytes go. `header` is there
    when its checksum is right and every field is in its range. Each of `problems` says in one line the
    field, its value, and what is allowed; none means that the file is intact. `size` is in bytes.
    """

    header: Header | None
    fields: dict[str, Any]
    sections: tuple[Section, ...]
    size: int
    problems: tuple[BitstreamError, ...]

    def __str__(self) -> str:
        rows = dict(self.fields)
        if "setting" in rows:  # one row for both: quality 4
            rows = {key: value for key, value in rows.items() if key not in ("setting", "value")}
            rows[str(self.fields["setting"])] = f"{self.fields['value']:g}"
        rows["size"] = f"{self.size} bytes"
        if self.header:
            pixels = self.header.width * self.header.height
            rows["rate"] = f"{8 * self.size / pixels:.4f} bits per pixel"
        lines = [f"{name:<14}{value}" for name, value in rows.items()]
        for section in self.sections:
            what = f"{section.name}: {section.length} bytes, CRC-32 {section.crc:08x}, {section.state}"
            lines.append(f"{'section':<14}{what}")
        return "\n".join(lines + [f"{'problem':<14}{problem}" for problem in self.problems])


def write(header: Header, sections: dict[str, bytes]) -> bytes:
    """The bytes of a complete file; sections come in the order of the dict.

    Raises ValueError for a section whose name is not printable ASCII, or for more than 255 of them.
    """
    if len(sections) > 255 or not all(map(_is_name, sections)):
        raise ValueError(f"sections: {list(sections)}; allowed are up to 255 names of printable ASCII")
    head = struct.pack(
        "<" + "".join(FIXED.values()),
        MAGIC, VERSION, MODES.index(header.mode), header.width, header.height,
        round(header.value * VALUE_SCALE), bytes.fromhex(header.weights), bytes.fromhex(header.probabilities),
    )  # fmt: skip
    head += _name(header.model) + _name(header.setting) + bytes([len(sections)])
    for name, payload in sections.items():
        head += _name(name) + struct.pack("<II", len(payload), zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + b"".join(sections.values())


def read(data: bytes, max_pixels: int = MAX_PIXELS) -> File:
    """The file in some bytes, if its header is intact.

    Raises BitstreamError with the first of the problems that `inspect` finds in the header, or when it
    declares more than `max_pixels`; TypeError for something else than bytes; ValueError for a limit out
    of range.
    """
    if isinstance(max_pixels, bool) or not (isinstance(max_pixels, int) and 1 <= max_pixels <= MAX_PIXELS):
        raise ValueError(f"max_pixels: {max_pixels}; allowed is 1 to {MAX_PIXELS}")
    inspection, surplus, header_problems = _parse(data, max_pixels)
    for problem in header_problems:
        raise problem
    assert inspection.header is not None  # there would be a problem
    return File(inspection.header, inspection.sections, surplus)


def inspect(data: bytes) -> Inspection:
    """Whatever can be read of a file, without a network, and every check that fails.

    No bytes make it raise; TypeError for something else than bytes.
    """
    return _parse(data, MAX_PIXELS)[0]


def _parse(data: bytes, max_pixels: int) -> tuple[Inspection, int, list[BitstreamError]]:
    """One pass over a file: all that it says, bytes after its end, and what is wrong with its header."""
    try:
        data = bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"data: {type(data).__name__}; allowed are bytes, bytearray, memoryview") from None
    reader, fields, rows = _Reader(data), {}, []
    problems: list[BitstreamError] = []
    try:
        for name, value in _header_values(reader):
            if name == "section":
                rows.append(value)
            else:
                fields[name] = value
    except EOFError:
        problems.append(BitstreamError(f"header: ends after {len(data)} bytes; truncated"))
    crc = f"{zlib.crc32(data[: reader.position - 4]):08x}"
    if fields.get("checksum", crc) != crc:
        problems.append(BitstreamError(f"header: CRC-32 is {crc}, it says {fields['checksum']}"))
    is_complete = "checksum" in fields  # otherwise nobody knows where the sections start
    problems = [*_foreign(data, fields), *problems, *_out_of_range(fields, max_pixels), *_bad_names(rows)]
    header = None
    if not problems:
        header = Header(**{name: fields[name] for name in Header.__dataclass_fields__})
    sections = tuple(Section(*row, reader.rest(row[1]) if is_complete else b"") for row in rows)
    surplus = len(data) - reader.position if is_complete else 0
    others = [section.problem for section in sections if is_complete and section.problem]
    if surplus:
        others.append(BitstreamError(f"file: {surplus} bytes after the last section; none allowed"))
    return Inspection(header, fields, sections, len(data), (*problems, *others)), surplus, problems


def _header_values(reader: "_Reader") -> Iterator[tuple[str, Any]]:
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
        yield BitstreamError(f"magic: {data[:4].hex(' ') or 'none'}; a .clc file starts with {MAGIC.hex(' ')}")
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
        yield BitstreamError(f"value: {fields['value']}; allowed is 0 to 255")
    for name in ("weights", "probabilities"):
        if not re.fullmatch("[0-9a-f]{16}", fields.get(name, "0" * 16)):
            yield BitstreamError(f"{name}: {fields[name]!r}; allowed are 16 hexadecimal digits")
    for name in ("model", "setting"):
        if name in fields and not _is_name(fields[name]):
            yield BitstreamError(f"{name}: {fields[name]!r}; allowed are 1 to 255 printable ASCII characters")


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

    def rest(self, count: int) -> bytes:
        """The next `count` bytes, or those that are left."""
        piece = self.data[self.position : self.position + count]
        self.position += len(piece)
        return piece

    def take(self, count: int) -> bytes:
        """The next `count` bytes, or EOFError."""
        if self.position + count > len(self.data):
            raise EOFError
        return self.rest(count)

    def unpack(self, codes: str) -> tuple:
        """The next little-endian numbers, spelled as in the struct module, or EOFError."""
        layout = struct.Struct("<" + codes)
        return layout.unpack(self.take(layout.size))

    def name(self) -> str | bytes:
        """The next name; bytes where it is no printable ASCII; EOFError."""
        name = self.take(self.take(1)[0])
        return name.decode("ascii") if _is_name(name.decode("latin-1")) else name
