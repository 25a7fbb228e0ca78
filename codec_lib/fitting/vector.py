"""What the loops of fitting are made of: how they are compiled, and exp, log and tanh in plain arithmetic.

The loops run over columns, many at a time: a compiler makes vector instructions of them as long as there
is no call to a library in between. So exp and log are polynomials around the exponent of a float, which
float32 has in its bits 23 to 30. Errors: 4e-6 of the value (exp), 2e-7 (tanh), 7e-7 (log).

`fast` lets sums be reordered, which fitting may; nothing that a decoder must repeat is compiled with it.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy import float32, int32

from codec_lib.entropy.compiled import compiled

fast_inline = njit(error_model="numpy", fastmath=True)

BLOCK = 64  # columns that go through all layers at once
LOG2_E, LN_2 = float32(1.4426950408889634), float32(0.6931471805599453)
LOWEST, HIGHEST = float32(-87.0), float32(87.0)  # exp stays a normal float between
MANTISSA, ONE = int32(0x007FFFFF), int32(0x3F800000)


def fast(function: Callable) -> Callable:
    """Compile a loop over float32 arrays, without the interpreter's lock."""
    return compiled(function, fastmath=True, boundscheck=False)


@fast_inline
def exp(x):
    """e^x for a float32, clamped to [-87, 87]."""
    t = min(max(x, LOWEST), HIGHEST) * LOG2_E
    whole = np.floor(t)
    f = t - whole
    p = float32(0.0018775767)
    p = p * f + float32(0.0089893397)
    p = p * f + float32(0.055826318)
    p = p * f + float32(0.24015361)
    p = p * f + float32(0.69315308)
    p = p * f + float32(0.99999994)
    return p * int32((int32(whole) + int32(127)) << int32(23)).view(np.float32)


@fast_inline
def log(x):
    """Natural logarithm of a normal, positive float32."""
    bits = int32(float32(x).view(np.int32))
    exponent = float32((bits >> int32(23)) - int32(127))
    m = int32((bits & MANTISSA) | ONE).view(np.float32)
    t = (m - float32(1.5)) / (m + float32(1.5))  # log m = log 1.5 + 2 artanh((m - 1.5) / (m + 1.5))
    t2 = t * t
    series = float32(1) + t2 * (float32(1 / 3) + t2 * (float32(1 / 5) + t2 * float32(1 / 7)))
    return exponent * LN_2 + float32(0.4054651081) + float32(2) * t * series


@fast_inline
def tanh(x):
    """Hyperbolic tangent of a float32."""
    e = exp(float32(-2) * abs(x))
    y = (float32(1) - e) / (float32(1) + e)
    return y if x >= float32(0) else -y


@fast
def add_sums(g, rows, sums):
    """sums += the sums of the rows of a block."""
    for o in range(rows):
        total = float32(0)
        for j in range(BLOCK):
            total += g[o * BLOCK + j]
        sums[o] += total
