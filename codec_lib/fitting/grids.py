r"""Grids of latents while they are fitted: rounding made soft, what they show to others, and Adam.

Latents end as integers. While they are fitted they are real numbers, rounded softly, shaken, and rounded
softly again; the temperature T falls, and so does the noise n, until hardly anything is left between two
integers (Kim et al., "C3", CVPR 2024; Leguay et al., COOL-CHIC since version 3):

    s(v) = floor(v) + 1/2 + tanh((v - floor(v) - 1/2) / T) / 2 tanh(1 / 2T),     y = s(s(v) + n)
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import numpy as np
from numpy import float32

from codec_lib.entropy.compiled import compiled
from codec_lib.fitting.context import MARGIN
from codec_lib.fitting.vector import fast, tanh

LARGEST = 255  # absolute value of a latent


@fast
def soften(v, noise, sigma, temperature, y, slope):
    """y = s(s(v) + sigma n) and dy/dv, in the first columns of y and slope; noise n is one long row."""
    cold = float32(1) / temperature
    scale = float32(0.5) / tanh(float32(0.5) * cold)
    half = float32(0.5)
    for row in range(v.shape[0]):
        first = row * v.shape[1]
        for j in range(v.shape[1]):
            whole = np.floor(v[row, j])
            t = tanh((v[row, j] - whole - half) * cold)
            z = whole + half + t * scale + sigma * noise[first + j]
            d = float32(1) - t * t
            whole = np.floor(z)
            t = tanh((z - whole - half) * cold)
            y[row, j] = whole + half + t * scale
            slope[row, j] = d * (float32(1) - t * t) * (scale * cold) * (scale * cold)


@compiled  # coders use it
def show(y, width, level, planes, plane):
    """Copy a grid into a plane of one `level` octaves finer: each value fills 2^level x 2^level places."""
    height, columns = planes.shape[1] - 2 * MARGIN, width
    for row in range(height):
        for j in range(columns):
            planes[plane, row + MARGIN, j + MARGIN] = y[row >> level, j >> level]


@fast
def gather(gplanes, top, rows, height, width, plane, level, g):
    """Add what a band of a grid says of one `level` octaves coarser to the gradient of that."""
    for r in range(rows + 2 * MARGIN):
        row = r - MARGIN + top
        if row < 0 or row >= height:
            continue
        if level == 0:
            for j in range(width):
                g[row, j] += gplanes[plane, r, j + MARGIN]
        else:
            for j in range(width):
                g[row >> level, j >> level] += gplanes[plane, r, j + MARGIN]


@fast
def adam(v, g, slope, first, second, rate, decay1, decay2, correction1, correction2):
    """One step of Adam on v, whose gradient is g * slope; no value leaves what can be coded."""
    for row in range(v.shape[0]):
        for j in range(v.shape[1]):
            d = g[row, j] * slope[row, j]
            m = decay1 * first[row, j] + (float32(1) - decay1) * d
            s = decay2 * second[row, j] + (float32(1) - decay2) * d * d
            first[row, j], second[row, j] = m, s
            moved = v[row, j] - rate * (m * correction1) / (np.sqrt(s * correction2) + float32(1e-8))
            v[row, j] = min(max(moved, float32(-LARGEST)), float32(LARGEST))
