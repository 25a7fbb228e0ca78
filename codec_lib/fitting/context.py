r"""Bits of a grid of latents under the probability network, and all its gradients, in one sweep.

Every place of a grid is predicted by SEEN values that are known before it: neighbours in its own grid and
values of coarser grids. Two residual layers of C values and two linear outputs make of them the mean and
the log scale of a Laplace density; the first layer adds the first C of the values that it sees:

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
from codec_lib.fitting.layer import layer
from codec_lib.fitting.vector import BLOCK, fast

C = 16  # hidden values; a constant, as the next two, so that loops over them are unrolled
NEAR, SEEN = 16, 24  # values that a place sees: in every file, and in those that say so
MARGIN = 4  # zeros around a grid: above, left and below
PLANES = 3  # a grid, the next coarser one and the one after that, both enlarged to its size
# plane, rows down, columns right. In coarser grids all is known, also what lies below and to the right.
NEIGHBOURS = np.array(
    [
        *((0, y, x) for y, x in ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0))),
        *((0, y, x) for y, x in ((-3, 0), (0, -3), (-1, -2), (-2, 1), (-2, -1), (-1, 2))),
        (1, 0, 0), (1, 0, 2), (1, 2, 0), (2, 0, 0),
        # NEAR are above.
        *((0, y, x) for y, x in ((-2, -2), (-3, -1), (-1, -3), (0, -4))),
        (1, 0, -2), (1, -2, 0), (2, 0, 4), (2, 4, 0),
    ],
    dtype=np.int64,
)  # fmt: skip


class Network(NamedTuple):
    """Parameters of the probability network, or their gradients, float32."""

    w1: np.ndarray  # (C * SEEN,), row by row
    b1: np.ndarray  # (C,)
    w2: np.ndarray  # (C * C,)
    b2: np.ndarray  # (C,)
    wo: np.ndarray  # (2 * C,)
    ws: np.ndarray  # (2 * SEEN,)
    bo: np.ndarray  # (2,)


@fast
def look(planes, row, left, x):
    """Copy what a block of places sees, SEEN rows, out of planes float32 (3, rows, columns)."""
    for k in range(SEEN):
        p, r, c = NEIGHBOURS[k, 0], row + MARGIN + NEIGHBOURS[k, 1], left + MARGIN + NEIGHBOURS[k, 2]
        seen = planes[p, r, c : c + BLOCK]
        for j in range(BLOCK):
            x[k * BLOCK + j] = seen[j]


first, first_back, first_outer = layer(SEEN, C)
second, second_back, second_outer = layer(C, C)


@fast
def _add(x, count, w, mu, s):
    """Add `count` rows of x to both outputs, a multiple of 4."""
    for first in range(0, count, 4):
        i, start = first, count + first
        for j in range(BLOCK):
            a, b = mu[j], s[j]
            for k in range(4):
                v = x[(first + k) * BLOCK + j]
                a += w[i + k] * v
                b += w[start + k] * v
            mu[j], s[j] = a, b


@fast
def outputs(x, h2, net, mu, s):
    """(mu, s) of a block."""
    for j in range(BLOCK):
        mu[j], s[j] = net.bo[0], net.bo[1]
    _add(h2, C, net.wo, mu, s)
    _add(x, SEEN, net.ws, mu, s)


@fast
def _weigh(gmu, gs, x, count, gw):
    """gw += the products of both outputs' gradients with `count` rows of x, an even number."""
    for k in range(0, count, 2):
        a0, a1, b0, b1 = float32(0), float32(0), float32(0), float32(0)
        i = k * BLOCK
        for j in range(BLOCK):
            m, t = gmu[j], gs[j]
            a0 += m * x[i + j]
            a1 += t * x[i + j]
            b0 += m * x[i + BLOCK + j]
            b1 += t * x[i + BLOCK + j]
        gw[k] += a0
        gw[count + k] += a1
        gw[k + 1] += b0
        gw[count + k + 1] += b1


@fast
def outputs_back(x, h2, net, gmu, gs, grad, g2, g0):
    """Gradients of the outputs' weights, of h2 where it is above 0 (g2), and of x (g0)."""
    total, scale = float32(0), float32(0)
    for j in range(BLOCK):
        total += gmu[j]
        scale += gs[j]
    grad.bo[0] += total
    grad.bo[1] += scale
    _weigh(gmu, gs, h2, C, grad.wo)
    _weigh(gmu, gs, x, SEEN, grad.ws)
    for k in range(C):
        w0, w1 = net.wo[k], net.wo[C + k]
        for j in range(BLOCK):
            g = w0 * gmu[j] + w1 * gs[j]
            g2[k * BLOCK + j] = g if h2[k * BLOCK + j] > float32(0) else float32(0)
    for k in range(SEEN):
        w0, w1 = net.ws[k], net.ws[SEEN + k]
        for j in range(BLOCK):
            g0[k * BLOCK + j] = w0 * gmu[j] + w1 * gs[j]


@fast
def sweep(planes, top, bottom, width, net, grad, gplanes, is_forward):
    """Bits of the rows `top` to `bottom` of a grid; gradients are added to `grad` and `gplanes`.

    planes float32 (3, rows, columns): a grid and what it sees of coarser ones, with MARGIN zeros around and
    BLOCK more on the right. gplanes has the same columns, and begins MARGIN rows above row `top`.
    """
    x, g0 = np.empty(SEEN * BLOCK, np.float32), np.empty(SEEN * BLOCK, np.float32)
    h1, h2 = np.empty(C * BLOCK, np.float32), np.empty(C * BLOCK, np.float32)
    g1, g2 = np.empty(C * BLOCK, np.float32), np.empty(C * BLOCK, np.float32)
    mu, s, y = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    gmu, gs = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    total = 0.0
    for row in range(top, bottom):
        for left in range(0, width, BLOCK):
            count = min(BLOCK, width - left)
            look(planes, row, left, x)
            for j in range(BLOCK):
                y[j] = planes[0, row + MARGIN, left + MARGIN + j]
            first(x, net.w1, net.b1, h1)
            second(h1, net.w2, net.b2, h2)
            outputs(x, h2, net, mu, s)
            total += laplace(y, mu, s, count, gmu, gs)
            if is_forward:
                continue
            outputs_back(x, h2, net, gmu, gs, grad, g2, g0)
            second_outer(g2, h1, grad.w2, grad.b2)
            g1[:] = 0
            second_back(g2, net.w2, g1)
            for k in range(C):
                for j in range(BLOCK):
                    g1[k * BLOCK + j] = g1[k * BLOCK + j] if h1[k * BLOCK + j] > float32(0) else float32(0)
            first_outer(g1, x, grad.w1, grad.b1)
            first_back(g1, net.w1, g0)
            for k in range(SEEN):
                p, r, c = NEIGHBOURS[k, 0], NEIGHBOURS[k, 1] + MARGIN, left + MARGIN + NEIGHBOURS[k, 2]
                seen = gplanes[p, row - top + r, c : c + BLOCK]
                for j in range(BLOCK):
                    seen[j] += g0[k * BLOCK + j]
            for j in range(BLOCK):
                gplanes[0, row - top + MARGIN, left + MARGIN + j] -= gmu[j]
    return total


@fast
def predict(planes, top, bottom, width, net, mu_map, s_map):
    """Means and log-scales of the rows `top` to `bottom` of a grid, into maps of its size."""
    x = np.empty(SEEN * BLOCK, np.float32)
    h1, h2 = np.empty(C * BLOCK, np.float32), np.empty(C * BLOCK, np.float32)
    mu, s = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for row in range(top, bottom):
        for left in range(0, width, BLOCK):
            look(planes, row, left, x)
            first(x, net.w1, net.b1, h1)
            second(h1, net.w2, net.b2, h2)
            outputs(x, h2, net, mu, s)
            for j in range(min(BLOCK, width - left)):
                mu_map[row, left + j], s_map[row, left + j] = mu[j], s[j]
