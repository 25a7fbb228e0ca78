"""Seven planes to a picture, and all gradients: two layers for each pixel by itself, then two of 3 x 3.

    t0 = W2 relu(W1 f + b1) + S f + b2        f has 7 values, W1 gives HIDDEN, the others 3
    t1 = leaky(t0 + K1 * t0 + c1),   x_hat = t1 + K2 * t1 + c2

This file has the layers W, `codec_lib.fitting.kernels` the layers K. A block of pixels goes through both
layers of W while it stays in the first cache; the backward pass makes the hidden values again instead of
keeping them. Pictures of three planes have a margin of two rows and columns: forward the inner one repeats
the border, backward both are 0. A leak of 1/8 below 0, and a gradient also where x_hat is clipped, bring
back a picture that has left the range.

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
