"""Interleaved rANS, the production coder: a message becomes one growing integer.

The state `x` is a stack of symbols. Pushing a symbol of frequency `f` that starts at `c` in the
cumulative table multiplies the state by about `2**16 / f`, so it costs `16 - log2 f` bits:

    push:   x  ->  (x // f) * 2**16 + c + x % f
    pop:    slot = x % 2**16,  the symbol is the k with c[k] <= slot < c[k + 1],
            x  ->  f * (x // 2**16) + slot - c

A stack returns the last symbol first: the encoder starts with the last one. To keep `x` within
40 bits, the encoder spills a 16-bit word before a push and the decoder reads it back after the
pop. Long messages deal their symbols to four independent states, in turn, that share the words:
a processor works on all four at a time.

Stream: each state as a 40-bit number, then the words in the order in which the decoder needs
them, all little-endian. Every state starts at 2**24, which the decoder checks in the end.
(Rounding in `x // f` costs about f / x of a bit: 2**24 keeps that below what one can measure.)

    >>> from codec_lib.entropy.pmf import Tables
    >>> tables = Tables.from_pmfs([[0.5, 0.25, 0.24]], offsets=[-1])
    >>> data = encode([0, -1, 0, 1000], [0, 0, 0, 0], tables)
    >>> len(data)
    9
    >>> decode(data, [0, 0, 0, 0], tables)
    array([   0,   -1,    0, 1000], dtype=int32)

Source: Duda, "Asymmetric numeral systems" (arXiv:1311.2540); Giesen, "Interleaved entropy
coders" (arXiv:1402.3392).
"""

from weakref import WeakKeyDictionary

import numpy as np

from codec_lib.entropy.checks import check_indexes, check_symbols
from codec_lib.entropy.pmf import Tables
from codec_lib.entropy.rans_loops import (
    ESCAPE_WORDS,
    INT32_MAX,
    INT32_MIN,
    LANES,
    LONG,
    LOWEST,
    PADDING,
    STATE_BYTES,
    decode_words,
    encode_words,
    fill_buckets,
    pop,
    push,
)
from codec_lib.errors import BitstreamError

__all__ = ["Decoder", "decode", "encode", "lanes", "pop", "push"]


def lanes(count: int) -> int:
    """Return how many states a message of `count` symbols has: none, one, or four."""
    return 0 if count == 0 else 1 if count < LONG else LANES


def _prepare(tables: Tables):
    if tables not in _PREPARED:
        _PREPARED[tables] = tables.length - 1, tables.offset, tables.cdf, fill_buckets(tables.cdf)
    return _PREPARED[tables]


_PREPARED = WeakKeyDictionary()


def encode(symbols, indexes, tables: Tables) -> bytes:
    """Encode symbols, each with its own row of the tables.

    Args:
        symbols: int32 (N,), any value.
        indexes: uint8, uint16 or int32 (N,), table row of each symbol.
        tables: the rows.
    Returns:
        The bytes; neither N nor the tables are in them. None at all if N is 0.
    Raises:
        TypeError, ValueError: wrong dtype or shape, an index without a row.
    """
    indexes = check_indexes(indexes, tables)
    symbols = check_symbols(symbols, indexes)
    size, offset, cdf, _ = _prepare(tables)
    capacity = symbols.size + ESCAPE_WORDS
    while True:
        states = np.full(lanes(symbols.size), LOWEST, dtype=np.int64)
        words = np.empty(capacity, dtype="<u2")
        position = encode_words(symbols, indexes, size, offset, cdf, states, words)
        if position >= 0:
            return (
                b"".join(int(x).to_bytes(STATE_BYTES, "little") for x in states)
                + words[position:].tobytes()
            )
        capacity *= 2  # many escapes: they alone need more than a word a symbol


class Decoder:
    """Decodes a message piece by piece, for models whose indexes depend on earlier symbols.

    Args:
        data: what `encode` returned.
        count: number of symbols N of the whole message.
        tables: the rows.
    Raises:
        BitstreamError: data is too short, of an odd length, or does not start with states.

    >>> tables = Tables.from_pmfs([[0.5, 0.25]], offsets=[0])
    >>> decoder = Decoder(encode([0, 1, 5], [0, 0, 0], tables), 3, tables)
    >>> decoder.read([0]), decoder.read([0, 0])
    (array([0], dtype=int32), array([1, 5], dtype=int32))
    >>> decoder.finish()
    """

    def __init__(self, data: bytes, count: int, tables: Tables):
        head = STATE_BYTES * lanes(count)
        if len(data) < head or (len(data) - head) % 2:
            raise BitstreamError(f"rans: {len(data)} bytes, expected {head} and a multiple of 2")
        states = [data[i : i + STATE_BYTES] for i in range(0, head, STATE_BYTES)]
        self.states = np.array([int.from_bytes(x, "little") for x in states], dtype=np.int64)
        if (self.states < LOWEST).any():
            raise BitstreamError(f"rans: state is {self.states.min()}, expected {LOWEST} or more")
        self.words = np.zeros((len(data) - head) // 2 + PADDING, dtype=np.uint16)
        self.words[:-PADDING] = np.frombuffer(data, "<u2", offset=head)
        self.count, self.done, self.position = count, 0, 0
        self.tables = tables

    def read(self, indexes) -> np.ndarray:
        """Return the next symbols, int32 (n,), one for each of the n indexes.

        Raises:
            BitstreamError: data is truncated or holds a value outside of int32.
            TypeError, ValueError: bad indexes, or more of them than symbols are left.
        """
        indexes = check_indexes(indexes, self.tables)
        if self.done + indexes.size > self.count:
            raise ValueError(f"indexes: {indexes.size}, expected up to {self.count - self.done}")
        symbols = np.empty(indexes.size, dtype=np.int32)
        self.position = decode_words(
            symbols, indexes, self.done, *_prepare(self.tables),
            self.states, self.words, self.position,
        )  # fmt: skip
        if self.position < 0:
            raise BitstreamError(f"rans: symbol outside of {INT32_MIN} to {INT32_MAX}")
        if self.position > self.words.size - PADDING:
            raise BitstreamError(f"rans: {self.words.size - PADDING} words, expected more")
        self.done += indexes.size
        return symbols

    def finish(self) -> None:
        """Check that all symbols and all words were read and the states are back at the start.

        Raises:
            BitstreamError: symbols or words are left over, or a state differs.
        """
        left = self.words.size - PADDING - self.position
        if self.done != self.count or left:
            raise BitstreamError(
                f"rans: {self.count - self.done} symbols and {left} words left, expected none"
            )
        if (self.states != LOWEST).any():
            raise BitstreamError(f"rans: last states {self.states.tolist()}, expected {LOWEST}")


def decode(data: bytes, indexes, tables: Tables) -> np.ndarray:
    """Decode what `encode` wrote with the same indexes and tables.

    Args:
        data: the bytes.
        indexes: uint8, uint16 or int32 (N,), table row of each symbol.
        tables: the rows.
    Returns:
        int32 (N,) symbols.
    Raises:
        BitstreamError: data is truncated, has bytes left over, or is not what `encode` writes.
        TypeError, ValueError: wrong dtype or shape of indexes, an index without a row.
    """
    indexes = check_indexes(indexes, tables)
    decoder = Decoder(data, indexes.size, tables)
    symbols = decoder.read(indexes)
    decoder.finish()
    return symbols
