"""Loops of the filter: over a picture, for a CPU, and over the integers that are chosen.

In PyTorch every feature would be a picture of its own, and memory would set the pace. Here a block of
columns goes through all features while it lies in the first cache. What is computed says
`codec_lib.filtering.layer`, whose features are these, but for the last digits of floats.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from functools import partial

import numpy as np
from numba import float64, int64
from numpy import float32

from codec_lib.entropy.compiled import compiled

BLOCK = 64  # columns that go through all features at once


@partial(compiled, fastmath=True, boundscheck=False)
def filtered(padded, weight, reach, middle, clip, out):
    """Write out (3, H, W) from `padded`, with `reach` rows and columns more on every side; all float32.

    weight (3, features) in the order of the layer, less `middle` as there.
    """
    height, width = out.shape[1:]
    sums = np.empty((3, BLOCK), np.float32)
    low, high = -float32(clip), float32(clip)
    for row in range(height):
        for left in range(0, width, BLOCK):
            count, top, first = min(BLOCK, width - left), row + reach, left + reach
            for j in range(count):
                r = padded[0, top, first + j] - middle
                g = padded[1, top, first + j] - middle
                b = padded[2, top, first + j] - middle
                for o in range(3):
                    w = weight[o]
                    linear = w[0] + w[1] * r + w[2] * g + w[3] * b + padded[o, top, first + j]
                    products = (
                        r * (w[4] * r + w[5] * g + w[6] * b) + g * (w[7] * g + w[8] * b) + w[9] * b * b
                    )
                    sums[o, j] = linear + products
            k = 10
            for distance in range(1, reach + 1):
                for axis in range(2):
                    down, right = (0, distance) if axis else (distance, 0)
                    for c in range(3):
                        w0, w1, w2 = weight[0, k + c], weight[1, k + c], weight[2, k + c]
                        v0, v1, v2 = weight[0, k + 3 + c], weight[1, k + 3 + c], weight[2, k + 3 + c]
                        here = padded[c, top, first : first + count]
                        before = padded[c, top - down, first - right : first - right + count]
                        after = padded[c, top + down, first + right : first + right + count]
                        for j in range(count):
                            a, b = before[j] - here[j], after[j] - here[j]
                            s = a + b
                            t = min(max(a, low), high) + min(max(b, low), high)
                            sums[0, j] += w0 * s + v0 * t
                            sums[1, j] += w1 * s + v1 * t
                            sums[2, j] += w2 * s + v2 * t
                    k += 6
            for o in range(3):
                for j in range(count):
                    out[o, row, left + j] = sums[o, j]


@compiled
def settle(A, slope, k, size, worth, parameter, largest):
    """Let each integer of k (features, outputs) move once to where it costs least; whether any has moved.

    slope (features, outputs), A (weights) - b, moves along. Bits are those of a Rice code's parameter.
    """
    any_moved = False
    for i in range(k.shape[0]):
        square = max(A[i, i], 1e-12)
        for o in range(k.shape[1]):
            ideal = k[i, o] - slope[i, o] / square / size
            best, least = k[i, o], np.inf
            for near in (float64(k[i, o]), 0.0, ideal / 2, np.floor(ideal), np.ceil(ideal)):
                tried = int64(min(max(np.rint(near), -largest), largest))
                moved = (tried - k[i, o]) * size
                counted = -2 * tried - 1 if tried < 0 else 2 * tried
                bits = (counted >> parameter) + 1 + parameter
                cost = worth * moved * (square * moved + 2 * slope[i, o]) + bits
                if cost < least:
                    best, least = tried, cost
            if best != k[i, o]:
                any_moved = True
                for j in range(k.shape[0]):
                    slope[j, o] += A[j, i] * (best - k[i, o]) * size
                k[i, o] = best
    return any_moved
