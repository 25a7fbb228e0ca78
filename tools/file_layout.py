"""Where the parts of intact files lie: numbers of a `.clc` header, chunks of a packed alpha channel."""

import struct
from collections.abc import Iterator

from codec_lib import header
from codec_lib.picture import png


def header_layout(file: bytes) -> list[tuple[int, str]]:
    """Offset and struct code of every number in an intact file's header; the checksum is the last."""
    places, offset = [], 0
    for code in header.FIXED.values():
        places.append((offset, code))
        offset += struct.calcsize("<" + code)
    for _ in ("model", "setting"):
        places.append((offset, "B"))  # length of the name
        offset += 1 + file[offset]
    places.append((offset, "B"))  # number of sections
    count, offset = file[offset], offset + 1
    for _ in range(count):
        places.append((offset, "B"))
        offset += 1 + file[offset]
        places += [(offset, "I"), (offset + 4, "I")]
        offset += 8
    return [*places, (offset, "I")]


def chunks(packed: bytes) -> Iterator[bytes]:
    """Kind and bytes of every chunk, without length and checksum."""
    position = len(png.SIGNATURE)
    while position < len(packed):
        end = position + 8 + int.from_bytes(packed[position : position + 4], "big")
        yield packed[position + 4 : end]
        position = end + 4
