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

Source: Teuhola, "A compression method for clustered bit-vectors", Information Processing
Letters 7 (1978).
"""

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
