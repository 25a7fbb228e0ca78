"""The compiled loops of `codec_lib.entropy.rans`: plain Python for Numba, integers and arrays only.

`push` and `pop` are the two equations of rANS. Around them: a symbol by its table, an escape code
bit by bit, and the loops over a whole message, which keep four states in registers.
"""

import numpy as np
from numba import njit

from codec_lib.entropy import escape
from codec_lib.entropy.pmf import INT32, TOTAL

LOWEST = 1 << 24  # states live in [2**24, 2**40)
STATE_BYTES = 5
LANES = 4
LONG = 1 << 14  # messages below this length use one state: each state costs three bytes
ESCAPE_WORDS = 40  # more words than one escape code can spill
PADDING = 8  # zero words behind the data, so that a group of pops may look beyond its end
INT32_MIN, INT32_MAX = int(INT32.min), int(INT32.max)

compiled = njit(cache=True, nogil=True, error_model="numpy")
inline = njit(inline="always", error_model="numpy")
fold = njit(escape.fold)
unfold = njit(escape.unfold)


@inline
def push(x, words, position, frequency, start):
    """Push a symbol onto the state `x`, spilling a word if there is no room for the symbol.

    Words are written from the end of the buffer to its start.
    """
    words[position - 1] = x & 0xFFFF  # kept only if `position` moves
    spill = x >= frequency << 24
    x = x >> 16 if spill else x
    # x // frequency, and exactly so: x + 1/2 fits a double, and is at least 1 / (2 frequency)
    # away from the next multiple, much more than the rounding of the quotient, 2**-29.
    quotient = np.int64((x + 0.5) / frequency)
    # quotient * 2**16 + start + x % frequency
    return x + start + quotient * (TOTAL - frequency), position - spill


@inline
def pop(x, words, position, frequency, start):
    """Take the symbol in the lowest 16 bits off the state `x`, reading a word if it gets low."""
    x = frequency * (x >> 16) + (x & 0xFFFF) - start
    refilled = (x << 16) | np.int64(words[position])
    low = x < LOWEST
    return refilled if low else x, position + low


@inline
def push_symbol(x, words, position, index, k, cdf):
    """Push the symbol `k` of the table row `index`."""
    start = np.int64(cdf[index, k])
    return push(x, words, position, np.int64(cdf[index, k + 1]) - start, start)


@inline
def pop_symbol(x, words, position, index, cdf, buckets):
    """Pop the symbol whose part of the table row holds the lowest 16 bits of `x`.

    Also tells whether it is the escape symbol, the one that ends at 2**16.
    """
    slot = x & 0xFFFF
    k = np.int64(buckets[index, slot >> 8])
    while cdf[index, k + 1] <= slot:
        k += 1
    start, end = np.int64(cdf[index, k]), np.int64(cdf[index, k + 1])
    x, position = pop(x, words, position, end - start, start)
    return k, x, position, end == TOTAL


@compiled
def push_bits(x, words, position, value, bits):
    """Push `bits` (1 to 16) equally likely bits."""
    unit = TOTAL >> bits
    return push(x, words, position, unit, value * unit)


@compiled
def pop_bits(x, words, position, bits):
    """Pop `bits` (1 to 16) equally likely bits; beyond the end of the words, zeros follow."""
    shift = 16 - bits
    value = (x & 0xFFFF) >> shift
    x, position = pop(x, words, position, 1 << shift, value << shift)
    return value, x, min(position, words.size - PADDING + 1)


@compiled
def push_escape(x, words, position, u):
    """Push the Exp-Golomb code of `u`, its last digit first."""
    zeros = 0
    while (u + 1) >> (zeros + 1):
        zeros += 1
    for done in range(0, zeros, 16):
        bits = min(16, zeros - done)
        x, position = push_bits(x, words, position, ((u + 1) >> done) & ((1 << bits) - 1), bits)
    x, position = push_bits(x, words, position, 1, 1)
    for _ in range(zeros):
        x, position = push_bits(x, words, position, 0, 1)
    return x, position


@compiled
def pop_escape(x, words, position):
    """Pop an Exp-Golomb code; too many zeros give a number that no symbol has."""
    zeros = 0
    digit, x, position = pop_bits(x, words, position, 1)
    while digit == 0 and zeros <= escape.MAX_ZEROS:
        zeros += 1
        digit, x, position = pop_bits(x, words, position, 1)
    code = 1
    for done in range((zeros - 1) // 16 * 16, -1, -16):
        bits = min(16, zeros - done)
        value, x, position = pop_bits(x, words, position, bits)
        code = (code << bits) | value
    return code - 1, x, position


@compiled
def push_any(i, symbols, indexes, size, offset, cdf, states, words, position):
    """Push symbol `i`, be it in its row or not; -1 if an escape code has no room in `words`."""
    lane, index = i % states.size, indexes[i]
    x, k = states[lane], np.int64(symbols[i]) - offset[index]
    if k < 0 or k >= size[index]:
        if position < i + ESCAPE_WORDS:  # the symbols before this one need a word each
            return -1
        x, position = push_escape(x, words, position, fold(k, np.int64(size[index])))
        k = np.int64(size[index])
    states[lane], position = push_symbol(x, words, position, index, k, cdf)
    return position


@compiled
def pop_any(lane, index, size, offset, cdf, buckets, states, words, position):
    """Pop a symbol, be it in its row or not."""
    k, x, position, escaped = pop_symbol(states[lane], words, position, index, cdf, buckets)
    if escaped:
        u, x, position = pop_escape(x, words, position)
        k = unfold(u, np.int64(size[index]))
    states[lane] = x
    return k + offset[index], position


@compiled
def encode_words(symbols, indexes, size, offset, cdf, states, words):
    """Push all symbols, the last one first; return where in `words` the stream starts, or -1."""
    i, position, single = symbols.size, words.size, 0
    while i > 0:
        if states.size == 1 or i % LANES or single:  # one symbol, which may need an escape
            i, single = i - 1, max(0, single - 1)
            position = push_any(i, symbols, indexes, size, offset, cdf, states, words, position)
            if position < 0:
                return position
            continue
        single = LANES  # unless there are groups of four that need none
        a, b, c, d = states[0], states[1], states[2], states[3]
        while i > 0:
            t0, t1, t2, t3 = indexes[i - 4], indexes[i - 3], indexes[i - 2], indexes[i - 1]
            k0, k1 = symbols[i - 4] - np.int64(offset[t0]), symbols[i - 3] - np.int64(offset[t1])
            k2, k3 = symbols[i - 2] - np.int64(offset[t2]), symbols[i - 1] - np.int64(offset[t3])
            inside = (k0 >= 0) & (k0 < size[t0]) & (k1 >= 0) & (k1 < size[t1])
            if not inside & (k2 >= 0) & (k2 < size[t2]) & (k3 >= 0) & (k3 < size[t3]):
                break
            d, position = push_symbol(d, words, position, t3, k3, cdf)
            c, position = push_symbol(c, words, position, t2, k2, cdf)
            b, position = push_symbol(b, words, position, t1, k1, cdf)
            a, position = push_symbol(a, words, position, t0, k0, cdf)
            i -= 4
        states[0], states[1], states[2], states[3] = a, b, c, d
    return position


@compiled
def decode_words(symbols, indexes, done, size, offset, cdf, buckets, states, words, position):
    """Pop a symbol for each index, after the `done` first of the message.

    Returns the new position, past the end if the words do not suffice, or -1 when a value is
    outside of int32.
    """
    i, single, end = 0, 0, words.size - PADDING
    while i < indexes.size and position <= end:
        if states.size == 1 or (done + i) % LANES or i + 4 > indexes.size or single:
            value, position = pop_any(
                (done + i) % states.size, indexes[i],
                size, offset, cdf, buckets, states, words, position,
            )  # fmt: skip
            if not INT32_MIN <= value <= INT32_MAX:
                return -1
            symbols[i] = value
            i, single = i + 1, max(0, single - 1)
            continue
        single = LANES  # unless there are groups of four without an escape
        a, b, c, d = states[0], states[1], states[2], states[3]
        while i + 4 <= indexes.size and position <= end:
            t0, t1, t2, t3 = indexes[i], indexes[i + 1], indexes[i + 2], indexes[i + 3]
            k0, x0, p, escaped0 = pop_symbol(a, words, position, t0, cdf, buckets)
            k1, x1, p, escaped1 = pop_symbol(b, words, p, t1, cdf, buckets)
            k2, x2, p, escaped2 = pop_symbol(c, words, p, t2, cdf, buckets)
            k3, x3, p, escaped3 = pop_symbol(d, words, p, t3, cdf, buckets)
            if escaped0 | escaped1 | escaped2 | escaped3:
                break  # forget these four and take them one by one
            a, b, c, d, position = x0, x1, x2, x3, p
            symbols[i], symbols[i + 1] = k0 + offset[t0], k1 + offset[t1]
            symbols[i + 2], symbols[i + 3] = k2 + offset[t2], k3 + offset[t3]
            i += 4
        states[0], states[1], states[2], states[3] = a, b, c, d
    return position


@compiled
def fill_buckets(cdf):
    """Tell, for each row and upper byte of a slot, the first symbol that reaches into it."""
    buckets = np.empty((len(cdf), 256), dtype=np.uint16)
    for row in range(len(cdf)):
        k = 0
        for byte in range(256):
            while cdf[row, k + 1] <= byte << 8:
                k += 1
            buckets[row, byte] = k
    return buckets
