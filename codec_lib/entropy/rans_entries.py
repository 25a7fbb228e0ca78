"""rANS for symbols that bring their own distribution.

`codec_lib.entropy.rans` codes with rows of tables that are laid out before. A model can also make a
distribution while it codes: the odds of a bit, the part of an alphabet that is possible here, a mixture for
each pixel. Then a symbol is coded by where it lies among the 2**16 slots of its own distribution,

    entry = start + 2**16 (frequency - 1)                              uint32

and decoded by all of that distribution, as a cumulative row 0 = c[0] < c[1] < ... = 2**16. A row with fewer
symbols than others ends in several 2**16. Two bits, each with odds of its own:

    >>> cdf = np.array([[0, 40000, 65536], [0, 1000, 65536]])
    >>> data = encode(entries_of([0, 1], cdf))
    >>> decoder = Decoder(data + b"and so on")
    >>> decoder.read(cdf[:1]), decoder.read(cdf[1:])
    (array([0], dtype=int32), array([1], dtype=int32))
    >>> decoder.finish() == len(data)
    True

The stream is that of `rans.encode` with one lane and without escape codes: symbols of the same frequencies
give the same bytes. Source: as there.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import int64, uint64

from codec_lib.entropy.checks import Numbers, integers
from codec_lib.entropy.compiled import compiled
from codec_lib.entropy.pmf import TOTAL
from codec_lib.entropy.rans import header, pack_states, parse_header
from codec_lib.entropy.rans_loops import LOWEST, PADDING, entry_of, pop, push
from codec_lib.errors import BitstreamError

ABOVE_ONE = 1 + 2.0**-51  # this / f, times x, has the integer part x // f: see `rans_loops.reciprocal`


def entries_of(symbols: Numbers, cdf: Numbers) -> np.ndarray:
    """Where symbols lie in their own distributions.

    Args:
        symbols: integers (N,), places in the rows.
        cdf: integers (N, L + 1), one cumulative row for each symbol, as `Decoder.read` takes them.
    Returns:
        uint32 (N,) entries.
    Raises:
        TypeError, ValueError: wrong dtype or shape, a row that breaks the rule, a symbol that its row
            does not have.
    """
    cdf, symbols = _check_rows(cdf), integers("symbols", symbols)
    if symbols.shape != cdf.shape[:1]:
        raise ValueError(f"symbols: shape {symbols.shape}, expected {cdf.shape[:1]} as rows of cdf")
    lengths = (cdf < TOTAL).sum(1)
    wrong = (symbols < 0) | (symbols >= lengths)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(f"symbols[{i}] = {symbols[i]}, expected 0 to {lengths[i] - 1}")
    rows = np.arange(symbols.size)
    start, end = cdf[rows, symbols].astype(np.int64), cdf[rows, symbols + 1].astype(np.int64)
    return entry_of.py_func(start, end).astype(np.uint32)


def encode(*parts: Numbers) -> bytes:
    """Encode a message, as one array or as parts that follow each other.

    Args:
        parts: integers (N,) each, start + 2**16 (frequency - 1) for each symbol.
    Returns:
        The bytes; neither N nor the distributions are in them.
    Raises:
        TypeError, ValueError: wrong dtype or shape, an entry that does not lie within the 2**16 slots.
    """
    checked = [_check_entries(part) for part in parts]
    words = np.empty(sum(part.size for part in checked) + 1, dtype="<u2")
    state, position = np.uint64(LOWEST), np.uint64(words.size)
    for part in reversed(checked):  # a stack: the last symbol first
        state, position = _push_all(part, words, state, position)
    return header(1, b"") + pack_states(np.array([state])) + words[int(position) :].tobytes()


def check(data: bytes, *parts: Numbers) -> None:
    """Decode a message again, beside the entries it was made from; RuntimeError unless they agree."""
    checked = [_check_entries(part) for part in parts]
    try:
        decoder = Decoder(data)
        for part in checked:
            decoder.run(_follow, part)
        agrees = decoder.finish() == len(data)
    except BitstreamError:
        agrees = False
    if not agrees:
        raise RuntimeError("rans: the stream does not decode to what was encoded")


class Decoder:
    """Decodes a message piece by piece; bytes that follow it are left alone.

    Args:
        data: what `encode` returned.
    Raises:
        BitstreamError: data starts with a header that `encode` does not write.
    """

    def __init__(self, data: bytes):
        codes, states, self.start = parse_header(data)
        if codes or len(states) != 1:
            raise BitstreamError(
                f"rans: {len(states)} lanes, {len(codes)} bytes of escape codes, expected 1 and 0"
            )
        self.words = np.zeros((len(data) - self.start) // 2 + PADDING, dtype=np.uint16)
        self.words[:-PADDING] = np.frombuffer(data, "<u2", self.words.size - PADDING, self.start)
        self.state, self.position = states[0], 0

    def read(self, cdf: Numbers) -> np.ndarray:
        """Return the next symbols, int32 (n,).

        Args:
            cdf: integers (n, L + 1), a row for each symbol: 0 = c[0] < c[1] < ... = 2**16, and 2**16 from
                there to the row's end.
        Raises:
            BitstreamError: data is truncated.
            TypeError, ValueError: wrong dtype or shape, a row that breaks the rule.
        """
        cdf = _check_rows(cdf)
        symbols = np.empty(len(cdf), dtype=np.int32)
        self.run(_pop_symbols, symbols, cdf)
        return symbols

    def run(self, loop: Callable, *arguments: Any) -> None:
        """Let a compiled loop, which knows the distributions, take symbols off.

        Args:
            loop: called with the arguments, then state, words and position; returns state and position. It
                stops when the position is past the last word, before the `PADDING`.
            arguments: what else it needs.
        Raises:
            BitstreamError: data is truncated.
        """
        state, position = loop(*arguments, self.state, self.words, self.position)
        self.state, self.position, left = np.uint64(state), int(position), self.words.size - PADDING
        if self.position > left:
            raise BitstreamError(f"rans: {left} words, expected more")

    def finish(self) -> int:
        """How many bytes of the data the message took; BitstreamError unless it ends here."""
        if self.state != LOWEST:
            raise BitstreamError(f"rans: last state {self.state}, expected {LOWEST}")
        return self.start + 2 * self.position


def _check_entries(entries: Numbers) -> np.ndarray:
    """Return `entries` as a contiguous uint32 (N,) array."""
    given = integers("entries", entries)
    entries = np.ascontiguousarray(given.astype(np.uint32))
    wrong = (entries != given) | ((entries & 0xFFFF) + (entries >> 16) > 0xFFFF)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(f"entries[{i}] = {given[i]}, expected start + frequency to be at most {TOTAL}")
    return entries


def _check_rows(cdf: Numbers) -> np.ndarray:
    """Return `cdf` as a contiguous int32 (n, L + 1) array of cumulative rows."""
    cdf = np.asarray(cdf)
    if cdf.dtype.kind not in "iu":
        raise TypeError(f"cdf: dtype {cdf.dtype}, expected integers")
    if cdf.ndim != 2 or cdf.shape[1] < 2:
        raise ValueError(f"cdf: shape {cdf.shape}, expected (n, L + 1) with L >= 1")
    if (i := _first_bad(cdf)) < len(cdf):
        row = ", ".join(map(str, cdf[i, :5].tolist())) + (", ..." if cdf.shape[1] > 5 else "")
        raise ValueError(f"cdf[{i}] = {row}, expected 0 = c[0] < c[1] < ... = {TOTAL}")
    return np.ascontiguousarray(cdf, dtype=np.int32)


@compiled
def _first_bad(cdf):
    """The number of the first row that is no cumulative row, or how many rows there are."""
    for i in range(cdf.shape[0]):
        before = int64(cdf[i, 0])
        good = before == 0
        for j in range(1, cdf.shape[1]):
            value = int64(cdf[i, j])
            good &= before < value <= TOTAL or before == value == TOTAL
            before = value
        if not (good and before == TOTAL):
            return i
    return cdf.shape[0]


@compiled
def _push_all(entries, words, x, position):
    x, position = uint64(x), uint64(position)
    for i in range(entries.size):
        entry = uint64(entries[entries.size - 1 - i])
        frequency = np.float64(np.int64(entry >> uint64(16))) + 1
        x, position = push(x, words, position, entry, ABOVE_ONE / frequency)
    return x, position


@compiled
def _pop_symbols(symbols, cdf, x, words, position):
    position, data_end = uint64(position), uint64(words.size - PADDING)
    for i in range(symbols.size):
        if position > data_end:
            return x, position
        slot = int64(x & uint64(0xFFFF))
        left, right = 0, cdf.shape[1] - 2  # the symbol is the last one with c[k] <= slot
        while left < right:
            middle = (left + right + 1) >> 1
            if cdf[i, middle] <= slot:
                left = middle
            else:
                right = middle - 1
        start, end = int64(cdf[i, left]), int64(cdf[i, left + 1])
        x, position = pop(x, words, position, uint64(entry_of(start, end)))
        symbols[i] = left
    return x, position


@compiled
def _follow(entries, x, words, position):
    """Pop a message that should have these entries; the state becomes 0, as none is, if it has others."""
    position, data_end = uint64(position), uint64(words.size - PADDING)
    for entry in entries:
        slot, start = x & uint64(0xFFFF), uint64(entry & 0xFFFF)
        if position > data_end or slot < start or slot - start > uint64(entry >> 16):
            return uint64(0), position
        x, position = pop(x, words, position, uint64(entry))
    return x, position
