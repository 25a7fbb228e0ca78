r"""Symbols under mixtures of logistics: every symbol has a distribution of its own, made from integers.

A mixture has K components, each with a mean, a scale and a weight, and a cumulative function

    F(t) = sum_k w_k S((t - mu_k) / sigma_k) / sum_k w_k,           S(t) = 1 / (1 + exp(-t)).

Symbol q stands for the residual s q, s = 2 tau + 1, and owns the bin between the edges s q -+ s / 2. What
the rANS coder needs are integers, the same on every machine. So S, exp and tanh are tables, made once
and saved with the weights, and all else is integer arithmetic:

    c(q) = floor(F(left edge of q) (2^16 - n)) + q - low,           n symbols, low <= q <= high

The second term gives every symbol a frequency of 1 at least; the first and the last bin are open.

A pixel has three colours, one after the other; the means of later ones move with the values of earlier
ones. Parameters come as integers that a fixed-point network gives, 2^12 for 1:

    mu 15, log sigma 15, beta 15, logits 5          (a mean of 1 is 16 levels)

Source: Bai et al., CVPR 2021 (the mixture and its colours), here in integers.
"""

from typing import NamedTuple

import numpy as np
from numba import int64, uint64

from codec_lib.entropy.compiled import compiled, inline
from codec_lib.entropy.rans import header, pack_states, parse_header
from codec_lib.entropy.rans_loops import LOWEST, PADDING, pop, push
from codec_lib.errors import BitstreamError

K = 5
OUTPUTS = 10 * K
FRACTION = 12  # of a network's outputs
LEVEL = 8  # bits of fraction of means and edges: 1/256 level; an output of 1 is 16 levels
LOG_SIGMA = -4, 6  # range of log sigma
SIGMA_STEPS = 16  # tables for each unit of log sigma
TANH_LIMIT = 4  # tanh is 1 beyond, to 11 bits
TANH_STEPS = 64
EXP_LIMIT = 12
EXP_STEPS = 64
LOGISTIC_LIMIT = 16
LOGISTIC_BITS = 10  # of fraction of the argument of S
PRECISION = 22  # S is a multiple of 2**-22
ABOVE_ONE = 1 + 2.0**-51  # this / f, times x, has the integer part x // f: see `rans_loops.reciprocal`


class MixtureTables(NamedTuple):
    """Integer functions, int64: 2^16 / sigma, 2^12 tanh, 2^15 exp(-x), 2^22 S."""

    rate: np.ndarray
    tanh: np.ndarray
    exp: np.ndarray
    logistic: np.ndarray

    @classmethod
    def make(cls) -> "MixtureTables":
        """The tables; made once, then saved: exp differs in its last bit between machines."""
        low, high = LOG_SIGMA
        log_sigma = np.arange((high - low) * SIGMA_STEPS + 1) / SIGMA_STEPS + low
        slope = np.arange(-TANH_LIMIT * TANH_STEPS, TANH_LIMIT * TANH_STEPS + 1) / TANH_STEPS
        t = np.arange(-LOGISTIC_LIMIT << LOGISTIC_BITS, (LOGISTIC_LIMIT << LOGISTIC_BITS) + 1)
        functions = (
            2.0**16 * np.exp(-log_sigma),
            2.0**12 * np.tanh(slope),
            2.0**15 * np.exp(-np.arange(EXP_LIMIT * EXP_STEPS + 1) / EXP_STEPS),
            2.0**PRECISION / (1 + np.exp(-t / 2**LOGISTIC_BITS)),
        )
        return cls(*(np.rint(values).astype(np.int64) for values in functions))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The tables by name, for saving them."""
        return self._asdict()

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "MixtureTables":
        """Rebuild what `to_arrays` returned; KeyError or ValueError for anything else."""
        expected = cls.make()
        for name, table in expected._asdict().items():
            found = arrays[name]
            if (found.dtype, found.shape) != (table.dtype, table.shape) or np.abs(found - table).max() > 1:
                raise ValueError(f"{name}: not the table of the function that it is named for")
        return cls(*(arrays[name] for name in cls._fields))


class Alphabet(NamedTuple):
    """Which symbols there are: tau, and for each colour the smallest and largest symbol, int64 (3, 2).

    Zero is always one of them. Of these a sample can have those that lead from its x_tilde to a value
    between 0 and 255.
    """

    tau: int
    ranges: np.ndarray


def entries(values, x_tilde, outputs, alphabet: Alphabet, tables: MixtureTables) -> np.ndarray:
    """Where each symbol lies in its own distribution: start + 2^16 (frequency - 1), uint32.

    Args:
        values: int32 (P, C), quantized residuals in levels, of one colour (grey) or three.
        x_tilde: uint8 (P, 3), the pixels that they are added to.
        outputs: int32 (P, 50), what the parameter network says.
        alphabet, tables: as the decoder will have them.
    Returns:
        One entry for each symbol, pixel by pixel, (P * C,).
    """
    found = np.empty(values.size, dtype=np.uint32)
    _find_entries(values, x_tilde, outputs, alphabet, tables, found)
    return found


def encode(found: np.ndarray) -> bytes:
    """The bytes of a message of `entries`: a rANS stream of one lane."""
    words = np.empty(found.size + 1, dtype="<u2")
    state, position = _push_all(found, words)
    return header(1, b"") + pack_states(np.array([state])) + words[int(position) :].tobytes()


def check(data: bytes, found: np.ndarray) -> None:
    """Decode a message again, beside the entries it was made from; RuntimeError unless they agree."""
    _, states, start = parse_header(data)
    words = np.frombuffer(data[start:] + bytes(2 * PADDING), "<u2")
    if not _follows(found, words, states[0], 0):
        raise RuntimeError("mixture: the stream does not decode to what was encoded")


class Decoder:
    """Decodes a message pixel by pixel; bytes that follow it are left alone.

    Raises BitstreamError for a header that `encode` does not write.
    """

    def __init__(self, data: bytes, alphabet: Alphabet, tables: MixtureTables):
        codes, self.states, start = parse_header(data)
        if codes or len(self.states) != 1:
            raise BitstreamError(f"mixture: {len(self.states)} lanes, {len(codes)} bytes of escape codes")
        self.words = np.zeros((len(data) - start) // 2 + PADDING, dtype=np.uint16)
        self.words[:-PADDING] = np.frombuffer(data, "<u2", self.words.size - PADDING, start)
        self.alphabet, self.tables, self.start, self.position = alphabet, tables, start, 0

    def read(self, values, x_tilde, outputs) -> None:
        """Fill `values`, int32 (P, C), with the next P pixels' residuals; BitstreamError at the end."""
        self.states[0], position = _pop_pixels(
            values, x_tilde, outputs, self.alphabet, self.tables, self.states[0], self.words, self.position
        )
        self.position, left = int(position), self.words.size - PADDING
        if self.position > left:
            raise BitstreamError(f"mixture: {left} words, expected more")

    def finish(self) -> int:
        """How many bytes the message took; BitstreamError unless it ends here."""
        if self.states[0] != LOWEST:
            raise BitstreamError(f"mixture: last state {self.states[0]}, expected {LOWEST}")
        return self.start + 2 * self.position


@inline
def _clamp(x, low, high):
    return min(max(x, low), high)


@inline
def _prepare(row, colour, first, second, tables, mean, rate, weight):
    """Means, 2^16 / sigma and weights of one colour's components; returns the sum of the weights."""
    top, total = int64(row[9 * K]), int64(0)
    for k in range(K):
        top = max(top, int64(row[9 * K + k]))
    for k in range(K):
        mean[k] = int64(row[colour * K + k])
        if colour == 1:
            mean[k] += _slope(row[6 * K + k], tables) * first >> int64(FRACTION - LEVEL)
        elif colour == 2:
            moved = _slope(row[7 * K + k], tables) * first + _slope(row[8 * K + k], tables) * second
            mean[k] += moved >> int64(FRACTION - LEVEL)
        log_sigma = _step(int64(row[(3 + colour) * K + k]) - (LOG_SIGMA[0] << FRACTION), SIGMA_STEPS)
        rate[k] = tables.rate[_clamp(log_sigma, 0, tables.rate.size - 1)]
        behind = _step(top - int64(row[9 * K + k]), EXP_STEPS)
        weight[k] = tables.exp[min(behind, tables.exp.size - 1)]
        total += weight[k]
    return total


@inline
def _step(x, steps):
    """Round x, with FRACTION bits, to the next step of a table."""
    return (x * steps + (1 << (FRACTION - 1))) >> FRACTION


@inline
def _slope(output, tables):
    """tanh, with FRACTION bits."""
    place = _step(int64(output) + (TANH_LIMIT << FRACTION), TANH_STEPS)
    return tables.tanh[_clamp(place, 0, tables.tanh.size - 1)]


@inline
def _cumulative(q, low, high, tau, mean, rate, weight, total, logistic):
    """c(q) for low <= q <= high + 1."""
    if q == low:
        return int64(0)
    if q > high:
        return int64(1 << 16)
    edge, mass = (2 * q - 1) * (2 * tau + 1) << (LEVEL - 1), int64(0)
    limit = int64(LOGISTIC_LIMIT << LOGISTIC_BITS)
    for k in range(K):
        t = (edge - mean[k]) * rate[k] >> int64(LEVEL + 16 - LOGISTIC_BITS)
        mass += weight[k] * logistic[_clamp(t, -limit, limit) + limit]
    return mass * ((1 << 16) - (high - low + 1)) // (total << PRECISION) + q - low


@inline
def _limits(below, alphabet, colour):
    """The smallest and the largest symbol of a sample whose x_tilde is `below`."""
    step = 2 * alphabet.tau + 1
    low = max(alphabet.ranges[colour, 0], -((int64(below) + alphabet.tau) // step))
    high = min(alphabet.ranges[colour, 1], (255 - int64(below) + alphabet.tau) // step)
    return low, high


@compiled
def _find_entries(values, x_tilde, outputs, alphabet, tables, found):
    mean, rate, weight = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.int64)
    colours, tau = values.shape[1], alphabet.tau
    for p in range(values.shape[0]):
        for c in range(colours):
            first, second = int64(values[p, 0]), int64(values[p, min(1, colours - 1)])
            total = _prepare(outputs[p], c, first, second, tables, mean, rate, weight)
            low, high = _limits(x_tilde[p, c], alphabet, c)
            q = int64(values[p, c]) // (2 * tau + 1)
            start = _cumulative(q, low, high, tau, mean, rate, weight, total, tables.logistic)
            end = _cumulative(q + 1, low, high, tau, mean, rate, weight, total, tables.logistic)
            found[p * colours + c] = start | (end - start - 1) << 16


@compiled
def _push_all(found, words):
    x, position = uint64(LOWEST), uint64(words.size)
    for i in range(found.size):
        entry = uint64(found[found.size - 1 - i])
        frequency = np.float64(np.int64(entry >> uint64(16))) + 1
        x, position = push(x, words, position, entry, ABOVE_ONE / frequency)
    return x, position


@compiled
def _pop_pixels(values, x_tilde, outputs, alphabet, tables, x, words, position):
    mean, rate, weight = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.int64)
    colours, tau, data_end = values.shape[1], alphabet.tau, uint64(words.size - PADDING)
    position = uint64(position)
    for p in range(values.shape[0]):
        for c in range(colours):
            if position > data_end:
                return x, position
            first, second = int64(values[p, 0]), int64(values[p, min(1, colours - 1)])
            total = _prepare(outputs[p], c, first, second, tables, mean, rate, weight)
            low, high = _limits(x_tilde[p, c], alphabet, c)
            slot, start, end, least = int64(x & uint64(0xFFFF)), int64(0), int64(1 << 16), low
            left, right = low, high  # the symbol is the last one with c(q) <= slot
            while left < right:
                middle = (left + right + 1) >> 1
                value = _cumulative(middle, least, high, tau, mean, rate, weight, total, tables.logistic)
                if value <= slot:
                    left, start = middle, value
                else:
                    right, end = middle - 1, value
            x, position = pop(x, words, position, uint64(start | (end - start - 1) << 16))
            values[p, c] = left * (2 * tau + 1)
    return x, position


@compiled
def _follows(found, words, x, position):
    """Whether popping a message gives the symbols of `found` and ends in the first state."""
    position = uint64(position)
    for entry in found:
        slot, start = x & uint64(0xFFFF), uint64(entry & 0xFFFF)
        if slot < start or slot - start > uint64(entry >> 16):
            return False
        x, position = pop(x, words, position, uint64(entry))
    return x == uint64(LOWEST) and position == uint64(words.size - PADDING)
