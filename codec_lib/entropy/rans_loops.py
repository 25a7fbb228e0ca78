"""The compiled loops of `codec_lib.entropy.rans`: plain Python for Numba, integers and arrays only.

`push` and `pop` are the two equations of rANS. Around them: `entry_of`, which makes what both take;
`locate` and `find`, which turn a symbol or a slot into an entry of the tables; and the loops over a whole
message. Four lanes, the usual number, keep their states in registers; any other number keeps them in an
array.

All table rows lie one after the other, a 64-bit word an entry, so that one load brings all of it:

    bits 0-15 start c,  bits 16-31 frequency f - 1,  bits 32-63 value of the symbol (int32)

The last entry of a row is the escape symbol. The loops code it like any other; what it stands for
is taken from and put into the message before and after (`codec_lib.entropy.escape`).
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numba import uint32, uint64

from codec_lib.entropy.compiled import compiled, inline
from codec_lib.entropy.pmf import TOTAL, Tables

LOWEST = 1 << 24  # states live in [2**24, 2**40)
REGISTERS = 4  # lanes of the fast loops
PADDING = 8  # zero words behind the data, so that four pops may look beyond its end
BUCKET_BITS = 8  # the upper bits of a slot tell about where in its row the symbol is


class Rows(NamedTuple):
    """`Tables` laid out for the loops, for T rows with E entries in all.

    offset int32 (T,), size uint32 (T,) without the escape symbol, first uint32 (T,) the row's first
    entry; entry uint64 (E,), reciprocal float64 (E,); bucket uint32 (T * 2**BUCKET_BITS,): the entry
    that holds the first slot of each bucket.
    """

    offset: np.ndarray
    size: np.ndarray
    first: np.ndarray
    entry: np.ndarray
    reciprocal: np.ndarray
    bucket: np.ndarray


@inline
def entry_of(start, end):
    """The lower half of an entry, for a symbol that has the slots from `start` up to `end`."""
    return start | (end - start - 1) << 16


def lay_out(tables: Tables) -> Rows:
    """Lay the tables out for the loops."""
    used = np.arange(tables.cdf.shape[1] - 1) < tables.length[:, None]
    frequency = np.diff(tables.cdf, axis=1)[used].astype(np.uint64)
    start = tables.cdf[:, :-1][used].astype(np.uint64)
    first = np.cumsum(tables.length) - tables.length
    place = np.arange(len(start)) - np.repeat(first, tables.length)
    value = (np.repeat(tables.offset.astype(np.int64), tables.length) + place).astype(np.uint32)
    sixteen = np.uint64(16)
    high = value.astype(np.uint64) << sixteen | (frequency - np.uint64(1))
    return Rows(
        offset=tables.offset,
        size=(tables.length - 1).astype(np.uint32),
        first=first.astype(np.uint32),
        entry=high << sixteen | start,
        reciprocal=reciprocal(frequency),
        bucket=fill_buckets(start, first, tables.length),
    )


def reciprocal(frequency):
    """1 / f, two roundings up: then the integer part of x times this is x // f, for x below 2**40.

    The product exceeds x / f by a relative error between 0 and 2**-50: enough to reach a multiple
    of f in spite of rounding, too little (x 2**-50 / f < 1 / f) to reach the next one.
    """
    return np.nextafter(np.nextafter(1 / np.asarray(frequency, dtype=np.float64), 2), 2)


@compiled
def fill_buckets(start, first, length):
    """Tell, for each row and each bucket of slots, which entry holds the bucket's first slot."""
    buckets = np.empty(len(first) << BUCKET_BITS, dtype=np.uint32)
    for row in range(len(first)):
        entry, last = first[row], first[row] + length[row] - 1
        for k in range(1 << BUCKET_BITS):
            while entry < last and start[entry + 1] <= np.uint64(k << (16 - BUCKET_BITS)):
                entry += 1
            buckets[(row << BUCKET_BITS) + k] = entry
    return buckets


@inline
def push(x, words, position, entry, reciprocal):
    """Push the symbol of a table entry onto the state `x`; spill a word if there is no room for it.

    Words are written from the end of the buffer to its start.
    """
    start, others = entry & uint64(0xFFFF), uint64(0xFFFF) - (entry >> uint64(16) & uint64(0xFFFF))
    words[position - uint64(1)] = x  # its low 16 bits, kept only if `position` moves
    spill = x >> uint64(24) >= uint64(TOTAL) - others  # x >= f * 2**24
    x = x >> uint64(16) if spill else x
    quotient = uint64(np.int64(np.float64(np.int64(x)) * reciprocal))  # x // f
    # quotient * 2**16 + start + x % f, where 2**16 = f + others
    return x + start + quotient * others, position - uint64(spill)


@inline
def pop(x, words, position, entry):
    """Take a table entry's symbol off the state `x`; read a word if the state gets low."""
    start, most = entry & uint64(0xFFFF), entry >> uint64(16) & uint64(0xFFFF)  # most = f - 1
    x = (most + uint64(1)) * (x >> uint64(16)) + (x & uint64(0xFFFF)) - start
    low = x < uint64(LOWEST)
    refilled = x << uint64(16) | uint64(words[position])
    return refilled if low else x, position + uint64(low)


@inline
def locate(symbol, index, rows):
    """Return the place of a symbol in its row, the row's size, and whether it lies outside."""
    place, size = uint32(symbol - rows.offset[index]), rows.size[index]
    return place, size, place >= size


@inline
def find(x, index, rows):
    """Return the table entry whose slots hold the lowest 16 bits of `x`."""
    slot = x & uint64(0xFFFF)
    j = uint64(rows.bucket[(index << uint64(BUCKET_BITS)) | (slot >> uint64(16 - BUCKET_BITS))])
    entry = rows.entry[j]
    while slot - (entry & uint64(0xFFFF)) > (entry >> uint64(16) & uint64(0xFFFF)):
        j += uint64(1)
        entry = rows.entry[j]
    return entry


@inline
def is_escape(entry):
    """Tell whether an entry is the last one of its row: start + f is 2**16."""
    return (entry & uint64(0xFFFF)) + (entry >> uint64(16) & uint64(0xFFFF)) == uint64(0xFFFF)


@inline
def value_of(entry):
    """Return the symbol of an entry."""
    return np.int32(np.int64(entry) >> np.int64(32))


@inline
def note(at, count, i, wanted):
    """Append `i` to the first `count` elements of `at` if it is wanted; return the new count."""
    at[count] = i
    return count + wanted


@compiled
def encode_words(symbols, indexes, rows, states, words, escaped):
    """Push all symbols, the last one first, lane i % lanes for symbol i.

    Returns where in `words` the stream starts, and how many escapes there are; `escaped`, one longer
    than the message, gets their places, the last one first.
    """
    i, position, escapes, lanes = symbols.size, uint64(words.size), 0, states.size
    while i > 0 and not (lanes == REGISTERS and i % REGISTERS == 0):
        i -= 1
        lane, index = uint64(i & (lanes - 1)), uint64(indexes[uint64(i)])
        k, size, outside = locate(symbols[uint64(i)], index, rows)
        if outside:
            escapes, k = note(escaped, escapes, i, True), size
        j = uint64(rows.first[index] + k)
        x, position = push(states[lane], words, position, rows.entry[j], rows.reciprocal[j])
        states[lane] = x
    if i == 0:
        return position, escapes

    a, b, c, d = states[0], states[1], states[2], states[3]
    while i > 0:
        i -= 4
        row0, row1 = uint64(indexes[uint64(i)]), uint64(indexes[uint64(i + 1)])
        row2, row3 = uint64(indexes[uint64(i + 2)]), uint64(indexes[uint64(i + 3)])
        k0, size0, outside0 = locate(symbols[uint64(i)], row0, rows)
        k1, size1, outside1 = locate(symbols[uint64(i + 1)], row1, rows)
        k2, size2, outside2 = locate(symbols[uint64(i + 2)], row2, rows)
        k3, size3, outside3 = locate(symbols[uint64(i + 3)], row3, rows)
        if outside0 | outside1 | outside2 | outside3:
            escapes = note(escaped, escapes, i + 3, outside3)
            escapes = note(escaped, escapes, i + 2, outside2)
            escapes = note(escaped, escapes, i + 1, outside1)
            escapes = note(escaped, escapes, i, outside0)
            k0, k1, k2, k3 = min(k0, size0), min(k1, size1), min(k2, size2), min(k3, size3)
        j0, j1 = uint64(rows.first[row0] + k0), uint64(rows.first[row1] + k1)
        j2, j3 = uint64(rows.first[row2] + k2), uint64(rows.first[row3] + k3)
        d, position = push(d, words, position, rows.entry[j3], rows.reciprocal[j3])
        c, position = push(c, words, position, rows.entry[j2], rows.reciprocal[j2])
        b, position = push(b, words, position, rows.entry[j1], rows.reciprocal[j1])
        a, position = push(a, words, position, rows.entry[j0], rows.reciprocal[j0])
    states[0], states[1], states[2], states[3] = a, b, c, d
    return position, escapes


@compiled
def decode_words(symbols, indexes, done, rows, states, words, position, escaped):
    """Pop a symbol for each index, after the `done` first of the message.

    Returns the new position, past the end of the data if the words do not suffice, and how many
    escapes there are; `escaped`, one longer than the indexes, gets their places.
    """
    i, position, end = 0, uint64(position), uint64(words.size - PADDING)
    escapes, lanes, count = 0, states.size, indexes.size
    while i < count and position <= end:
        if lanes != REGISTERS or (done + i) % REGISTERS or i + REGISTERS > count:
            lane = uint64((done + i) & (lanes - 1))
            entry = find(states[lane], uint64(indexes[uint64(i)]), rows)
            states[lane], position = pop(states[lane], words, position, entry)
            symbols[uint64(i)] = value_of(entry)
            if is_escape(entry):
                escapes = note(escaped, escapes, i, True)
            i += 1
            continue
        a, b, c, d = states[0], states[1], states[2], states[3]
        while i + REGISTERS <= count and position <= end:
            entry0 = find(a, uint64(indexes[uint64(i)]), rows)
            a, position = pop(a, words, position, entry0)
            entry1 = find(b, uint64(indexes[uint64(i + 1)]), rows)
            b, position = pop(b, words, position, entry1)
            entry2 = find(c, uint64(indexes[uint64(i + 2)]), rows)
            c, position = pop(c, words, position, entry2)
            entry3 = find(d, uint64(indexes[uint64(i + 3)]), rows)
            d, position = pop(d, words, position, entry3)
            symbols[uint64(i)], symbols[uint64(i + 1)] = value_of(entry0), value_of(entry1)
            symbols[uint64(i + 2)], symbols[uint64(i + 3)] = value_of(entry2), value_of(entry3)
            if is_escape(entry0) | is_escape(entry1) | is_escape(entry2) | is_escape(entry3):
                escapes = note(escaped, escapes, i, is_escape(entry0))
                escapes = note(escaped, escapes, i + 1, is_escape(entry1))
                escapes = note(escaped, escapes, i + 2, is_escape(entry2))
                escapes = note(escaped, escapes, i + 3, is_escape(entry3))
            i += REGISTERS
        states[0], states[1], states[2], states[3] = a, b, c, d
    return position, escapes
