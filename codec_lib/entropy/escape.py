"""Values outside of a table: fold the overshoot to a natural number, write it in Exp-Golomb.

A row with `size` in-range symbols codes the positions `0 .. size - 1`. Any other position
`k` folds to a number `u = 0, 1, 2, ...`, the ones just above and just below the row first:

    k          ...   -2   -1  |  size  size + 1  ...
    u          ...    3    1  |     0         2  ...

Order-0 Exp-Golomb (the universal code of H.264) then writes `u + 1`, a binary number of
`n + 1` digits, as `n` zeros and the digits: `2 n + 1` bits, each of probability one half.

    >>> [fold(k, size=10) for k in (10, -1, 11, -2)]
    [0, 1, 2, 3]
    >>> [unfold(u, size=10) for u in range(4)]
    [10, -1, 11, -2]
    >>> length(0), length(1), length(2**33)
    (1, 3, 67)
    >>> codes = write([0, 1, 2])              # 1, 010, 011, and a zero to fill the byte
    >>> f"{codes[0]:08b}", read(codes, 0, 3)
    ('10100110', ([0, 1, 2], 7))

Source: Teuhola, "A compression method for clustered bit-vectors", Information Processing
Letters 7 (1978).
"""

from collections.abc import Iterable

from codec_lib.errors import BitstreamError

MAX_ZEROS = 33  # two int32 values differ by less than 2**32, so u < 2**33 + 1


def fold(k: int, size: int) -> int:
    """Number an out-of-range position `k` (k < 0 or k >= size) as u = 0, 1, 2, ..."""
    return -2 * k - 1 if k < 0 else 2 * (k - size)


def unfold(u: int, size: int) -> int:
    """Return the position that `fold` numbered `u`."""
    return -(u + 1) // 2 if u & 1 else u // 2 + size


def length(u: int) -> int:
    """Count the bits of the Exp-Golomb code of `u`."""
    return 2 * (u + 1).bit_length() - 1


def write(numbers: Iterable[int]) -> bytes:
    """Return the codes of the numbers one after the other, the last byte filled up with zeros."""
    digits = "".join(f"{u + 1:0{length(u)}b}" for u in numbers)
    return int(digits.ljust(-(-len(digits) // 8) * 8, "0") or "0", 2).to_bytes(-(-len(digits) // 8), "big")


def read(codes: bytes, bit: int, count: int) -> tuple[list[int], int]:
    """Read `count` numbers from bit number `bit` on; return them and the bit behind them.

    Raises:
        BitstreamError: the codes end before that, or one has more zeros than any int32 needs.
    """
    numbers, end = [], 8 * len(codes)
    for _ in range(count):
        zeros = 0
        while bit < end and zeros <= MAX_ZEROS and not codes[bit >> 3] << (bit & 7) & 0x80:
            zeros, bit = zeros + 1, bit + 1
        if zeros > MAX_ZEROS:
            raise BitstreamError(f"escape codes: {zeros} zeros or more, expected at most {MAX_ZEROS}")
        if bit + zeros >= end:
            raise BitstreamError(f"escape codes: {len(codes)} bytes, expected more")
        window = int.from_bytes(codes[bit >> 3 : (bit + zeros >> 3) + 1], "big")
        spare = 7 - (bit + zeros & 7)
        numbers.append((window >> spare & ((1 << zeros + 1) - 1)) - 1)
        bit += zeros + 1
    return numbers, bit
