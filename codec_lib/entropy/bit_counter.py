"""A coder that only counts: the same arguments, a number of bits instead of bytes.

>>> from codec_lib.entropy.pmf import Tables
>>> tables = Tables.from_pmfs([[0.5, 0.25]], offsets=[0])
>>> encode([0, 0, 1], [0, 0, 0], tables)
4.0
"""

from codec_lib.entropy.checks import Numbers
from codec_lib.entropy.pmf import Tables, ideal_bits


def encode(symbols: Numbers, indexes: Numbers, tables: Tables) -> float:
    """Return the ideal number of bits, escapes included, that a coder spends on `symbols`.

    Args:
        symbols: int32 (N,).
        indexes: uint8, uint16 or int32 (N,), table row of each symbol.
        tables: the rows.
    Raises:
        TypeError, ValueError: as the coders do.
    """
    return ideal_bits(symbols, indexes, tables)
