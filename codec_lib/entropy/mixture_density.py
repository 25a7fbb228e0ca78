r"""Mixtures of logistics in integers: the distribution of a residual, the same on every machine.

A mixture has K components, each with a mean, a scale and a weight, and a cumulative function

    F(t) = sum_k w_k S((t - mu_k) / sigma_k) / sum_k w_k,           S(t) = 1 / (1 + exp(-t)).

Symbol q stands for the residual s q, s = 2 tau + 1, and owns the bin between the edges s q -+ s / 2. What
a coder needs are integers. So S, exp and tanh are tables, made once and saved with the weights, and all
else is integer arithmetic:

    c(q) = floor(F(left edge of q) (2^16 - n)) + q - low,           n symbols, low <= q <= high

The second term gives every symbol a frequency of 1 at least; the first and the last bin are open.

A pixel has three colours, one after the other; the means of later ones move with the values of earlier
ones. Parameters come as integers that a fixed-point network gives, 2^12 for 1:

    mu 15, log sigma 15, beta 15, logits 5          (a mean of 1 is 16 levels)

`codec_lib.entropy.mixture` codes with these. Source: Bai et al., CVPR 2021 (the mixture and its colours),
here in integers.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numba import int64

from codec_lib.entropy.compiled import inline
from codec_lib.entropy.function_tables import restored
from codec_lib.entropy.units import FRACTION_BITS, LEVEL_BITS

K = 5
OUTPUTS = 10 * K
LOG_SIGMA = -4, 6  # range of log sigma
SIGMA_STEPS = 16  # tables for each unit of log sigma
TANH_LIMIT = 4  # tanh is 1 beyond, to 11 bits
TANH_STEPS = 64
EXP_LIMIT = 12
EXP_STEPS = 64
LOGISTIC_LIMIT = 16
LOGISTIC_BITS = 10  # of fraction of the argument of S
LOGISTIC_PRECISION = 22  # S is a multiple of 2**-22


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
            2.0**LOGISTIC_PRECISION / (1 + np.exp(-t / 2**LOGISTIC_BITS)),
        )
        return cls(*(np.rint(values).astype(np.int64) for values in functions))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The tables by name, for saving them."""
        return self._asdict()

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "MixtureTables":
        """Rebuild what `to_arrays` returned; KeyError or ValueError for anything else."""
        return cls(*restored(cls.make()._asdict(), arrays, np.int64, monotone="logistic"))


class Alphabet(NamedTuple):
    """Which symbols there are: tau, and for each colour the smallest and largest symbol, int64 (3, 2).

    Zero is always one of them. Of these a sample can have those that lead from its x_tilde to a value
    between 0 and 255.
    """

    tau: int
    ranges: np.ndarray


@inline
def _clamp(x, low, high):
    return min(max(x, low), high)


@inline
def components(row, colour, first, second, tables, mean, rate, weight):
    """Means, 2^16 / sigma and weights of one colour's components; returns the sum of the weights."""
    top, total = int64(row[9 * K]), int64(0)
    for k in range(K):
        top = max(top, int64(row[9 * K + k]))
    for k in range(K):
        mean[k] = int64(row[colour * K + k])
        if colour == 1:
            mean[k] += _slope(row[6 * K + k], tables) * first >> int64(FRACTION_BITS - LEVEL_BITS)
        elif colour == 2:
            moved = _slope(row[7 * K + k], tables) * first + _slope(row[8 * K + k], tables) * second
            mean[k] += moved >> int64(FRACTION_BITS - LEVEL_BITS)
        log_sigma = _step(int64(row[(3 + colour) * K + k]) - (LOG_SIGMA[0] << FRACTION_BITS), SIGMA_STEPS)
        rate[k] = tables.rate[_clamp(log_sigma, 0, tables.rate.size - 1)]
        behind = _step(top - int64(row[9 * K + k]), EXP_STEPS)
        weight[k] = tables.exp[min(behind, tables.exp.size - 1)]
        total += weight[k]
    return total


@inline
def _step(x, steps):
    """Round x, with FRACTION_BITS of fraction, to the next step of a table."""
    return (x * steps + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS


@inline
def _slope(output, tables):
    """tanh, with FRACTION_BITS of fraction."""
    place = _step(int64(output) + (TANH_LIMIT << FRACTION_BITS), TANH_STEPS)
    return tables.tanh[_clamp(place, 0, tables.tanh.size - 1)]


@inline
def cumulative(q, low, high, tau, mean, rate, weight, total, logistic):
    """c(q) for low <= q <= high + 1."""
    if q == low:
        return int64(0)
    if q > high:
        return int64(1 << 16)
    edge = (2 * q - 1) * (2 * tau + 1) << (LEVEL_BITS - 1)
    mass = mass_before(edge, mean, rate, weight, logistic)
    return mass * ((1 << 16) - (high - low + 1)) // (total << LOGISTIC_PRECISION) + q - low


@inline
def mass_before(edge, mean, rate, weight, logistic):
    """sum_k w_k S((edge - mu_k) / sigma_k), with LOGISTIC_PRECISION bits beside those of the weights."""
    mass = int64(0)
    for k in range(K):
        mass += weight[k] * logistic_at(edge, mean[k], rate[k], logistic)
    return mass


@inline
def logistic_at(edge, mean, rate, logistic):
    """S((edge - mu) / sigma) from the table, for 2^16 / sigma."""
    limit = int64(LOGISTIC_LIMIT << LOGISTIC_BITS)
    t = (edge - mean) * rate >> int64(LEVEL_BITS + 16 - LOGISTIC_BITS)
    return logistic[_clamp(t, -limit, limit) + limit]


@inline
def limits(below, alphabet, colour):
    """The smallest and the largest symbol of a sample whose x_tilde is `below`."""
    step = 2 * alphabet.tau + 1
    low = max(alphabet.ranges[colour, 0], -((int64(below) + alphabet.tau) // step))
    high = min(alphabet.ranges[colour, 1], (255 - int64(below) + alphabet.tau) // step)
    return low, high
