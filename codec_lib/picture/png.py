"""What Pillow does not say about a PNG: whether it has all of its rows, and what its colours mean.

And what goes beside the samples into a PNG that Pillow does not write.

The rows of a PNG are one zlib stream, cut into IDAT chunks. libpng and Pillow's own decoder differ when
a whole stream has too few bytes: the first refuses it, the second leaves the missing rows black. Here
the bytes are counted, without keeping them.

>>> count([zlib.compress(bytes(100))], 1000)
(100, True)
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

from codec_lib.header import MAX_PIXELS

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type of IHDR
PALETTE = 3
XMP = b"XML:com.adobe.xmp"  # the key of a text
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PIECE, STEP = 1 << 16, 1 << 20  # bytes that go into zlib at once, and that it may give at once
SRGB_CODE = (1, 13, 0, 1)  # cICP: primaries, transfer, matrix, full range


def chunks(data: bytes, start: int = 0) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and payload of each chunk of the PNG that starts there, to its end or that of the data."""
    view, position = memoryview(data), start + len(SIGNATURE)
    while position + 8 <= len(data):
        size, kind = struct.unpack(">I4s", view[position : position + 8])
        yield kind, view[position + 8 : position + 8 + size]
        if kind == b"IEND":
            return
        position += 12 + size


def bits(data: bytes, start: int = 0) -> int:
    """Bits a sample of the PNG that starts there; 8 of one with a palette, or without a header."""
    kind, header = next(chunks(data, start), (b"", memoryview(b"")))
    return header[8] if kind == b"IHDR" and len(header) == 13 and header[9] != PALETTE else 8


def embedded(data: bytes) -> Iterator[int]:
    """Where each PNG inside of another file starts; none of them inside of another."""
    start = data.find(SIGNATURE)
    while start >= 0:
        yield start
        end = start + len(SIGNATURE) + sum(12 + len(payload) for _, payload in chunks(data, start))
        start = data.find(SIGNATURE, end)


def check(data: bytes, start: int = 0) -> None:
    """ValueError for a PNG whose stream has fewer bytes than its rows take, or that lacks its palette.

    Of a stream that is damaged nothing is said: Pillow refuses it, or can do without its end.
    """
    kind, header = next(chunks(data, start), (b"", memoryview(b"")))
    if kind != b"IHDR" or len(header) != 13:
        return
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width} x {height}; allowed are 1 to {MAX_PIXELS} pixels")
    if colour == PALETTE and not any(kind == b"PLTE" for kind, _ in chunks(data, start)):
        raise ValueError("a PNG without its palette")
    pixel = depth * CHANNELS.get(colour, 0)
    needed = 0
    for x, y, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // dx), -((y - height) // dy)
        if columns > 0 and rows > 0:
            needed += rows * (1 + (columns * pixel + 7) // 8)
    try:
        found, _ = count(_pixels(data, start), needed)
    except zlib.error:
        return
    if found < needed:
        raise ValueError(f"{found} bytes of pixels; its rows take {needed}")


def colour_code(data: bytes) -> tuple[int, ...] | None:
    """The four numbers of a cICP chunk, unless they mean sRGB."""
    for kind, payload in chunks(data):
        if kind == b"IDAT":
            break
        if kind == b"cICP" and len(payload) == 4 and tuple(payload) != SRGB_CODE:
            return tuple(payload)
    return None


def with_metadata(data: bytes, metadata: dict[str, bytes]) -> bytes:
    """A PNG that also has a profile, EXIF and XMP, by the names of Pillow's `info`."""
    more = []
    if profile := metadata.get("icc_profile"):
        more.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    if exif := metadata.get("exif"):
        more.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp := metadata.get("xmp"):
        more.append((b"iTXt", XMP + b"\0\0\0\0\0" + xmp))
    end = len(SIGNATURE) + 12 + 13  # of IHDR
    return data[:end] + b"".join(_chunk(*pair) for pair in more) + data[end:]


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def count(stream: Iterable[bytes | memoryview], enough: int) -> tuple[int, bool]:
    """How many bytes a zlib stream in pieces gives, and whether it ends where the pieces do.

    Counting stops beyond `enough`. zlib.error for a damaged stream.
    """
    inflate, found = zlib.decompressobj(), 0
    for piece in _cut(stream):
        if inflate.eof:
            return found, False
        given = STEP
        while not inflate.eof and (piece or given == STEP):  # a full step may leave more inside of zlib
            given = len(inflate.decompress(piece, STEP))
            found += given
            if found > enough:
                return found, False
            piece = inflate.unconsumed_tail
        if inflate.unused_data:
            return found, False
    return found, inflate.eof


def _cut(stream: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The same bytes in pieces small enough to be copied."""
    for whole in stream:
        for start in range(0, len(whole), PIECE):
            yield bytes(whole[start : start + PIECE])


def _pixels(data: bytes, start: int) -> Iterator[memoryview]:
    """The payloads of the first run of IDAT chunks: what follows another chunk is not read."""
    begun = False
    for kind, payload in chunks(data, start):
        if kind == b"IDAT":
            begun = True
            yield payload
        elif begun:
            return
