"""A residual layer of the probability network, on blocks of columns: relu(W x + b + x), and its gradients.

A layer may see more values than it gives; the first of them are the x that is added. Sizes are constants
when the loops are compiled: those over values are unrolled then, and those over columns become vector
instructions.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from collections.abc import Callable
from typing import NamedTuple

from numpy import float32

from codec_lib.fitting.vector import BLOCK, fast

TURN = 8  # inputs that are added at once: as many as a compiler unrolls


class Loops(NamedTuple):
    """Loops of a layer. Arrays are float32, one row of BLOCK columns after the other, w row by row.

    forward(x, w, b, out): out = relu(w x + b + x).
    back(g, w, gx): gx += w^T g + g, for g where out is above 0.
    outer(g, x, gw, gb): gw += g x^T, and gb += the sums of g.
    """

    forward: Callable
    back: Callable
    outer: Callable


def layer(inputs: int, outputs: int) -> Loops:
    """The loops for some sizes, multiples of TURN, with no more outputs than inputs."""

    @fast
    def forward(x, w, b, out):
        for o in range(0, outputs, 4):
            i = o * BLOCK
            for j in range(BLOCK):
                for r in range(4):
                    out[i + r * BLOCK + j] = b[o + r] + x[i + r * BLOCK + j]
            for first in range(0, inputs, TURN):
                start = o * inputs + first
                for j in range(BLOCK):
                    a0, a1 = out[i + j], out[i + BLOCK + j]
                    a2, a3 = out[i + 2 * BLOCK + j], out[i + 3 * BLOCK + j]
                    for k in range(TURN):
                        v = x[(first + k) * BLOCK + j]
                        a0 += w[start + k] * v
                        a1 += w[start + inputs + k] * v
                        a2 += w[start + 2 * inputs + k] * v
                        a3 += w[start + 3 * inputs + k] * v
                    out[i + j], out[i + BLOCK + j] = a0, a1
                    out[i + 2 * BLOCK + j], out[i + 3 * BLOCK + j] = a2, a3
            for j in range(4 * BLOCK):
                out[i + j] = max(out[i + j], float32(0))

    @fast
    def back(g, w, gx):
        for k in range(outputs):
            for j in range(BLOCK):
                gx[k * BLOCK + j] += g[k * BLOCK + j]
        for k in range(0, inputs, 4):
            i = k * BLOCK
            for j in range(BLOCK):
                a0, a1 = gx[i + j], gx[i + BLOCK + j]
                a2, a3 = gx[i + 2 * BLOCK + j], gx[i + 3 * BLOCK + j]
                for o in range(outputs):
                    v = g[o * BLOCK + j]
                    a0 += w[o * inputs + k] * v
                    a1 += w[o * inputs + k + 1] * v
                    a2 += w[o * inputs + k + 2] * v
                    a3 += w[o * inputs + k + 3] * v
                gx[i + j], gx[i + BLOCK + j], gx[i + 2 * BLOCK + j], gx[i + 3 * BLOCK + j] = a0, a1, a2, a3

    @fast
    def outer(g, x, gw, gb):
        for o in range(0, outputs, 2):
            s0, s1 = float32(0), float32(0)
            for j in range(BLOCK):
                s0 += g[o * BLOCK + j]
                s1 += g[(o + 1) * BLOCK + j]
            gb[o] += s0
            gb[o + 1] += s1
            for k in range(0, inputs, 4):
                a0, a1, a2, a3 = float32(0), float32(0), float32(0), float32(0)
                c0, c1, c2, c3 = float32(0), float32(0), float32(0), float32(0)
                i, row, next_row = k * BLOCK, o * inputs + k, (o + 1) * inputs + k
                for j in range(BLOCK):
                    u, v = g[o * BLOCK + j], g[(o + 1) * BLOCK + j]
                    x0, x1 = x[i + j], x[i + BLOCK + j]
                    x2, x3 = x[i + 2 * BLOCK + j], x[i + 3 * BLOCK + j]
                    a0 += u * x0
                    a1 += u * x1
                    a2 += u * x2
                    a3 += u * x3
                    c0 += v * x0
                    c1 += v * x1
                    c2 += v * x2
                    c3 += v * x3
                gw[row] += a0
                gw[row + 1] += a1
                gw[row + 2] += a2
                gw[row + 3] += a3
                gw[next_row] += c0
                gw[next_row + 1] += c1
                gw[next_row + 2] += c2
                gw[next_row + 3] += c3

    return Loops(forward, back, outer)
