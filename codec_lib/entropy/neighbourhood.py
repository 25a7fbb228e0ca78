"""What the samples around a sample say about it: features for a regression, and a scale.

Three pictures are kept beside x_tilde, each filled in as samples are coded: the picture itself, by how much
the mean of each sample's mixture was wrong, and what of that was left after a regression had corrected it.
Places that are not coded yet show x_tilde and no errors; so does a margin around the picture.

The deviations that were left nearby are averaged to a local scale. Features are counted in 64ths of it:
where the picture is rough, a difference of one level means less, and so does what is learned from it.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numba import int64

from codec_lib.entropy.compiled import inline
from codec_lib.entropy.least_squares import LIMIT
from codec_lib.entropy.units import LEVEL_BITS

MARGIN = 2
KEPT_BITS = 6  # bits of fraction of errors that are kept
UNIT_BITS = 6  # bits of a feature that is as large as the local scale
LEAST = 1 << LEVEL_BITS  # is added to the local scale: one level

# Rows and columns from a sample. Within a tile, slanted lines (codec_lib/exact/order.py) have passed them.
ERRORS = np.array([(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)])
SAMPLES = np.array([(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-1, -2)])
BELOW = np.array([(0, 0), (0, 1), (1, 0)])  # x_tilde is known everywhere
SLOPES = np.array([(0, -1), (-1, 0), (-1, -1), (-1, 1)])  # of colours that are coded before
CROSSED = np.array([(0, -1), (-1, 0)])  # errors of other colours


class Neighbourhood(NamedTuple):
    """Pictures (3, H, W) with a margin: errors and deviations int16, picture and x_tilde uint8."""

    errors: np.ndarray
    deviations: np.ndarray
    picture: np.ndarray
    below: np.ndarray

    @classmethod
    def around(cls, x_tilde: np.ndarray) -> "Neighbourhood":
        """Nothing coded yet, on top of x_tilde uint8 (3, H, W)."""
        below = np.pad(x_tilde, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="edge")
        errors, deviations = (np.zeros(below.shape, np.int16) for _ in range(2))
        return cls(errors, deviations, below.copy(), below)


@inline
def local_scale(around, colour, i, j):
    """Mean deviation nearby, in 1/256 level: six neighbours, and the same place in earlier colours."""
    total = int64(0)
    for n, (di, dj) in enumerate(ERRORS):
        total += int64(around.deviations[colour, i + di, j + dj]) * (2 if n < 2 else 1)
    scale = total << int64(LEVEL_BITS - KEPT_BITS) >> int64(3)
    for earlier in range(colour):
        here = int64(around.deviations[earlier, i, j]) << int64(LEVEL_BITS - KEPT_BITS)
        scale = (3 * scale + here) >> int64(2)
    return scale


@inline
def scaled(value, scale):
    """A difference in 1/256 level as a feature."""
    unit = (1 << int64(LEVEL_BITS + UNIT_BITS + 8)) // (scale + LEAST)
    return float(min(max(value * unit >> int64(LEVEL_BITS + 8), -LIMIT), LIMIT))


@inline
def unscaled(prediction, scale, bits):
    """What `scaled` made a feature, with so many bits of fraction, in 1/256 level."""
    return int64(np.floor(prediction * (scale + LEAST) * 2.0 ** -(UNIT_BITS + bits)))


@inline
def look(x, colour, colours, i, j, expected, missed, scale, around):
    """Fill x float64 (FEATURES,) for a sample whose value is expected, in 1/256 level; returns how many.

    `missed` holds by how much the means of earlier colours of the pixel were wrong, in 1/256 level.
    """
    n = 0
    for di, dj in ERRORS:
        x[n] = scaled(int64(around.errors[colour, i + di, j + dj]) << int64(LEVEL_BITS - KEPT_BITS), scale)
        n += 1
    for di, dj in SAMPLES:
        x[n] = scaled(
            (int64(around.picture[colour, i + di, j + dj]) << int64(LEVEL_BITS)) - expected, scale
        )
        n += 1
    for di, dj in BELOW:
        x[n] = scaled((int64(around.below[colour, i + di, j + dj]) << int64(LEVEL_BITS)) - expected, scale)
        n += 1
    for earlier in range(colour):
        x[n] = scaled(missed[earlier], scale)
        n += 1
        here = int64(around.picture[earlier, i, j])
        for di, dj in SLOPES:
            difference = here - int64(around.picture[earlier, i + di, j + dj])
            x[n] = scaled(difference << int64(LEVEL_BITS), scale)
            n += 1
    for other in range(colours):
        if other != colour:
            for di, dj in CROSSED:
                x[n] = scaled(
                    int64(around.errors[other, i + di, j + dj]) << int64(LEVEL_BITS - KEPT_BITS), scale
                )
                n += 1
    return n


@inline
def enter(around, colour, i, j, value, error, deviation):
    """Enter what a sample turned out to be, in levels, with its error and deviation in 1/256 level."""
    around.picture[colour, i, j] = value
    around.errors[colour, i, j] = min(max(error >> int64(LEVEL_BITS - KEPT_BITS), -32767), 32767)
    around.deviations[colour, i, j] = min(abs(deviation) >> int64(LEVEL_BITS - KEPT_BITS), 32767)
