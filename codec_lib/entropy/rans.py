"""Interleaved rANS, the production coder: a message becomes one growing integer.

The state `x` is a stack of symbols. Pushing a symbol of frequency `f` that starts at `c` in the
cumulative table multiplies the state by about `2**16 / f`, so it costs `16 - log2 f` bits:

    push:   x  ->  (x // f) * 2**16 + c + x % f
    pop:    slot = x % 2**16,  the symbol is the k with c[k] <= slot < c[k + 1],
            x  ->  f * (x // 2**16) + slot - c

A stack returns the last symbol first: the encoder starts with the last one. To keep `x` within
40 bits, the encoder spills a 16-bit word before a push and the decoder reads it back after the
pop. Several independent states, the lanes, share the words: symbol `i` belongs to lane `i % lanes`.
A processor core works on four lanes at a time, a GPU on 32 and more.

Stream, little-endian throughout:

    1 byte       low half: log2 of the number of lanes; high half: n, the size of the next field
    n bytes      how many bytes of escape codes there are; n = 0 if none
    .            escape codes of the values outside of their rows, in order (`escape.write`)
    5 * lanes    the states that the decoder starts with
    .            16-bit words, in the order in which the decoder needs them

Every state ends at 2**24 in the decoder, which checks it. (Rounding in `x // f` costs about f / x
of a bit: 2**24 keeps that below what one can measure.)

    >>> from codec_lib.entropy.pmf import Tables
    >>> tables = Tables.from_pmfs([[0.5, 0.25, 0.24]], offsets=[-1])
    >>> data = encode([0, -1, 0, 1000], [0, 0, 0, 0], tables)
    >>> len(data)
    10
    >>> decode(data, [0, 0, 0, 0], tables)
    array([   0,   -1,    0, 1000], dtype=int32)

Source: Duda, "Asymmetric numeral systems" (arXiv:1311.2540); Giesen, "Interleaved entropy
coders" (arXiv:1402.3392).
"""

import math
from weakref import WeakKeyDictionary

import numpy as np

from codec_lib.entropy import escape
from codec_lib.entropy.checks import INT32, Numbers, check_indexes, check_symbols
from codec_lib.entropy.pmf import TOTAL, Tables
from codec_lib.entropy.rans_loops import (
    LOWEST,
    PADDING,
    REGISTERS,
    Rows,
    decode_words,
    encode_words,
    lay_out,
    pop,
    push,
    reciprocal,
)
from codec_lib.errors import BitstreamError

__all__ = ["Decoder", "decode", "encode", "pop", "push", "reciprocal"]

STATE_BYTES = 5  # of a lane, at the head of a stream
LONG_MESSAGE = 1 << 14  # messages below this length use one lane: each lane costs four bytes
MAX_LANES_LOG2 = 10


def lanes_for(count: int) -> int:
    """How many lanes a message of `count` symbols has unless the caller chooses: one or four."""
    return 1 if count < LONG_MESSAGE else REGISTERS


def fewest_bytes(count: int, tables: Tables) -> int:
    """Bytes that no message of `count` symbols gets below: likely symbols cost little, but not nothing.

    A push makes a state of 2**24 or more larger by (2**16 - f) (x // f) / x at least, and f / x is at most
    2**-8.
    """
    growth = (TOTAL / tables.largest - 1) * (1 - 2**-8)
    return math.floor(count * math.log2(1 + growth) / 8)


def rows_of(tables: Tables) -> Rows:
    """The tables as the loops read them; laid out once."""
    if tables not in _ROWS:
        _ROWS[tables] = lay_out(tables)
    return _ROWS[tables]


_ROWS = WeakKeyDictionary()


def encode(symbols: Numbers, indexes: Numbers, tables: Tables, lanes: int | None = None) -> bytes:
    """Encode symbols, each with its own row of the tables.

    Args:
        symbols: int32 (N,), any value.
        indexes: uint8, uint16 or int32 (N,), table row of each symbol.
        tables: the rows.
        lanes: number of states, a power of two up to 1024; None for what suits a processor core.
    Returns:
        The bytes; neither N nor the tables are in them. None at all if N is 0.
    Raises:
        TypeError, ValueError: wrong dtype or shape, an index without a row, a bad number of lanes.
    """
    indexes = check_indexes(indexes, tables)
    symbols = check_symbols(symbols, indexes)
    lanes = lanes_for(symbols.size) if lanes is None else lanes
    check_lanes(lanes)
    if symbols.size == 0:
        return b""
    states = np.full(lanes, LOWEST, dtype=np.uint64)
    words = np.empty(symbols.size, dtype="<u2")  # a push spills one word at most
    places = np.empty(symbols.size + 1, dtype=np.int64)
    position, escapes = encode_words(symbols, indexes, rows_of(tables), states, words, places)
    places = places[:escapes][::-1]
    codes = escape_codes(symbols[places], indexes[places], tables)
    return header(lanes, codes) + pack_states(states) + words[int(position) :].tobytes()


class Decoder:
    """Decodes a message piece by piece, for models whose indexes depend on earlier symbols.

    Args:
        data: what `encode` returned; bytes that follow it are left alone.
        count: number of symbols N of the whole message.
        tables: the rows.
    Raises:
        BitstreamError: data ends within its header, is too short for so many symbols, or holds states that
            no encoder writes.

    >>> tables = Tables.from_pmfs([[0.5, 0.25]], offsets=[0])
    >>> data = encode([0, 1, 5], [0, 0, 0], tables)
    >>> decoder = Decoder(data + b"and so on", 3, tables)
    >>> decoder.read([0]), decoder.read([0, 0])
    (array([0], dtype=int32), array([1, 5], dtype=int32))
    >>> decoder.finish() == len(data)
    True
    """

    def __init__(self, data: bytes, count: int, tables: Tables):
        self.codes, self.states, self.head = checked_header(data, count, tables)
        self.words = np.zeros((len(data) - self.head) // 2 + PADDING, dtype=np.uint16)
        self.words[:-PADDING] = np.frombuffer(data, "<u2", self.words.size - PADDING, self.head)
        self.count, self.done, self.position, self.bit = count, 0, 0, 0
        self.tables, self.rows, self.size = tables, rows_of(tables), len(data)

    def read(self, indexes: Numbers) -> np.ndarray:
        """Return the next symbols, int32 (n,), one for each of the n indexes.

        Raises:
            BitstreamError: data is truncated or holds a value outside of int32.
            TypeError, ValueError: bad indexes, or more of them than symbols are left.
        """
        indexes = check_indexes(indexes, self.tables)
        if self.done + indexes.size > self.count:
            raise ValueError(f"indexes: {indexes.size}, expected up to {self.count - self.done}")
        symbols = np.empty(indexes.size, dtype=np.int32)
        places = np.empty(indexes.size + 1, dtype=np.int64)
        position, escapes = decode_words(
            symbols, indexes, self.done, self.rows, self.states, self.words, self.position, places
        )
        self.position, left = int(position), self.words.size - PADDING
        if self.position > left:
            raise BitstreamError(f"rans: {left} words, expected more")
        places = places[:escapes]
        symbols[places], self.bit = escaped_values(self.codes, self.bit, indexes[places], self.tables)
        self.done += indexes.size
        return symbols

    def finish(self) -> int:
        """Check that the message ends here, and return how many bytes it takes of the data.

        Raises:
            BitstreamError: symbols or escape codes are left over, or a state is not the first one.
        """
        if self.done != self.count:
            raise BitstreamError(f"rans: {self.count - self.done} symbols left, expected none")
        check_end(self.codes, self.bit, self.states)
        return self.head + 2 * self.position

    def complete(self) -> None:
        """The same for data that nothing follows: BitstreamError, too, if bytes are left over."""
        if (used := self.finish()) != self.size:
            raise BitstreamError(f"rans: {self.size} bytes, expected {used}")


def decode(data: bytes, indexes: Numbers, tables: Tables) -> np.ndarray:
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
    decoder.complete()
    return symbols


def check_lanes(lanes: int) -> None:
    """ValueError unless a stream can have so many lanes."""
    if lanes < 1 or lanes.bit_count() != 1 or lanes > 1 << MAX_LANES_LOG2:
        raise ValueError(f"lanes: {lanes}, expected a power of two up to {1 << MAX_LANES_LOG2}")


NO_STATES = np.empty(0, dtype=np.uint64)


def header(lanes: int, codes: bytes) -> bytes:
    """The stream's first fields: lanes, length of the escape codes, the codes."""
    size = -(-len(codes).bit_length() // 8)
    return bytes([lanes.bit_length() - 1 | size << 4]) + len(codes).to_bytes(size, "little") + codes


def pack_states(states: np.ndarray) -> bytes:
    """Each of the states as a 40-bit number."""
    return states.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :STATE_BYTES].tobytes()


def checked_header(data: bytes, count: int, tables: Tables) -> tuple[bytes, np.ndarray, int]:
    """The same as `parse_header` gives, of a stream of `count` symbols: without any it is empty.

    Raises BitstreamError, too, for data that is too short for so many, whatever their rows.
    """
    if len(data) < (least := fewest_bytes(count, tables)):
        raise BitstreamError(f"rans: {len(data)} bytes, expected {least} at least")
    return parse_header(data) if count else (b"", NO_STATES, 0)


def parse_header(data: bytes) -> tuple[bytes, np.ndarray, int]:
    """Escape codes, states uint64 (lanes,), and where the words start.

    Raises BitstreamError for a header that `encode` does not write.
    """
    if not data:
        raise BitstreamError("rans: 0 bytes, expected a header")
    log2, size = data[0] & 15, data[0] >> 4
    if log2 > MAX_LANES_LOG2:
        raise BitstreamError(f"rans: 2**{log2} lanes, expected at most 2**{MAX_LANES_LOG2}")
    if size > 4:
        raise BitstreamError(f"rans: length of escape codes in {size} bytes, expected at most 4")
    length = data[1 : 1 + size]
    start = 1 + size + int.from_bytes(length, "little")
    end = start + (STATE_BYTES << log2)
    if end > len(data):
        raise BitstreamError(f"rans: {len(data)} bytes, expected {end} at least")
    if length.endswith(b"\0"):
        raise BitstreamError(f"rans: length of escape codes in {size} bytes, expected the fewest")
    states = np.zeros((1 << log2, 8), dtype=np.uint8)
    states[:, :STATE_BYTES] = np.frombuffer(data[start:end], np.uint8).reshape(-1, STATE_BYTES)
    states = states.view("<u8").ravel().astype(np.uint64)
    if (states < LOWEST).any():
        raise BitstreamError(f"rans: state is {states.min()}, expected {LOWEST} or more")
    return data[1 + size : start], states, end


def escape_codes(symbols: np.ndarray, indexes: np.ndarray, tables: Tables) -> bytes:
    """The codes of symbols that lie outside of their rows."""
    if symbols.size == 0:
        return b""
    sizes = (tables.length[indexes] - 1).tolist()
    places = (symbols.astype(np.int64) - tables.offset[indexes]).tolist()
    return escape.write([escape.fold(k, size) for k, size in zip(places, sizes, strict=True)])


def escaped_values(codes: bytes, bit: int, indexes: np.ndarray, tables: Tables) -> tuple[np.ndarray, int]:
    """The values, int32, that the next codes stand for in rows `indexes`, and the bit behind them."""
    numbers, bit = escape.read(codes, bit, indexes.size)
    sizes = (tables.length[indexes] - 1).tolist()
    places = [escape.unfold(u, size) for u, size in zip(numbers, sizes, strict=True)]
    values = tables.offset[indexes] + np.array(places, dtype=np.int64)
    if values.size and not INT32.min <= values.min() <= values.max() <= INT32.max:
        raise BitstreamError(f"rans: symbol outside of {INT32.min} to {INT32.max}")
    return values.astype(np.int32), bit


def check_end(codes: bytes, bit: int, states: np.ndarray) -> None:
    """BitstreamError unless all escape codes were read and all states are back at the start."""
    if -(-bit // 8) != len(codes) or (bit % 8 and codes[-1] << bit % 8 & 0xFF):
        raise BitstreamError(f"rans: {len(codes)} bytes of escape codes, expected {-(-bit // 8)}")
    if (states != LOWEST).any():
        raise BitstreamError(f"rans: last states {states[:4].tolist()}, expected {LOWEST}")
