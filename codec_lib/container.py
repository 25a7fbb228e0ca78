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
that are there and against `MAX_PIXELS` first. `read` raises BitstreamError for anything else than a
file that `write` made.

>>> header = Header(model="hyperprior", weights="00" * 8, probabilities="11" * 8,
...                 width=3, height=2, mode="RGB", quality=4.0)
>>> data = write(header, {"z": b"side", "y": b"latents"})
>>> len(data), read(data) == (header, {"z": b"side", "y": b"latents"})
(77, True)
"""

import struct
import zlib
from dataclasses import asdict, dataclass

from codec_lib.errors import BitstreamError

MAGIC = b"\x89CLC"
VERSION = 2
MODES = ("L", "RGB", "LA", "RGBA")
KINDS = ("y", "z", "alpha")  # a section's kind is its place in this list
MAX_PIXELS = 1 << 26
QUALITY_SCALE = 256

_FIXED = struct.Struct("<4sBBIIH8s8s")
_SECTION = struct.Struct("<BII")
_CRC = struct.Struct("<I")


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
        _check(self, MAX_PIXELS)


@dataclass(frozen=True)
class Section:
    """One row of a file's section table, and whether the bytes are there and intact."""

    kind: str
    length: int
    crc: int
    state: str  # "ok", "damaged" or "truncated"


@dataclass(frozen=True)
class Inspection:
    """Everything `inspect` finds out: the header, its sections, bytes in all, and bytes too many."""

    header: Header
    sections: tuple[Section, ...]
    size: int
    surplus: int

    def __str__(self) -> str:
        fields = {**asdict(self.header), "size": f"{self.size} bytes"}
        pixels = self.header.width * self.header.height
        fields["rate"] = f"{8 * self.size / pixels:.4f} bits per pixel"
        lines = [f"{name:<9}{value}" for name, value in fields.items()]
        lines += [
            f"section  {s.kind}: {s.length} bytes, CRC-32 {s.crc:08x}, {s.state}" for s in self.sections
        ]
        if self.surplus:
            lines.append(f"surplus  {self.surplus} bytes after the last section")
        return "\n".join(lines)


def write(header: Header, sections: dict[str, bytes]) -> bytes:
    """The bytes of a complete file. Section names are among `KINDS`."""
    name = header.model.encode("ascii")
    quality = round(header.quality * QUALITY_SCALE)
    head = _FIXED.pack(
        MAGIC, VERSION, MODES.index(header.mode), header.width, header.height, quality,
        bytes.fromhex(header.weights), bytes.fromhex(header.probabilities),
    )  # fmt: skip
    head += bytes([len(name)]) + name + bytes([len(sections)])
    for kind, payload in sections.items():
        head += _SECTION.pack(KINDS.index(kind), len(payload), zlib.crc32(payload))
    return head + _CRC.pack(zlib.crc32(head)) + b"".join(sections.values())


def read(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[Header, dict[str, bytes]]:
    """Header and sections of a complete, intact file; BitstreamError says what is wrong with another."""
    header, table, start = _parse_header(data, max_pixels)
    sections = {}
    for kind, length, crc in table:
        payload = data[start : start + length]
        if len(payload) < length:
            raise BitstreamError(f"section {kind}: {len(payload)} bytes left of {length}; truncated")
        if zlib.crc32(payload) != crc:
            raise BitstreamError(
                f"section {kind}: CRC-32 is {zlib.crc32(payload):08x}, the header says {crc:08x}"
            )
        sections[kind] = payload
        start += length
    if start != len(data):
        raise BitstreamError(f"file: {len(data) - start} bytes after the last section; none allowed")
    return header, sections


def inspect(data: bytes) -> Inspection:
    """Read the header and check every section, without a network; damaged sections are reported.

    Raises BitstreamError when the header itself cannot be believed.
    """
    header, table, start = _parse_header(data, MAX_PIXELS)
    sections = []
    for kind, length, crc in table:
        payload = data[start : start + length]
        intact = "ok" if zlib.crc32(payload) == crc else "damaged"
        sections.append(Section(kind, length, crc, intact if len(payload) == length else "truncated"))
        start += length
    return Inspection(header, tuple(sections), len(data), max(0, len(data) - start))


def _parse_header(data: bytes, max_pixels: int) -> tuple[Header, list[tuple[str, int, int]], int]:
    """Header, section table, and where the first section starts."""
    reader = _Reader(data)
    if not data:
        raise BitstreamError("file: 0 bytes; a header is at least 39")
    if data[:4] != MAGIC[: len(data)]:
        raise BitstreamError(f"magic: {data[:4].hex(' ')}; a .clc file starts with {MAGIC.hex(' ')}")
    _, version, mode, width, height, quality, weights, probabilities = reader.unpack(_FIXED)
    if version != VERSION:
        raise BitstreamError(f"version: {version}; this library reads version {VERSION}")
    name = reader.take(reader.take(1)[0])
    rows = [reader.unpack(_SECTION) for _ in range(reader.take(1)[0])]
    end = reader.position
    (crc,) = reader.unpack(_CRC)
    if zlib.crc32(data[:end]) != crc:
        raise BitstreamError(f"header: CRC-32 is {zlib.crc32(data[:end]):08x}, it says {crc:08x}")
    # From here on the header is as it was written; what follows guards against a hostile writer.
    if mode >= len(MODES):
        raise BitstreamError(f"mode: {mode}; allowed are 0 to {len(MODES) - 1}")
    if not name.isascii() or not name.decode("ascii").isprintable():
        raise BitstreamError(f"model: {name!r}; allowed are printable ASCII characters")
    kinds = [row[0] for row in rows]
    if any(kind >= len(KINDS) for kind in kinds) or len(set(kinds)) < len(kinds):
        raise BitstreamError(f"sections: kinds {kinds}; each of 0 to {len(KINDS) - 1} at most once")
    header = object.__new__(Header)
    values = (
        name.decode("ascii"),
        weights.hex(),
        probabilities.hex(),
        width,
        height,
        MODES[mode],
        quality / QUALITY_SCALE,
    )
    for field, value in zip(Header.__dataclass_fields__, values, strict=True):
        object.__setattr__(header, field, value)
    _check(header, max_pixels)
    table = [(KINDS[kind], length, section_crc) for kind, length, section_crc in rows]
    return header, table, reader.position


def _check(header: Header, max_pixels: int) -> None:
    if header.width < 1 or header.height < 1 or header.width * header.height > max_pixels:
        raise BitstreamError(
            f"size: {header.width} x {header.height}; allowed are 1 to {max_pixels} pixels"
        )
    if not 1 <= header.quality <= 8:
        raise BitstreamError(f"quality: {header.quality}; allowed is 1 to 8")


class _Reader:
    """Takes bytes off the front of a file and notices its end."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            raise BitstreamError(f"header: ends after {len(self.data)} bytes; truncated")
        self.position += count
        return piece

    def unpack(self, layout: struct.Struct) -> tuple:
        return layout.unpack(self.take(layout.size))
