"""Four distributions of a sample, each of which knows something that the others do not.

0  the mixture that a network gives
1  the same, moved by the correction of a regression
2  a logistic around the corrected mean, as wide as deviations were nearby
3  the same, broader: for what comes as a surprise
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numba import int64

from codec_lib.entropy.compiled import inline
from codec_lib.entropy.mixture_density import K, logistic_at, mass_before
from codec_lib.entropy.units import LEVEL_BITS

EXPERTS = 4
BROADER = 3  # times
SHARPEST = 51  # sigma of a logistic where nothing deviates, in 1/256 level


class Experts(NamedTuple):
    """A mixture (`mixture_density.components`), a correction and a mean in 1/256 level, 2^16 / sigma."""

    mean: np.ndarray
    rate: np.ndarray
    weight: np.ndarray
    total: np.int64
    correction: int
    centre: int
    narrow: int


@inline
def moments(mean, rate, weight, total):
    """Mean of a mixture, and about how far it spreads, in 1/256 level."""
    expected, spread = int64(0), int64(0)
    for k in range(K):
        expected += weight[k] * mean[k]
    expected //= total
    for k in range(K):
        sigma = (1 << (16 + LEVEL_BITS)) // rate[k]
        spread += weight[k] * (sigma + (abs(mean[k] - expected) >> int64(1)))
    return expected, spread // total


@inline
def sigma_of(scale):
    """Sigma of a logistic whose mean deviation was `scale` nearby, in 1/256 level."""
    return SHARPEST + (scale >> int64(1))


@inline
def cumulative_of_each(edge, experts, logistic, out):
    """Fill `out`, int64 (EXPERTS,): the probability of less than an edge, with LOGISTIC_PRECISION bits."""
    mean, rate, weight, total, correction, centre, narrow = experts
    out[0] = mass_before(edge, mean, rate, weight, logistic) // total
    out[1] = mass_before(edge - correction, mean, rate, weight, logistic) // total
    out[2] = logistic_at(edge, centre, narrow, logistic)
    out[3] = logistic_at(edge, centre, narrow // BROADER, logistic)
