r"""Bits of a grid of latents under the probability network, and all its gradients, in one sweep.

Every place of a grid is predicted by C values that are known before it: neighbours in its own grid and
values of coarser grids. Two residual layers and two linear outputs make of them the mean and the logarithm
of the scale of a Laplace density:

    h1 = relu(W1 x + b1 + x),  h2 = relu(W2 h1 + b2 + h1),  (mu, s) = Wo h2 + Ws x + bo,  b = e^s
    P = F(y + 1/2) - F(y - 1/2),     bits = -log2 P

A framework would keep a tensor of all places for each of these steps, and memory would set the pace. Here
a block of columns goes through forward and backward while it stays in the first cache; what is read and
written are the latents. P and its derivatives are in `codec_lib.fitting.laplace`.

Source: Ladune et al., "COOL-CHIC", ICCV 2023 (the network); the loops are this library's.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np
from numpy import float32

from codec_lib.fitting.laplace import laplace
from codec_lib.fitting.vector import BLOCK, fast

C = 16  # values that a place sees; a constant, so that loops over them are unrolled
MARGIN = 4  # zeros around a grid: above, left and below
PLANES = 3  # a grid, the next coarser one and the one after that, both enlarged to its size
# plane, rows down, columns right. In coarser grids all is known, also what lies below and to the right.
NEIGHBOURS = np.array(
    [
        *((0, y, x) for y, x in ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))),
        *((0, y, x) for y, x in ((-3, 0), (0, -3), (-1, -2), (-2, 1), (-2, -1), (-1, 2))),
        (1, 0, 0), (1, 0, 2), (1, 2, 0), (2, 0, 0),
    ],
    dtype=np.int64,
)  # fmt: skip


class Network(NamedTuple):
    """Parameters of the probability network, or their gradients, float32."""

    w1: np.ndarray  # (C * C,), row by row
    b1: np.ndarray  # (C,)
    w2: np.ndarray  # (C * C,)
    b2: np.ndarray  # (C,)
    wo: np.ndarray  # (2 * C,)
    ws: np.ndarray  # (2 * C,)
    bo: np.ndarray  # (2,)


@fast
def look(planes, row, left, x):
    """Copy what a block of places sees, C rows, out of planes float32 (3, rows, columns)."""
    for k in range(C):
        p, r, c = (NEIGHBOURS[k, 0], row + MARGIN + NEIGHBOURS[k, 1], left + MARGIN + NEIGHBOURS[k, 2])
        for j in range(BLOCK):
            x[k * BLOCK + j] = planes[p, r, c + j]


@fast
def hidden(x, w, b, out):
    """out = relu(w x + b + x) for a block of C rows."""
    for o in range(0, C, 4):
        for j in range(BLOCK):
            a0, a1 = b[o] + x[o * BLOCK + j], b[o + 1] + x[(o + 1) * BLOCK + j]
            a2, a3 = b[o + 2] + x[(o + 2) * BLOCK + j], b[o + 3] + x[(o + 3) * BLOCK + j]
            for k in range(C):
                v = x[k * BLOCK + j]
                a0 += w[o * C + k] * v
                a1 += w[(o + 1) * C + k] * v
                a2 += w[(o + 2) * C + k] * v
                a3 += w[(o + 3) * C + k] * v
            out[o * BLOCK + j], out[(o + 1) * BLOCK + j] = max(a0, float32(0)), max(a1, float32(0))
            out[(o + 2) * BLOCK + j], out[(o + 3) * BLOCK + j] = max(a2, float32(0)), max(a3, float32(0))


@fast
def hidden_back(g, w, out):
    """out += w^T g + g for a block: the gradient of w x + x."""
    for k in range(0, C, 4):
        for j in range(BLOCK):
            a0, a1 = (
                g[k * BLOCK + j] + out[k * BLOCK + j],
                g[(k + 1) * BLOCK + j] + out[(k + 1) * BLOCK + j],
            )
            a2, a3 = (
                g[(k + 2) * BLOCK + j] + out[(k + 2) * BLOCK + j],
                g[(k + 3) * BLOCK + j] + out[(k + 3) * BLOCK + j],
            )
            for o in range(C):
                v = g[o * BLOCK + j]
                a0 += w[o * C + k] * v
                a1 += w[o * C + k + 1] * v
                a2 += w[o * C + k + 2] * v
                a3 += w[o * C + k + 3] * v
            (
                out[k * BLOCK + j],
                out[(k + 1) * BLOCK + j],
                out[(k + 2) * BLOCK + j],
                out[(k + 3) * BLOCK + j],
            ) = a0, a1, a2, a3


@fast
def outer(g, x, gw, gb):
    """gw += g x^T and gb += the sums of g, over a block."""
    for o in range(0, C, 2):
        s0, s1 = float32(0), float32(0)
        for j in range(BLOCK):
            s0 += g[o * BLOCK + j]
            s1 += g[(o + 1) * BLOCK + j]
        gb[o] += s0
        gb[o + 1] += s1
        for k in range(0, C, 4):
            a0, a1, a2, a3 = float32(0), float32(0), float32(0), float32(0)
            c0, c1, c2, c3 = float32(0), float32(0), float32(0), float32(0)
            for j in range(BLOCK):
                u, v = g[o * BLOCK + j], g[(o + 1) * BLOCK + j]
                x0, x1, x2, x3 = (
                    x[k * BLOCK + j],
                    x[(k + 1) * BLOCK + j],
                    x[(k + 2) * BLOCK + j],
                    x[(k + 3) * BLOCK + j],
                )
                a0 += u * x0
                a1 += u * x1
                a2 += u * x2
                a3 += u * x3
                c0 += v * x0
                c1 += v * x1
                c2 += v * x2
                c3 += v * x3
            gw[o * C + k] += a0
            gw[o * C + k + 1] += a1
            gw[o * C + k + 2] += a2
            gw[o * C + k + 3] += a3
            gw[(o + 1) * C + k] += c0
            gw[(o + 1) * C + k + 1] += c1
            gw[(o + 1) * C + k + 2] += c2
            gw[(o + 1) * C + k + 3] += c3


@fast
def outputs(x, h2, net, mu, s):
    """(mu, s) of a block."""
    for j in range(BLOCK):
        a, b = net.bo[0], net.bo[1]
        for k in range(C):
            a += net.wo[k] * h2[k * BLOCK + j] + net.ws[k] * x[k * BLOCK + j]
            b += net.wo[C + k] * h2[k * BLOCK + j] + net.ws[C + k] * x[k * BLOCK + j]
        mu[j], s[j] = a, b


@fast
def outputs_back(x, h2, net, gmu, gs, grad, g2, g0):
    """Gradients of the outputs' weights, of h2 where it is above 0 (g2), and of x (g0)."""
    gwo, gws = grad.wo, grad.ws
    total, scale = float32(0), float32(0)
    for j in range(BLOCK):
        total += gmu[j]
        scale += gs[j]
    grad.bo[0] += total
    grad.bo[1] += scale
    for k in range(0, C, 2):
        a0, a1, a2, a3 = float32(0), float32(0), float32(0), float32(0)
        b0, b1, b2, b3 = float32(0), float32(0), float32(0), float32(0)
        i = k * BLOCK
        for j in range(BLOCK):
            m, t = gmu[j], gs[j]
            a0 += m * h2[i + j]
            a1 += t * h2[i + j]
            a2 += m * x[i + j]
            a3 += t * x[i + j]
            b0 += m * h2[i + BLOCK + j]
            b1 += t * h2[i + BLOCK + j]
            b2 += m * x[i + BLOCK + j]
            b3 += t * x[i + BLOCK + j]
        gwo[k] += a0
        gwo[C + k] += a1
        gws[k] += a2
        gws[C + k] += a3
        gwo[k + 1] += b0
        gwo[C + k + 1] += b1
        gws[k + 1] += b2
        gws[C + k + 1] += b3
    for k in range(C):
        w0, w1, w2, w3 = net.wo[k], net.wo[C + k], net.ws[k], net.ws[C + k]
        for j in range(BLOCK):
            g = w0 * gmu[j] + w1 * gs[j]
            g2[k * BLOCK + j] = g if h2[k * BLOCK + j] > float32(0) else float32(0)
            g0[k * BLOCK + j] = w2 * gmu[j] + w3 * gs[j]


@fast
def sweep(planes, top, bottom, width, net, grad, gplanes, is_forward):
    """Bits of the rows `top` to `bottom` of a grid; gradients are added to `grad` and `gplanes`.

    planes float32 (3, rows, columns): a grid and what it sees of coarser ones, with MARGIN zeros around and
    BLOCK more on the right. gplanes has the same columns, and begins MARGIN rows above row `top`.
    """
    x, h1, h2 = (
        np.empty(C * BLOCK, np.float32),
        np.empty(C * BLOCK, np.float32),
        np.empty(C * BLOCK, np.float32),
    )
    g0, g1, g2 = (
        np.empty(C * BLOCK, np.float32),
        np.empty(C * BLOCK, np.float32),
        np.empty(C * BLOCK, np.float32),
    )
    mu, s, y = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    gmu, gs = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total = 0.0
    for row in range(top, bottom):
        for left in range(0, width, BLOCK):
            count = min(BLOCK, width - left)
            look(planes, row, left, x)
            for j in range(BLOCK):
                y[j] = planes[0, row + MARGIN, left + MARGIN + j]
            hidden(x, net.w1, net.b1, h1)
            hidden(h1, net.w2, net.b2, h2)
            outputs(x, h2, net, mu, s)
            total += laplace(y, mu, s, count, gmu, gs)
            if is_forward:
                continue
            outputs_back(x, h2, net, gmu, gs, grad, g2, g0)
            outer(g2, h1, grad.w2, grad.b2)
            for k in range(C):
                for j in range(BLOCK):
                    g1[k * BLOCK + j] = 0
            hidden_back(g2, net.w2, g1)
            for k in range(C):
                for j in range(BLOCK):
                    g1[k * BLOCK + j] = g1[k * BLOCK + j] if h1[k * BLOCK + j] > float32(0) else float32(0)
            outer(g1, x, grad.w1, grad.b1)
            hidden_back(g1, net.w1, g0)
            for k in range(C):
                p, r, c = (
                    NEIGHBOURS[k, 0],
                    row - top + MARGIN + NEIGHBOURS[k, 1],
                    left + MARGIN + NEIGHBOURS[k, 2],
                )
                for j in range(BLOCK):
                    gplanes[p, r, c + j] += g0[k * BLOCK + j]
            for j in range(BLOCK):
                gplanes[0, row - top + MARGIN, left + MARGIN + j] -= gmu[j]
    return total


@fast
def predict(planes, top, bottom, width, net, mu_map, s_map):
    """Means and log-scales of the rows `top` to `bottom` of a grid, into maps of its size."""
    x, h1, h2 = (
        np.empty(C * BLOCK, np.float32),
        np.empty(C * BLOCK, np.float32),
        np.empty(C * BLOCK, np.float32),
    )
    mu, s = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for row in range(top, bottom):
        for left in range(0, width, BLOCK):
            look(planes, row, left, x)
            hidden(x, net.w1, net.b1, h1)
            hidden(h1, net.w2, net.b2, h2)
            outputs(x, h2, net, mu, s)
            for j in range(min(BLOCK, width - left)):
                mu_map[row, left + j], s_map[row, left + j] = mu[j], s[j]
