r"""Logistic mixing: the probability of a bit, from what several experts say of it.

Each expert gives the probability that the bit is 1. In the domain of log odds, opinions add up:

    s_k = stretch(p_k) = ln(p_k / (1 - p_k)),    p = squash(sum_k w_k s_k),    squash(z) = 1 / (1 + exp(-z))

and the weights follow the bits, by gradient descent on the code length -log2 p(bit):

    w_k  <--  w_k + rate (bit - p) s_k

Weights come in sets, one for each situation. A bit belongs to two situations at a time, and its weights are
the mean of both sets. The last input is no expert but a constant, whose weight begins at zero. A bit that
came as surely as any can teaches nothing: else weights would grow without end where a picture is flat.

All in integers: p with 16 bits, s and z in 1/256, w with 16 bits of fraction. squash is the logistic
function of `MixtureTables`; stretch is its inverse, looked up in it.

Sources: Mahoney, "Fast text compression with neural networks", FLAIRS 2000, and "Data compression
explained", 2013, on the mixing of PAQ.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import numpy as np
from numba import int64

from codec_lib.entropy.compiled import inline
from codec_lib.entropy.mixture_density import LOGISTIC_BITS, LOGISTIC_LIMIT, LOGISTIC_PRECISION

BITS = 16  # of a probability
ODDS_BITS = 8  # bits of fraction of log odds
LARGEST = 8 * 2**ODDS_BITS - 1  # log odds
OPINION_BITS = 12  # bits of an expert's probability, as stretch takes it
RAREST = 32  # no bit is coded with less than this share of 2^16
CONSTANT = 77  # the last input
WEIGHT_BITS = 16  # bits of fraction of a weight
RATE_SHIFT = 15  # bits that (bit - p) s is shifted by
_CENTRE = LOGISTIC_LIMIT << LOGISTIC_BITS  # of the table of the logistic function


def stretch_table(logistic: np.ndarray) -> np.ndarray:
    """Log odds, int64, of the probabilities 0, 1, ... of 2^OPINION_BITS.

    Each is the least z whose squash is as large.
    """
    odds = np.arange(-LARGEST, LARGEST + 1)
    squashed = logistic[(odds << LOGISTIC_BITS - ODDS_BITS) + _CENTRE] >> LOGISTIC_PRECISION - BITS
    wanted = np.arange(1 << OPINION_BITS) << BITS - OPINION_BITS
    return np.minimum(np.searchsorted(squashed, wanted) - LARGEST, LARGEST).astype(np.int64)


@inline
def stretch(above, span, table):
    """Log odds that something lies in the upper part of a span of probability."""
    opinion = ((above << int64(OPINION_BITS)) + (1 << (OPINION_BITS - 1))) // (span + 1)
    return table[min(max(opinion, 1), (1 << OPINION_BITS) - 1)]


@inline
def mix(s, first, second, logistic):
    """Probability of a 1, of 2^16, from log odds s int64 (I,) and two sets of weights int64 (I,)."""
    z = int64(0)
    for k in range(s.size):
        z += (first[k] + second[k]) * s[k]
    z = min(max(z >> int64(WEIGHT_BITS + 1), -LARGEST), LARGEST)
    p = logistic[(z << int64(LOGISTIC_BITS - ODDS_BITS)) + _CENTRE] >> int64(LOGISTIC_PRECISION - BITS)
    return min(max(p, RAREST), (1 << BITS) - RAREST)


@inline
def update(s, first, second, p, bit):
    """Let both sets of weights learn from a bit that was given the probability p."""
    error = (int64(bit) << int64(BITS)) - p
    if abs(error) > RAREST:
        for k in range(s.size):
            step = (error * s[k] + (1 << (RATE_SHIFT - 1))) >> int64(RATE_SHIFT)
            first[k] += step
            second[k] += step
