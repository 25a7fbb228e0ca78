"""The `.clc` file: a typed header, then sections of bytes, each with a name and a checksum of its own.

The layout, byte by byte, is in `codec_lib.header`. What a section holds, which of them a model needs, and
what a setting means is not known here.

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

import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

from codec_lib.errors import BitstreamError, SectionError, shown
from codec_lib.header import MAX_PIXELS, Header, Parsed, pack, parse


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

    def take(self, names: Collection[str] | None = None) -> dict[str, bytes]:
        """The bytes of some sections, or of all; SectionError for the first that is missing or damaged."""
        present = {section.name: section for section in self.sections}
        names = self.names if names is None else names
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
    rows = [(name, len(payload), zlib.crc32(payload)) for name, payload in sections.items()]
    return pack(header, rows) + b"".join(sections.values())


def read(data: bytes, max_pixels: int = MAX_PIXELS) -> File:
    """The file in some bytes, if its header is intact.

    Raises BitstreamError with the first of the problems that `inspect` finds in the header, or when it
    declares more than `max_pixels`; TypeError for something else than bytes; ValueError for a limit out
    of range.
    """
    is_whole = isinstance(max_pixels, Integral) and not isinstance(max_pixels, bool)
    if not (is_whole and 1 <= max_pixels <= MAX_PIXELS):
        raise ValueError(f"max_pixels: {shown(max_pixels)}; allowed is 1 to {MAX_PIXELS}")
    data = _as_bytes(data)
    parsed = parse(data, max_pixels)
    for problem in parsed.problems:
        raise problem
    assert parsed.header is not None  # there would be a problem
    return File(parsed.header, *_sections(data, parsed))


def inspect(data: bytes) -> Inspection:
    """Whatever can be read of a file, without a network, and every check that fails.

    No bytes make it raise; TypeError for something else than bytes.
    """
    data = _as_bytes(data)
    parsed = parse(data)
    sections, surplus = _sections(data, parsed)
    problems: list[BitstreamError] = list(parsed.problems)
    if parsed.end is not None:  # else nobody knows where the sections start
        problems += [section.problem for section in sections if section.problem]
    if surplus:
        problems.append(BitstreamError(f"file: {surplus} bytes after the last section; none allowed"))
    return Inspection(parsed.header, parsed.fields, sections, len(data), tuple(problems))


def _sections(data: bytes, parsed: Parsed) -> tuple[tuple[Section, ...], int]:
    """The sections with those of their bytes that are there, and how many bytes follow the last one."""
    position, sections = len(data) if parsed.end is None else parsed.end, []
    for name, length, crc in parsed.rows:
        sections.append(Section(name, length, crc, data[position : position + length]))
        position = min(position + length, len(data))
    return tuple(sections), len(data) - position


def _as_bytes(data: bytes) -> bytes:
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"data: {type(data).__name__}; allowed are bytes, bytearray, memoryview") from None
