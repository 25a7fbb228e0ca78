"""The last two layers of the synthesis, 3 x 3 on three planes, and the error of what they give.

Layouts and equations are in `codec_lib.fitting.synthesis`. What a block sees of the rows above and below is
copied into a window of constant size first: then all its places are known when the loops are compiled.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import numpy as np
from numpy import float32

from codec_lib.fitting.synthesis import COLOURS, EDGE
from codec_lib.fitting.vector import BLOCK, add_sums, fast

LEAK = float32(1 / 8)
WINDOW = BLOCK + 16  # columns that are kept of a row that a block sees: two more than it has


@fast
def repeat_border(t, width):
    """Repeat the outermost samples once on each side of a picture (3, H + 4, columns)."""
    height = t.shape[1] - 2 * EDGE
    for c in range(COLOURS):
        for row in range(EDGE, height + EDGE):
            t[c, row, EDGE - 1] = t[c, row, EDGE]
            t[c, row, EDGE + width] = t[c, row, EDGE + width - 1]
        for j in range(EDGE - 1, EDGE + width + 1):
            t[c, EDGE - 1, j] = t[c, EDGE, j]
            t[c, EDGE + height, j] = t[c, EDGE + height - 1, j]


@fast
def _window(t, row, left, x):
    """Copy what a block sees of three rows of three planes; `left` is the column before its first."""
    for c in range(COLOURS):
        for dy in range(3):
            start = (3 * c + dy) * WINDOW
            for j in range(BLOCK + 2):
                x[start + j] = t[c, row + dy - 1, left + j]


@fast
def _convolve(x, kernel, out):
    """out += kernel * x for a block; the input c is rows 3c to 3c + 2 of its window."""
    for c in range(COLOURS):
        start, i = 3 * c * WINDOW, 9 * c
        for j in range(BLOCK):
            a0, a1, a2 = out[j], out[BLOCK + j], out[2 * BLOCK + j]
            for dy in range(3):
                for dx in range(3):
                    v, k = x[start + dy * WINDOW + dx + j], i + 3 * dy + dx
                    a0 += kernel[k] * v
                    a1 += kernel[27 + k] * v
                    a2 += kernel[54 + k] * v
            out[j], out[BLOCK + j], out[2 * BLOCK + j] = a0, a1, a2


@fast
def _correlate(g, x, grad):
    """grad += the products of a block's three rows g with its window x."""
    for r in range(3 * COLOURS):
        a0, a1, a2 = float32(0), float32(0), float32(0)
        b0, b1, b2 = float32(0), float32(0), float32(0)
        d0, d1, d2 = float32(0), float32(0), float32(0)
        start = r * WINDOW
        for j in range(BLOCK):
            g0, g1, g2 = g[j], g[BLOCK + j], g[2 * BLOCK + j]
            left, here, right = x[start + j], x[start + 1 + j], x[start + 2 + j]
            a0 += g0 * left
            a1 += g0 * here
            a2 += g0 * right
            b0 += g1 * left
            b1 += g1 * here
            b2 += g1 * right
            d0 += g2 * left
            d1 += g2 * here
            d2 += g2 * right
        k = 3 * r
        grad[k] += a0
        grad[k + 1] += a1
        grad[k + 2] += a2
        grad[27 + k] += b0
        grad[28 + k] += b1
        grad[29 + k] += b2
        grad[54 + k] += d0
        grad[55 + k] += d1
        grad[56 + k] += d2


@fast
def convolve(t, top, bottom, width, kernel, bias, is_rectified, out):
    """out = t + kernel * t + bias for some rows, rectified or not."""
    slope = LEAK if is_rectified else float32(1)
    x, y = np.empty(9 * WINDOW, np.float32), np.empty(COLOURS * BLOCK, np.float32)
    for row in range(top + EDGE, bottom + EDGE):
        for left in range(EDGE, width + EDGE, BLOCK):
            _window(t, row, left - 1, x)
            for c in range(COLOURS):
                for j in range(BLOCK):
                    y[c * BLOCK + j] = bias[c] + x[(3 * c + 1) * WINDOW + 1 + j]
            _convolve(x, kernel, y)
            for c in range(COLOURS):
                for j in range(min(BLOCK, width + EDGE - left)):
                    v = y[c * BLOCK + j]
                    out[c, row, left + j] = v if v > float32(0) else slope * v


@fast
def convolve_back(g, top, bottom, width, kernel, gt):
    """Gradient of t, its margin of one included, from that of out, g; row 0 is that margin's."""
    x, y = np.empty(9 * WINDOW, np.float32), np.empty(COLOURS * BLOCK, np.float32)
    mirrored = np.empty(27 * COLOURS, np.float32)
    for o in range(COLOURS):
        for c in range(COLOURS):
            for k in range(9):
                mirrored[27 * c + 9 * o + 8 - k] = kernel[27 * o + 9 * c + k]
    for row in range(top + EDGE - 1, bottom + EDGE - 1):
        for left in range(EDGE - 1, width + EDGE + 1, BLOCK):
            _window(g, row, left - 1, x)
            for c in range(COLOURS):
                for j in range(BLOCK):
                    y[c * BLOCK + j] = x[(3 * c + 1) * WINDOW + 1 + j]
            _convolve(x, mirrored, y)
            for c in range(COLOURS):
                for j in range(min(BLOCK, width + EDGE + 1 - left)):
                    gt[c, row, left + j] = y[c * BLOCK + j]


@fast
def kernel_back(t, g, top, bottom, width, gkernel, gbias):
    """Gradients of kernel and bias, added, from t with its margin and the gradient of out."""
    x, y = np.empty(9 * WINDOW, np.float32), np.empty(COLOURS * BLOCK, np.float32)
    for row in range(top + EDGE, bottom + EDGE):
        for left in range(EDGE, width + EDGE, BLOCK):
            count = min(BLOCK, width + EDGE - left)
            for c in range(COLOURS):
                for j in range(count):
                    y[c * BLOCK + j] = g[c, row, left + j]
                for j in range(count, BLOCK):
                    y[c * BLOCK + j] = 0
            add_sums(y, COLOURS, gbias)
            _window(t, row, left - 1, x)
            _correlate(y, x, gkernel)


@fast
def fold_border(g, width):
    """Add the gradients of repeated samples to those that they repeat, and leave a margin of 0."""
    height = g.shape[1] - 2 * EDGE
    for c in range(COLOURS):
        for j in range(EDGE - 1, EDGE + width + 1):
            g[c, EDGE, j] += g[c, EDGE - 1, j]
            g[c, EDGE - 1, j] = 0
            g[c, EDGE + height - 1, j] += g[c, EDGE + height, j]
            g[c, EDGE + height, j] = 0
        for row in range(EDGE, height + EDGE):
            g[c, row, EDGE] += g[c, row, EDGE - 1]
            g[c, row, EDGE - 1] = 0
            g[c, row, EDGE + width - 1] += g[c, row, EDGE + width]
            g[c, row, EDGE + width] = 0


@fast
def rectify_back(t, g, top, bottom, width):
    """Make gradients smaller where a rectified picture t is below 0."""
    for c in range(COLOURS):
        for row in range(top + EDGE, bottom + EDGE):
            for j in range(EDGE, width + EDGE):
                g[c, row, j] *= float32(1) if t[c, row, j] > float32(0) else LEAK


@fast
def squared_error(x_hat, x, top, bottom, width, weight, g):
    """Sum of (clip(x_hat) - x)^2 over some rows, and `weight` times its gradient.

    x float32 (3, H, W) in [0, 1]; x_hat is clipped to that range, its gradient is not.
    """
    total = 0.0
    for c in range(COLOURS):
        for row in range(top, bottom):
            part = float32(0)
            for j in range(width):
                v = x_hat[c, row + EDGE, j + EDGE]
                clipped = min(max(v, float32(0)), float32(1))
                e = clipped - x[c, row, j]
                part += e * e
                g[c, row + EDGE, j + EDGE] = float32(2) * weight * e
            total += part
    return total
