r"""Bits of a latent under a Laplace density that is integrated over its bin, and their derivatives.

    P = F(y + 1/2) - F(y - 1/2),     bits = -log2 P,     b = e^s

With u = y - mu, A = exp(-|1/2 - |u|| / b), B = exp(-(1/2 + |u|) / b) all derivatives come from two
exponentials, on both sides of |u| = 1/2:

    P = 1 - (A + B) / 2 inside, (A - B) / 2 outside
    dP/d|u| = -(A - B) / 2b,    dP/ds = -((1/2 - |u|) A + (1/2 + |u|) B) / 2b

Outside, P / A is what is computed: P itself would be 0 in float32 long before its logarithm matters.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from numpy import float32

from codec_lib.entropy.laplace import LOG_SCALE
from codec_lib.fitting.vector import BLOCK, exp, fast, fast_inline, log

CENTRE, BOUND = float32(0.5), float32(1e-30)
BITS = float32(1.4426950408889634)  # in a nat
LOW, HIGH = float32(LOG_SCALE[0]), float32(LOG_SCALE[1])  # of s: b from 0.018 to 148


@fast_inline
def _nats(au, r, near, far):
    """-ln P, and P inside or P / A outside; au = |u|, r = 1 / b."""
    inside = au < CENTRE
    p = float32(1) - CENTRE * (near + far) if inside else CENTRE * (float32(1) - exp(-r))
    p = max(p, BOUND)
    return -log(p) + (float32(0) if inside else (au - CENTRE) * r), p


@fast
def costs(y, mu, s, bits, slope):
    """Bits of every place of a grid, and their derivative by y; all float32 of one shape."""
    for i in range(bits.shape[0]):
        for j in range(bits.shape[1]):
            u, r = y[i, j] - mu[i, j], exp(-min(max(s[i, j], LOW), HIGH))
            near, far = exp(-abs(CENTRE - abs(u)) * r), exp(-(CENTRE + abs(u)) * r)
            cost, p = _nats(abs(u), r, near, far)
            d = CENTRE * r / p * (near - far) if abs(u) < CENTRE else r
            bits[i, j], slope[i, j] = BITS * cost, BITS * (d if u > float32(0) else -d)


@fast
def laplace(y, mu, s, count, gmu, gs):
    """Bits of the first `count` places of a block, and their derivatives by mu and by s."""
    bits = float32(0)
    for j in range(BLOCK):
        t = min(max(s[j], LOW), HIGH)
        u = y[j] - mu[j]
        au, r = abs(u), exp(-t)  # r = 1 / b
        near = exp(-abs(CENTRE - au) * r)
        far = exp(-(CENTRE + au) * r)
        inside = au < CENTRE
        unit = exp(-r)
        cost, p = _nats(au, r, near, far)
        ratio = CENTRE * r / p
        # outside p is P / A, so A is 1 and B is unit
        d = ratio * (near - far) if inside else r
        e = ratio * ((CENTRE - au) * near + (CENTRE + au) * far if inside else unit)
        e = e if inside else float32(2) * CENTRE * e - (au - CENTRE) * r
        kept = j < count
        bits += cost if kept else float32(0)
        d = d if u > float32(0) else -d
        gmu[j] = -d * BITS if kept else float32(0)
        gs[j] = e * BITS if kept and s[j] == t else float32(0)
    return bits * BITS
