"""Rice codes: a few small integers, none of which has a table.

0, -1, 1, -2, 2, ... are counted 0, 1, 2, 3, 4, ...; of a count n the quotient n >> k is told in unary, as
ones and a zero, and the k low bits follow as they are. It is Huffman's code of a geometric distribution, so
nearly the best for what falls off like one. k is the first byte of a code.

>>> code = encode(np.array([0, 3, -1]))
>>> code.hex(), decode(code, 3).tolist()
('013880', [0, 3, -1])

Source: Rice, "Some practical universal noiseless coding techniques", JPL 79-22, 1979; Golomb 1966.
"""

import numpy as np

from codec_lib.errors import BitstreamError

LARGEST = 1 << 15  # absolute value of what is coded, not included
PARAMETERS = range(16)  # k


def bits(values: np.ndarray, k: int) -> np.ndarray:
    """The length of the code of each of some integers, same shape."""
    return (_counted(values) >> k) + 1 + k


def best(values: np.ndarray) -> int:
    """The k that makes the shortest code of some integers."""
    counts, k = _counted(np.asarray(values).ravel()), np.array(PARAMETERS)
    return int(((counts[:, None] >> k) + 1 + k).sum(0).argmin())


def encode(values: np.ndarray) -> bytes:
    """The code of some integers, (n,), each absolutely below LARGEST, to whole bytes with zeros."""
    k, counts = best(values), _counted(values).tolist()
    low = [f"{count & ((1 << k) - 1):0{k}b}" if k else "" for count in counts]
    written = "".join("1" * (count >> k) + "0" + rest for count, rest in zip(counts, low, strict=True))
    return bytes([k]) + np.packbits(np.frombuffer(written.encode(), np.uint8) - ord("0")).tobytes()


def decode(data: bytes, count: int) -> np.ndarray:
    """`count` integers, int32; BitstreamError where the bytes are not exactly their code."""
    if not data or data[0] not in PARAMETERS:
        raise BitstreamError(f"rice: k is {data[:1].hex() or 'missing'}, allowed is up to {PARAMETERS[-1]}")
    if len(data) > (longest := 2 + count * (2 * LARGEST + len(PARAMETERS)) // 8):
        raise BitstreamError(f"rice: {len(data)} bytes for {count} integers, allowed is up to {longest}")
    k, stream, counts = data[0], np.unpackbits(np.frombuffer(data[1:], np.uint8)), []
    zeros = np.flatnonzero(stream == 0)
    position = 0
    for _ in range(count):
        at = np.searchsorted(zeros, position)
        end = int(zeros[at]) + 1 if at < zeros.size else stream.size + 1  # after the zero
        if end + k > stream.size:
            raise BitstreamError(f"rice: {len(counts)} of {count} integers; truncated")
        low = stream[end : end + k] @ (1 << np.arange(k)[::-1])
        counts.append((end - 1 - position << k) + int(low))
        position = end + k
    if stream.size - position >= 8 or stream[position:].any():
        raise BitstreamError(f"rice: {stream.size - position} bits after {count} integers")
    found = np.array(counts, np.int64)
    values = np.where(found % 2, -(found + 1) // 2, found // 2)
    if (abs(values) >= LARGEST).any():
        raise BitstreamError(f"rice: {abs(values).max()}; allowed is less than {LARGEST}")
    return values.astype(np.int32)


def _counted(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, -2 * values - 1, 2 * values)
