"""Seven planes to a picture, and all gradients: two layers for each pixel by itself, then two of 3 x 3.

    t0 = W2 relu(W1 f + b1) + S f + b2        f has 7 values, W1 gives HIDDEN, the others 3
    t1 = leaky(t0 + K1 * t0 + c1),   x_hat = t1 + K2 * t1 + c2

A block of pixels goes through both layers of W while it stays in the first cache; the backward pass makes
the hidden values again instead of keeping them. Pictures of three planes have a margin of two rows and
columns: forward the inner one repeats the border, backward both are 0. A leak of 1/8
below 0, and a gradient also where x_hat is clipped, bring back a picture that has left the range.

Source: Leguay et al., "Low-complexity overfitted neural image codec", MMSP 2023 (the layers).
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numpy import float32

from codec_lib.fitting.vector import BLOCK, add_sums, fast

INPUTS, HIDDEN, COLOURS = 7, 32, 3
EDGE = 2  # margin of a picture
LEAK = float32(1 / 8)
WINDOW = BLOCK + 16  # columns that are kept of a row that a block sees: two more than it has


class Synthesis(NamedTuple):
    """Parameters, or their gradients, float32; matrices row by row."""

    w1: np.ndarray  # (HIDDEN * INPUTS,)
    b1: np.ndarray  # (HIDDEN,)
    w2: np.ndarray  # (3 * HIDDEN,)
    s: np.ndarray  # (3 * INPUTS,)
    b2: np.ndarray  # (3,)
    k1: np.ndarray  # (3 * 27,): output, input, row, column
    c1: np.ndarray  # (3,)
    k2: np.ndarray  # (3 * 27,)
    c2: np.ndarray  # (3,)


@fast
def _hidden(f, w, b, h):
    """h = relu(w f + b) for a block."""
    for o in range(0, HIDDEN, 4):
        for j in range(BLOCK):
            a0, a1, a2, a3 = b[o], b[o + 1], b[o + 2], b[o + 3]
            for k in range(INPUTS):
                v = f[k * BLOCK + j]
                a0 += w[o * INPUTS + k] * v
                a1 += w[(o + 1) * INPUTS + k] * v
                a2 += w[(o + 2) * INPUTS + k] * v
                a3 += w[(o + 3) * INPUTS + k] * v
            h[o * BLOCK + j] = max(a0, float32(0))
            h[(o + 1) * BLOCK + j] = max(a1, float32(0))
            h[(o + 2) * BLOCK + j] = max(a2, float32(0))
            h[(o + 3) * BLOCK + j] = max(a3, float32(0))


@fast
def _mix(x, count, w, out):
    """out += w x for a block: three rows from `count`, of which the last three may be left over from 4."""
    for first in range(0, count - 3, 4):
        i0, i1, i2, start = first, count + first, 2 * count + first, first * BLOCK
        for j in range(BLOCK):
            a0, a1, a2 = out[j], out[BLOCK + j], out[2 * BLOCK + j]
            for k in range(4):
                v = x[start + k * BLOCK + j]
                a0 += w[i0 + k] * v
                a1 += w[i1 + k] * v
                a2 += w[i2 + k] * v
            out[j], out[BLOCK + j], out[2 * BLOCK + j] = a0, a1, a2
    for k in range(count // 4 * 4, count):
        w0, w1, w2 = w[k], w[count + k], w[2 * count + k]
        for j in range(BLOCK):
            v = x[k * BLOCK + j]
            out[j] += w0 * v
            out[BLOCK + j] += w1 * v
            out[2 * BLOCK + j] += w2 * v


@fast
def pixels(features, top, bottom, width, net, t0):
    """t0 of some rows; features float32 (7, H, columns), t0 (3, H + 4, columns)."""
    f, h = np.empty(INPUTS * BLOCK, np.float32), np.empty(HIDDEN * BLOCK, np.float32)
    out = np.empty(COLOURS * BLOCK, np.float32)
    for row in range(top, bottom):
        for left in range(0, width, BLOCK):
            for k in range(INPUTS):
                for j in range(BLOCK):
                    f[k * BLOCK + j] = features[k, row, left + j]
            _hidden(f, net.w1, net.b1, h)
            for c in range(COLOURS):
                for j in range(BLOCK):
                    out[c * BLOCK + j] = net.b2[c]
            _mix(f, INPUTS, net.s, out)
            _mix(h, HIDDEN, net.w2, out)
            for c in range(COLOURS):
                for j in range(BLOCK):
                    t0[c, row + EDGE, left + EDGE + j] = out[c * BLOCK + j]


@fast
def _sums(g, x, count, gw):
    """gw += g x^T for three rows g and `count` rows x of a block."""
    for k in range(count):
        a0, a1, a2 = float32(0), float32(0), float32(0)
        for j in range(BLOCK):
            v = x[k * BLOCK + j]
            a0 += g[j] * v
            a1 += g[BLOCK + j] * v
            a2 += g[2 * BLOCK + j] * v
        gw[k] += a0
        gw[count + k] += a1
        gw[2 * count + k] += a2


@fast
def _hidden_back(g, h, net, gh):
    """The gradient of what relu gets, from that of t0."""
    for k in range(HIDDEN):
        w0, w1, w2 = net.w2[k], net.w2[HIDDEN + k], net.w2[2 * HIDDEN + k]
        for j in range(BLOCK):
            v = w0 * g[j] + w1 * g[BLOCK + j] + w2 * g[2 * BLOCK + j]
            gh[k * BLOCK + j] = v if h[k * BLOCK + j] > float32(0) else float32(0)


@fast
def _features_back(gh, g, w1, s, gf):
    """gf = w1^T gh + s^T g for a block."""
    for k in range(INPUTS):
        s0, s1, s2 = s[k], s[INPUTS + k], s[2 * INPUTS + k]
        for j in range(BLOCK):
            gf[k * BLOCK + j] = s0 * g[j] + s1 * g[BLOCK + j] + s2 * g[2 * BLOCK + j]
        for first in range(0, HIDDEN, 8):
            start, i = first * BLOCK, first * INPUTS + k
            for j in range(BLOCK):
                a = gf[k * BLOCK + j]
                for o in range(8):
                    a += w1[i + o * INPUTS] * gh[start + o * BLOCK + j]
                gf[k * BLOCK + j] = a


@fast
def _outer(gh, f, gw, gb):
    """gw += gh f^T for a block, gb += the sums of gh."""
    for o in range(HIDDEN):
        a0, a1, a2, a3 = float32(0), float32(0), float32(0), float32(0)
        a4, a5, a6, total = float32(0), float32(0), float32(0), float32(0)
        start, i = o * BLOCK, o * INPUTS
        for j in range(BLOCK):
            v = gh[start + j]
            a0 += v * f[j]
            a1 += v * f[BLOCK + j]
            a2 += v * f[2 * BLOCK + j]
            a3 += v * f[3 * BLOCK + j]
            a4 += v * f[4 * BLOCK + j]
            a5 += v * f[5 * BLOCK + j]
            a6 += v * f[6 * BLOCK + j]
            total += v
        gb[o] += total
        gw[i] += a0
        gw[i + 1] += a1
        gw[i + 2] += a2
        gw[i + 3] += a3
        gw[i + 4] += a4
        gw[i + 5] += a5
        gw[i + 6] += a6


@fast
def pixels_back(features, top, bottom, width, net, g, grad, gfeatures):
    """Gradients of the parameters, added to `grad`, and of the features, from those of t0, g."""
    f, h = np.empty(INPUTS * BLOCK, np.float32), np.empty(HIDDEN * BLOCK, np.float32)
    gh, gf = np.empty(HIDDEN * BLOCK, np.float32), np.empty(INPUTS * BLOCK, np.float32)
    gt = np.empty(COLOURS * BLOCK, np.float32)
    for row in range(top, bottom):
        for left in range(0, width, BLOCK):
            count = min(BLOCK, width - left)
            for k in range(INPUTS):
                for j in range(BLOCK):
                    f[k * BLOCK + j] = features[k, row, left + j]
            for c in range(COLOURS):
                for j in range(count):
                    gt[c * BLOCK + j] = g[c, row + EDGE, left + EDGE + j]
                for j in range(count, BLOCK):
                    gt[c * BLOCK + j] = 0
            _hidden(f, net.w1, net.b1, h)
            add_sums(gt, COLOURS, grad.b2)
            _sums(gt, h, HIDDEN, grad.w2)
            _sums(gt, f, INPUTS, grad.s)
            _hidden_back(gt, h, net, gh)
            _outer(gh, f, grad.w1, grad.b1)
            _features_back(gh, gt, net.w1, net.s, gf)
            for k in range(INPUTS):
                for j in range(BLOCK):
                    gfeatures[k, row, left + j] = gf[k * BLOCK + j]


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
