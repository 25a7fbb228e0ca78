"""Colour profiles for tests, written by hand as the ICC specification (version 2) lays them out."""

import struct

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
LETTERS = (b"r", b"g", b"b")
SRGB_PRIMARIES = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
P3_PRIMARIES = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


def srgb_curve() -> np.ndarray:
    """1024 values of the transfer function of IEC 61966-2-1."""
    x = np.linspace(0, 1, 1024)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def curve(values: np.ndarray | float) -> bytes:
    """A `curv` element: samples of [0, 1], or one exponent."""
    if isinstance(values, float):
        return struct.pack(">4s4xIH", b"curv", 1, round(values * 256))
    return struct.pack(">4s4xI", b"curv", len(values)) + np.rint(values * 65535).astype(">u2").tobytes()


def xyz(values: tuple[float, float, float]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in values))


def profile(space: bytes, kind: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    """A complete profile; `space` is such as b"RGB ", `kind` such as b"mntr"."""
    text = b"a test profile\0"
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(D50),
        **tags,
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, element in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(element))
        body += element + bytes(-len(element) % 4)
    date, illuminant = struct.pack(">6H", 2000, 1, 1, 0, 0, 0), xyz(D50)[8:]
    head = struct.pack(
        ">I4xI4s4s4s12s4s28x12s48x",
        start + len(body), 0x02100000, kind, space, connection, date, b"acsp", illuminant,
    )  # fmt: skip
    return head + table + body


def matrix(primaries=SRGB_PRIMARIES, transfer: np.ndarray | float | None = None, more=None) -> bytes:
    """An RGB display profile of three primaries and one curve, and `more` elements by name."""
    transfer = curve(srgb_curve() if transfer is None else transfer)
    colorants = {name + b"XYZ": xyz(value) for name, value in zip(LETTERS, primaries, strict=True)}
    curves = {name + b"TRC": transfer for name in LETTERS}
    return profile(b"RGB ", b"mntr", colorants | curves | (more or {}))


def grey(exponent: float = 2.2) -> bytes:
    return profile(b"GRAY", b"mntr", {b"kTRC": curve(exponent)})


def table(channels: int, corners: np.ndarray) -> bytes:
    """An element `mft1`: the Lab colour of each corner of a space, uint8 (2**channels, 3), last fastest."""
    identity, unit = bytes(range(256)), (65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    head = struct.pack(">4s4x4B9i", b"mft1", channels, 3, 2, 0, *unit)
    return head + channels * identity + corners.astype(np.uint8).tobytes() + 3 * identity


def ink(corners: np.ndarray) -> bytes:
    """A CMYK printer profile from the Lab colour of each of its 16 corners."""
    return profile(b"CMYK", b"prtr", {b"A2B0": table(4, corners)}, connection=b"Lab ")
