"""Chunks of a PNG, for tests: made without the library, which reads and writes them too."""

import struct
import zlib


def chunk(kind: bytes, payload: bytes) -> bytes:
    """Length, kind, payload and CRC-32."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
