"""The `.clc` file: a typed header, then sections of bytes, each with its own checksum.

    offset  size  field
    0       4     magic          89 43 4C 43 ("\\x89CLC")
    4       1     version        2
    5       1     mode           0 = L, 1 = RGB, 2 = LA, 3 = RGBA
    6       4     width          pixels, little endian like everything here
    10      4     height         pixels
    14      2     quality        in 1/256: 1024 is quality 4
    16      8     weights        first bytes of the SHA-256 of the weights file
    24      8     probabilities  first bytes of the SHA-256 of all that chooses probabilities
    32      1+n   model          length, then ASCII
    .       1     sections       how many
    .       9*s   sections       each: kind (1), length (4), CRC-32 of its bytes (4)
    .       4     CRC-32 of everything above
    .             the sections' bytes, in the order of the table, and nothing after them

Reading allocates nothing in proportion to what a header claims: sizes are checked against the bytes
that are there and against `MAX_PIXELS` and `MAX_SIDE` first. `read` raises BitstreamError for anything
else than a file that `write` made; `inspect` tells what such a file still says, and all that is wrong.

>>> header = Header(model="hyperprior", weights="00" * 8, probabilities="11" * 8,
...                 width=3, height=2, mode="RGB", quality=4.0)
>>> data = write(header, {"z": b"side", "y": b"latents"})
>>> len(data), read(data) == (header, {"z": b"side", "y": b"latents"})
(77, True)
>>> inspect(data[:-1]).problems
('section y: 6 bytes left of 7; truncated',)
"""

import re
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codec_lib.errors import BitstreamError

MAGIC = b"\x89CLC"
VERSION = 2
MODES = ("L", "RGB", "LA", "RGBA")
KINDS = ("y", "z", "alpha", "r")  # a section's kind is its place in this list; r starts with tau
MAX_PIXELS = 1 << 27
MAX_SIDE = 1 << 16  # models pad both sides to a multiple of theirs: a 1 x 2**26 picture would grow 64-fold
QUALITY_SCALE = 256
FIXED = {  # the fields before the model's name, as the struct module spells them
    "magic": "4s",
    "version": "B",
    "mode": "B",
    "width": "I",
    "height": "I",
    "quality": "H",
    "weights": "8s",
    "probabilities": "8s",
}

_SECTION = "BII"


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    `weights` and `probabilities` are 16 hexadecimal digits each, `quality` is in [1, 8]. Without equal
    probabilities no symbol can be decoded; without equal weights they would become other pixels.
    """

    model: str
    weights: str
    probabilities: str
    width: int
    height: int
    mode: str
    quality: float

    def __post_init__(self):
        object.__setattr__(self, "quality", round(self.quality * QUALITY_SCALE) / QUALITY_SCALE)
        for problem in _out_of_range(vars(self), MAX_PIXELS):
            raise BitstreamError(problem)


@dataclass(frozen=True)
class Section:
    """One row of a file's section table, and whether the bytes are there and intact."""

    kind: str
    length: int
    crc: int
    state: str  # "ok", "damaged", "truncated" or "missing"


@dataclass(frozen=True)
class Inspection:
    """All that can be read of a file, and all that is wrong with it.

    `fields` holds what the header says, believable or not, as far as its bytes go. `header` is there
    when its checksum is right and every field is in its range. Each of `problems` is one line: the
    field, its value, and what is allowed; none means that the file is intact. `size` is in bytes.
    """

    header: Header | None
    fields: dict[str, str | bytes | int | float]
    sections: tuple[Section, ...]
    size: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        fields = {**self.fields, "size": f"{self.size} bytes"}
        if self.header:
            pixels = self.header.width * self.header.height
            fields["rate"] = f"{8 * self.size / pixels:.4f} bits per pixel"
        lines = [f"{name:<14}{value}" for name, value in fields.items()]
        for section in self.sections:
            what = f"{section.kind}: {section.length} bytes, CRC-32 {section.crc:08x}, {section.state}"
            lines.append(f"{'section':<14}{what}")
        return "\n".join(lines + [f"{'problem':<14}{problem}" for problem in self.problems])


def write(header: Header, sections: dict[str, bytes]) -> bytes:
    """The bytes of a complete file. Section names are among `KINDS`."""
    name = header.model.encode("ascii")
    quality = round(header.quality * QUALITY_SCALE)
    head = struct.pack(
        "<" + "".join(FIXED.values()),
        MAGIC, VERSION, MODES.index(header.mode), header.width, header.height, quality,
        bytes.fromhex(header.weights), bytes.fromhex(header.probabilities),
    )  # fmt: skip
    head += bytes([len(name)]) + name + bytes([len(sections)])
    for kind, payload in sections.items():
        head += struct.pack("<" + _SECTION, KINDS.index(kind), len(payload), zlib.crc32(payload))
    return head + struct.pack("<I", zlib.crc32(head)) + b"".join(sections.values())


def read(
    data: bytes, max_pixels: int = MAX_PIXELS, only: Collection[str] = KINDS
) -> tuple[Header, dict[str, bytes]]:
    """Header and sections of a complete, intact file; of one where `only` these sections need to be.

    Raises BitstreamError with the first of the problems that `inspect` finds in another file, or when
    it declares more than `max_pixels`; TypeError for something else than bytes; ValueError for a
    limit out of range.
    """
    if not (isinstance(max_pixels, int) and 1 <= max_pixels <= MAX_PIXELS):
        raise ValueError(f"max_pixels: {max_pixels}; allowed is 1 to {MAX_PIXELS}")
    found, payloads = _parse(data, max_pixels)
    others = tuple(f"section {kind}: " for kind in KINDS if kind not in only)
    for problem in found.problems:
        if not problem.startswith(others or "\n"):
            raise BitstreamError(problem)
    sections = zip(found.sections, payloads, strict=True)
    return found.header, {section.kind: payload for section, payload in sections if section.kind in only}


def inspect(data: bytes) -> Inspection:
    """Whatever can be read of a file, without a network, and every check that fails.

    No bytes make it raise; TypeError for something else than bytes.
    """
    return _parse(data, MAX_PIXELS)[0]


def _parse(data: bytes, max_pixels: int) -> tuple[Inspection, list[bytes]]:
    """One pass over a file: what it says, what is wrong, and its sections' bytes as far as they go."""
    try:
        data = bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"data: {type(data).__name__}; allowed are bytes, bytearray, memoryview") from None
    reader, fields, rows, problems = _Reader(data), {}, [], []
    try:
        for name, value in _header_values(reader):
            if name == "section":
                rows.append(value)
            else:
                fields[name] = value
    except EOFError:
        problems.append(f"header: ends after {len(data)} bytes; truncated")
    crc = zlib.crc32(data[: reader.position - 4])
    if fields.get("checksum", f"{crc:08x}") != f"{crc:08x}":
        problems.append(f"header: CRC-32 is {crc:08x}, it says {fields['checksum']}")
    problems = [*_foreign(data, fields), *problems, *_out_of_range(fields, max_pixels)]
    header = None
    if not problems:
        header = Header(**{name: fields[name] for name in Header.__dataclass_fields__})
    sections, payloads = [], []
    for kind, length, crc in rows:
        payloads.append(reader.rest(length) if "checksum" in fields else b"")
        sections.append(Section(kind, length, crc, _state(payloads[-1], length, crc)))
        if kind == "r" and payloads[-1]:
            fields["tau"] = payloads[-1][0]
    problems += _wrong_kinds(sections)
    if "checksum" in fields:  # otherwise nobody knows where the sections start
        problems += _damage(sections, payloads)
        if left := len(data) - reader.position:
            problems.append(f"file: {left} bytes after the last section; none allowed")
    return Inspection(header, fields, tuple(sections), len(data), tuple(problems)), payloads


def _header_values(reader: "_Reader") -> Iterator[tuple]:
    """Name and value of all that a header holds, in order; EOFError where the bytes end."""
    for name, code in FIXED.items():
        (value,) = reader.unpack(code)
        match name:
            case "magic":
                value = value.hex(" ")
            case "mode" if value < len(MODES):
                value = MODES[value]
            case "quality":
                value /= QUALITY_SCALE
            case "weights" | "probabilities":
                value = value.hex()
        yield name, value
    name = reader.take(reader.take(1)[0])
    yield "model", name.decode("ascii") if _is_name(name.decode("latin-1")) else name
    (count,) = reader.unpack("B")
    yield "sections", count
    if count <= len(KINDS):
        for _ in range(count):
            kind, length, crc = reader.unpack(_SECTION)
            yield "section", (KINDS[kind] if kind < len(KINDS) else str(kind), length, crc)
        yield "checksum", f"{reader.unpack('I')[0]:08x}"


def _foreign(data: bytes, fields: dict) -> Iterator[str]:
    if data[:4] != MAGIC[: max(1, len(data))]:
        yield f"magic: {data[:4].hex(' ') or 'none'}; a .clc file starts with {MAGIC.hex(' ')}"
    if fields.get("version", VERSION) != VERSION:
        yield f"version: {fields['version']}; this library reads version {VERSION}"


def _out_of_range(fields: dict, max_pixels: int) -> Iterator[str]:
    """What is wrong with those of a header's fields that are there."""
    if fields.get("mode", "L") not in MODES:
        yield f"mode: {fields['mode']}; allowed are {', '.join(MODES)}, written as 0 to {len(MODES) - 1}"
    if "height" in fields:
        width, height = fields["width"], fields["height"]
        sides = 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE
        if not (sides and width * height <= max_pixels):
            yield f"size: {width} x {height}; allowed are sides to {MAX_SIDE} and 1 to {max_pixels} pixels"
    if not 1 <= fields.get("quality", 1) <= 8:
        yield f"quality: {fields['quality']}; allowed is 1 to 8"
    for name in ("weights", "probabilities"):
        if not re.fullmatch("[0-9a-f]{16}", fields.get(name, "0" * 16)):
            yield f"{name}: {fields[name]!r}; allowed are 16 hexadecimal digits"
    if "model" in fields and not _is_name(fields["model"]):
        yield f"model: {fields['model']!r}; allowed are up to 255 printable ASCII characters"
    if fields.get("sections", 0) > len(KINDS):
        yield f"sections: {fields['sections']}; allowed are 0 to {len(KINDS)}"


def _is_name(name: str | bytes) -> bool:
    return isinstance(name, str) and name.isascii() and name.isprintable() and len(name) <= 255


def _state(payload: bytes, length: int, crc: int) -> str:
    if len(payload) < length:
        return "truncated" if payload else "missing"
    return "ok" if zlib.crc32(payload) == crc else "damaged"


def _wrong_kinds(sections: list[Section]) -> Iterator[str]:
    kinds = [section.kind for section in sections]
    if len(set(kinds)) < len(kinds) or not set(kinds) <= set(KINDS):
        yield f"sections: kinds {', '.join(kinds)}; allowed are {', '.join(KINDS)}, each at most once"


def _damage(sections: list[Section], payloads: list[bytes]) -> Iterator[str]:
    for section, payload in zip(sections, payloads, strict=True):
        name = f"section {section.kind}"
        if section.state in ("truncated", "missing"):
            yield f"{name}: {len(payload)} bytes left of {section.length}; {section.state}"
        elif section.state == "damaged":
            yield f"{name}: CRC-32 is {zlib.crc32(payload):08x}, the header says {section.crc:08x}"


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
