"""The range coder, written to be read: a message becomes a number in a shrinking interval.

Start with the interval [0, 1). Each symbol cuts the current interval in proportion to a
cumulative table and keeps its own part, so a symbol of probability p shrinks it by the factor p
and costs -log2 p bits. Any number of the last interval identifies the whole message; the file
holds the shortest one. With integers: `low` and `width` count in units of 2**-32 of the part
not yet written; when `width` falls below 2**24 the top byte of `low` is settled and moves out.

    >>> cumulative = [0, 4, 5, 6]             # "0" in 4 of 6 cases, "1" in 1, "2" in 1
    >>> encoder = Encoder()
    >>> for symbol in [0, 0, 0, 0, 1, 2]:
    ...     encoder.encode(symbol, cumulative)
    >>> data = encoder.finish()
    >>> decoder = Decoder(data)
    >>> [decoder.decode(cumulative) for _ in range(6)]
    [0, 0, 0, 0, 1, 2]
    >>> decoder.finish()                      # no byte missing, none left over

For speed use `codec_lib.entropy.rans`, which codes the same tables hundreds of times faster.
Source: Martin, "Range encoding: an algorithm for removing redundancy from a digitised message"
(1979); Witten, Neal and Cleary, "Arithmetic coding for data compression" (CACM 1987).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import numpy as np

from codec_lib.entropy import escape
from codec_lib.entropy.checks import INT32, Numbers, check_indexes, check_symbols
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import BitstreamError

WHOLE = 1 << 32  # width of the interval at the start
BYTE = 1 << 24  # one step of the top byte, and the width that is too small to go on with
COIN = [0, 1, 2]  # the cumulative table of a fair bit


def _byte_count(low: int, width: int) -> int:
    """Count the bytes that name a number from which no later byte leads out of the interval."""
    for count in range(4):
        unit = WHOLE >> 8 * count
        if -(-low // unit) * unit + unit <= low + width:
            return count
    return 4


class Encoder:
    """Narrows the interval `[low, low + width)` by one symbol after the other."""

    def __init__(self):
        self.low, self.width, self.out = 0, WHOLE, bytearray()

    def encode(self, symbol: int, cumulative: Sequence[int]) -> None:
        """Append one symbol.

        Args:
            symbol: 0 to len(cumulative) - 2.
            cumulative: integers 0 = c[0] < c[1] < ... ; the last, the total, is at most 2**24.
        Raises:
            ValueError: a symbol that the table does not have.
        """
        if not 0 <= symbol < len(cumulative) - 1:
            raise ValueError(f"symbol is {symbol}, expected 0 to {len(cumulative) - 2}")
        total = cumulative[-1]
        start = self.width * cumulative[symbol] // total
        end = self.width * cumulative[symbol + 1] // total
        self.low, self.width = self.low + start, end - start
        if self.low >= WHOLE:  # the sum overflowed: add 1 to the number written so far
            self.low -= WHOLE
            self._carry()
        while self.width < BYTE:  # the top byte is settled, but for a carry
            self.out.append(self.low // BYTE)
            self.low, self.width = self.low % BYTE * 256, self.width * 256

    def _carry(self) -> None:
        i = len(self.out) - 1
        while self.out[i] == 255:
            self.out[i] = 0
            i -= 1
        self.out[i] += 1

    def finish(self) -> bytes:
        """Return the message: a number of the interval, in as few bytes as tell it apart."""
        count = _byte_count(self.low, self.width)
        unit = WHOLE >> 8 * count
        number = -(-self.low // unit) * unit
        if number >= WHOLE:
            number -= WHOLE
            self._carry()
        return bytes(self.out) + number.to_bytes(4, "big")[:count]


class Decoder:
    """Finds, step by step, the part of the interval that holds the number in `data`."""

    def __init__(self, data: bytes):
        self.data, self.position = data, 4
        self.low, self.width = 0, WHOLE
        self.number = int.from_bytes(data[:4].ljust(4, b"\0"), "big")  # measured from `low`

    def decode(self, cumulative: Sequence[int]) -> int:
        """Return the next symbol; `cumulative` is what the encoder used for it."""
        total = cumulative[-1]
        target = ((self.number + 1) * total - 1) // self.width
        symbol = bisect_right(cumulative, target) - 1
        start = self.width * cumulative[symbol] // total
        end = self.width * cumulative[symbol + 1] // total
        self.low, self.width = (self.low + start) % WHOLE, end - start
        self.number -= start
        while self.width < BYTE:
            byte = self.data[self.position] if self.position < len(self.data) else 0
            self.position += 1
            self.low, self.width = self.low % BYTE * 256, self.width * 256
            self.number = self.number * 256 + byte
        return symbol

    def bytes_used(self) -> int:
        """Count the bytes that an encoder would have written for the symbols so far."""
        return self.position - 4 + _byte_count(self.low, self.width)

    def finish(self) -> None:
        """Check that the data ends where the message ends.

        Raises:
            BitstreamError: bytes are missing or left over, or are not those of an encoder.
        """
        used = self.bytes_used()
        if len(self.data) != used:
            raise BitstreamError(f"range coder: {len(self.data)} bytes, expected {used}")
        unit = WHOLE >> 8 * _byte_count(self.low, self.width)
        if (self.low + self.number) // unit != -(-self.low // unit):
            raise BitstreamError("range coder: last bytes are not what an encoder writes")


class AdaptiveModel:
    """Counts what has been seen, starting from one of each; needs no table in the file.

    >>> model = AdaptiveModel(3)
    >>> model.update(0)
    >>> model.cumulative
    [0, 2, 3, 4]
    """

    def __init__(self, alphabet: int):
        self.cumulative = list(range(alphabet + 1))

    def update(self, symbol: int) -> None:
        """Count one more `symbol`, after it has been coded: the decoder has seen it too."""
        for k in range(symbol + 1, len(self.cumulative)):
            self.cumulative[k] += 1


def encode_adaptive(symbols: Iterable[int], alphabet: int) -> bytes:
    """Encode integers 0 to alphabet - 1 with the counts of the symbols before them.

    >>> decode_adaptive(encode_adaptive([0, 0, 2, 0], alphabet=3), 4, alphabet=3)
    [0, 0, 2, 0]
    """
    encoder, model = Encoder(), AdaptiveModel(alphabet)
    for symbol in symbols:
        encoder.encode(symbol, model.cumulative)
        model.update(symbol)
    return encoder.finish()


def decode_adaptive(data: bytes, count: int, alphabet: int) -> list[int]:
    """Decode `count` symbols of `encode_adaptive`, learning the same counts on the way.

    Raises:
        BitstreamError: data is truncated or has bytes left over.
    """
    decoder, model, symbols = Decoder(data), AdaptiveModel(alphabet), []
    for _ in range(count):
        symbols.append(decoder.decode(model.cumulative))
        model.update(symbols[-1])
    decoder.finish()
    return symbols


def _rows(tables: Tables) -> list[list[int]]:
    return [row[: n + 1].tolist() for row, n in zip(tables.cdf, tables.length, strict=True)]


def encode(symbols: Numbers, indexes: Numbers, tables: Tables) -> bytes:
    """Encode symbols, each with its own row of the tables.

    Args:
        symbols: int32 (N,), any value.
        indexes: uint8, uint16 or int32 (N,), table row of each symbol.
        tables: the rows.
    Returns:
        The bytes; neither N nor the tables are in them.
    Raises:
        TypeError, ValueError: wrong dtype or shape, an index without a row.

    >>> tables = Tables.from_pmfs([[0.25, 0.5]], offsets=[-1])
    >>> decode(encode([0, -1, 7], [0, 0, 0], tables), [0, 0, 0], tables)
    array([ 0, -1,  7], dtype=int32)
    """
    indexes = check_indexes(indexes, tables)
    symbols = check_symbols(symbols, indexes)
    rows, offsets = _rows(tables), tables.offset.tolist()
    encoder = Encoder()
    for symbol, index in zip(symbols.tolist(), indexes.tolist(), strict=True):
        row, k = rows[index], symbol - offsets[index]
        size = len(row) - 2  # in-range symbols; the one after them is the escape
        if 0 <= k < size:
            encoder.encode(k, row)
        else:
            encoder.encode(size, row)
            code = escape.fold(k, size) + 1
            for digit in f"{code:0{escape.length(code - 1)}b}":
                encoder.encode(int(digit), COIN)
    return encoder.finish()


def decode(data: bytes, indexes: Numbers, tables: Tables) -> np.ndarray:
    """Decode what `encode` wrote with the same indexes and tables.

    Args:
        data: the bytes.
        indexes: uint8, uint16 or int32 (N,), table row of each symbol.
        tables: the rows.
    Returns:
        int32 (N,) symbols.
    Raises:
        BitstreamError: data is truncated, has bytes left over, or holds a value outside of int32.
        TypeError, ValueError: wrong dtype or shape of indexes, an index without a row.
    """
    indexes = check_indexes(indexes, tables)
    rows, offsets = _rows(tables), tables.offset.tolist()
    decoder = Decoder(bytes(data))
    symbols = []
    for index in indexes.tolist():
        row = rows[index]
        size = len(row) - 2
        k = decoder.decode(row)
        if k == size:
            k = escape.unfold(_decode_number(decoder), size)
        if not INT32.min <= k + offsets[index] <= INT32.max:
            raise BitstreamError(f"range coder: symbol {k + offsets[index]} is outside of int32")
        symbols.append(k + offsets[index])
    decoder.finish()
    return np.array(symbols, dtype=np.int32)


def _decode_number(decoder: Decoder) -> int:
    zeros = 0
    while decoder.decode(COIN) == 0:
        zeros += 1
        if zeros > escape.MAX_ZEROS:
            raise BitstreamError(f"range coder: escape code of {zeros} zeros, expected at most 33")
    code = 1
    for _ in range(zeros):
        code = 2 * code + decoder.decode(COIN)
    return code - 1
