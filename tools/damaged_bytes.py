"""Damage to bytes that knows nothing of what they mean: (data, random, another message) -> damaged data.

Where and what is decided by `random`; the other message is what a splice goes on with.
"""

from numpy.random import Generator

LONGEST_RUN = 64  # bytes that one damage inserts, deletes, repeats or erases


def bit_flips(data: bytes, random: Generator, other: bytes) -> bytes:
    damaged = bytearray(data)
    for bit in random.integers(8 * len(data), size=random.integers(1, 9) if data else 0):
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def substituted_bytes(data: bytes, random: Generator, other: bytes) -> bytes:
    damaged = bytearray(data)
    for place in random.integers(len(data), size=random.integers(1, 9) if data else 0):
        damaged[place] = random.integers(256)
    return bytes(damaged)


def truncation(data: bytes, random: Generator, other: bytes) -> bytes:
    return data[: random.integers(len(data) + 1)]


def insertion(data: bytes, random: Generator, other: bytes) -> bytes:
    start, _ = _run(data, random)
    return data[:start] + random.bytes(random.integers(1, LONGEST_RUN)) + data[start:]


def deletion(data: bytes, random: Generator, other: bytes) -> bytes:
    start, end = _run(data, random)
    return data[:start] + data[end:]


def duplication(data: bytes, random: Generator, other: bytes) -> bytes:
    start, end = _run(data, random)
    return data[:end] + data[start:]


def erasure(data: bytes, random: Generator, other: bytes) -> bytes:
    start, end = _run(data, random)
    return data[:start] + random.choice([b"\0", b"\xff"]) * (end - start) + data[end:]


def splice(data: bytes, random: Generator, other: bytes) -> bytes:
    cut = random.integers(len(data) + 1)
    return data[:cut] + other[min(cut, len(other)) if random.random() < 0.5 else len(other) // 2 :]


def random_bytes(data: bytes, random: Generator, other: bytes) -> bytes:
    kept = random.choice([0, 4, 5, len(data) // 2])
    return data[:kept] + random.bytes(random.integers(2 * LONGEST_RUN))


BYTES = (
    bit_flips, substituted_bytes, truncation, insertion, deletion, duplication, erasure, splice,
    random_bytes,
)  # fmt: skip


def _run(data: bytes, random: Generator) -> tuple[int, int]:
    start = int(random.integers(len(data) + 1))
    return start, min(len(data), start + int(random.integers(1, LONGEST_RUN)))
