r"""Laplace densities in integers: every symbol has a mean and a scale of its own.

    F(t) = e^t / 2 for t < 0,  1 - e^-t / 2 above,     t = (edge - mean) / b

Symbol q owns the bin between the edges q -+ 1/2. As in `codec_lib.entropy.mixture_density`, exp is a
table that is made once and saved, and all else is integer arithmetic:

    c(q) = floor(F(left edge of q) (2^16 - n)) + q - low,           n symbols, low <= q <= high

so that every symbol has a frequency of 1 at least; the first and the last bin are open. Means are in 1/256,
scales are the number of a table entry: log b = -4 + entry / 32.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numba import int64, uint64

from codec_lib.entropy.compiled import inline
from codec_lib.entropy.function_tables import restored
from codec_lib.entropy.rans_loops import entry_of, pop
from codec_lib.entropy.units import LEVEL_BITS

LOG_SCALE = -4, 5  # range of log b
SCALE_STEPS = 32  # entries for each unit of it
RATE_BITS = 16  # bits of fraction of 1 / b
STEP_BITS = 10  # bits of fraction of t
LIMIT = 16  # beyond, nothing is left in the tail that 16 bits could tell
PRECISION = 30  # F is a multiple of 2**-30


class LaplaceTables(NamedTuple):
    """Integer functions, int64: 2^16 / b of each scale, 2^30 e^-t / 2 of each t >= 0."""

    rate: np.ndarray
    tail: np.ndarray

    @classmethod
    def make(cls) -> "LaplaceTables":
        """The tables; made once, then saved: exp differs in its last bit between machines."""
        low, high = LOG_SCALE
        log_b = low + np.arange((high - low) * SCALE_STEPS + 1) / SCALE_STEPS
        t = np.arange((LIMIT << STEP_BITS) + 1) / (1 << STEP_BITS)
        functions = 2.0**RATE_BITS * np.exp(-log_b), 2.0 ** (PRECISION - 1) * np.exp(-t)
        return cls(*(np.rint(values).astype(np.int64) for values in functions))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The tables by name, for saving them."""
        return {name: table.astype(np.int32) for name, table in self._asdict().items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "LaplaceTables":
        """Rebuild what `to_arrays` returned; KeyError or ValueError for anything else."""
        return cls(*restored(cls.make()._asdict(), arrays, np.int32, monotone="tail"))


@inline
def cumulative(q, low, high, mean, rate, tail):
    """c(q) for low <= q <= high + 1."""
    if q == low:
        return int64(0)
    if q > high:
        return int64(1 << 16)
    edge = (2 * q - 1) << (LEVEL_BITS - 1)
    t = (edge - mean) * rate >> int64(LEVEL_BITS + RATE_BITS - STEP_BITS)
    limit = int64(LIMIT << STEP_BITS)
    mass = tail[min(-t, limit)] if t < 0 else int64(1 << PRECISION) - tail[min(t, limit)]
    return (mass * ((1 << 16) - (high - low + 1)) >> int64(PRECISION)) + q - low


@inline
def nearest(mean, low, high):
    """The symbol that a mean is in."""
    return min(max((mean + (1 << (LEVEL_BITS - 1))) >> int64(LEVEL_BITS), low), high)


@inline
def pop_symbol(x, words, position, low, high, mean, rate, tail):
    """Take one symbol off a state of rANS; returns it with the new state and position.

    It is sought from the mean, in steps that double, then by halving: at most some 2 log2(n) of them.
    """
    slot = int64(x & uint64(0xFFFF))
    left, step = nearest(mean, low, high), int64(1)
    start = cumulative(left, low, high, mean, rate, tail)
    right, end = left, start
    if slot < start:
        while slot < start:
            right, end = left, start
            left = max(left - step, low)
            start = cumulative(left, low, high, mean, rate, tail)
            step *= 2
    else:
        while slot >= end:
            left, start = right, end
            right = min(right + step, high + 1)
            end = cumulative(right, low, high, mean, rate, tail)
            step *= 2
    while right - left > 1:  # c(left) <= slot < c(right)
        middle = (left + right) >> 1
        value = cumulative(middle, low, high, mean, rate, tail)
        if value <= slot:
            left, start = middle, value
        else:
            right, end = middle, value
    x, position = pop(x, words, position, uint64(entry_of(start, end)))
    return left, x, position
