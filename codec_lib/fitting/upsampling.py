"""Enlarging a plane twofold by four learned taps, and back: what brings all grids to the picture's size.

Samples of the larger plane lie a quarter left and right of those of the smaller one, so that two of them
see the same taps a, b, c, d in mirrored order, first along columns, then along rows:

    out[2i]     = a x[i-2] + b x[i-1] + c x[i]   + d x[i+1]
    out[2i + 1] = d x[i-1] + c x[i]   + b x[i+1] + a x[i+2]

Borders are repeated. An odd side leaves the last sample out.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import numpy as np
from numpy import float32

from codec_lib.fitting.vector import fast

TAPS = 4
BICUBIC = (-0.03515625, 0.26171875, 0.87890625, -0.10546875)
LANES = 64  # rows are stored in multiples of it


def stride_of(width: int) -> int:
    """Columns that a row of `width` samples takes, one more than it has or above."""
    return -(-(width + 1) // LANES) * LANES


@fast
def _mix(x, i, w, taps, is_odd, row):
    """A row of the larger plane before its columns are enlarged, with two repeated samples at both ends."""
    last = x.shape[0] - 1
    if is_odd:
        r0, r1, r2, r3 = max(i - 1, 0), i, min(i + 1, last), min(i + 2, last)
        a, b, c, d = taps[3], taps[2], taps[1], taps[0]
    else:
        r0, r1, r2, r3 = max(i - 2, 0), max(i - 1, 0), i, min(i + 1, last)
        a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for j in range(w):
        row[j + 2] = a * x[r0, j] + b * x[r1, j] + c * x[r2, j] + d * x[r3, j]
    row[0] = row[1] = row[2]
    row[w + 2] = row[w + 3] = row[w + 1]
    return r0, r1, r2, r3


@fast
def enlarge(x, w, taps, out, height):
    """Fill the first `height` rows of `out` from the first w columns of x."""
    row = np.zeros(w + 4, np.float32)
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for y in range(height):
        _mix(x, y >> 1, w, taps, y & 1, row)
        for j in range(w):
            t1, t2, t3 = row[j + 1], row[j + 2], row[j + 3]
            out[y, 2 * j] = a * row[j] + b * t1 + c * t2 + d * t3
            out[y, 2 * j + 1] = d * t1 + c * t2 + b * t3 + a * row[j + 4]


@fast
def enlarge_back(x, w, taps, g, height, gx, gtaps):
    """Gradients of x, which replace what `gx` holds, and of the taps, which are added to `gtaps`.

    g are those of `out`; where the picture has no column it has to be 0.
    """
    row, grow = np.zeros(w + 4, np.float32), np.zeros(w + 8, np.float32)
    even, odd = np.zeros(w + 8, np.float32), np.zeros(w + 8, np.float32)
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for i in range(gx.shape[0]):
        for j in range(w):
            gx[i, j] = 0
    for y in range(height):
        r0, r1, r2, r3 = _mix(x, y >> 1, w, taps, y & 1, row)
        for j in range(w):
            even[j + 4], odd[j + 4] = g[y, 2 * j], g[y, 2 * j + 1]
        s0, s1, s2, s3 = float32(0), float32(0), float32(0), float32(0)
        for j in range(w):
            e, o = even[j + 4], odd[j + 4]
            s0 += e * row[j] + o * row[j + 4]
            s1 += e * row[j + 1] + o * row[j + 3]
            s2 += e * row[j + 2] + o * row[j + 2]
            s3 += e * row[j + 3] + o * row[j + 1]
        for j in range(w + 4):
            t = a * even[j + 4] + b * even[j + 3] + c * even[j + 2] + d * even[j + 1]
            grow[j] = t + d * odd[j + 3] + c * odd[j + 2] + b * odd[j + 1] + a * odd[j]
        grow[2] += grow[0] + grow[1]
        grow[w + 1] += grow[w + 2] + grow[w + 3]
        q0, q1, q2, q3 = float32(0), float32(0), float32(0), float32(0)
        for j in range(w):
            t = grow[j + 2]
            q0 += t * x[r0, j]
            q1 += t * x[r1, j]
            q2 += t * x[r2, j]
            q3 += t * x[r3, j]
        is_odd = y & 1
        k0, k1, k2, k3 = (d, c, b, a) if is_odd else (a, b, c, d)
        for j in range(w):
            gx[r0, j] += k0 * grow[j + 2]
        for j in range(w):
            gx[r1, j] += k1 * grow[j + 2]
        for j in range(w):
            gx[r2, j] += k2 * grow[j + 2]
        for j in range(w):
            gx[r3, j] += k3 * grow[j + 2]
        gtaps[0] += s0 + (q3 if is_odd else q0)
        gtaps[1] += s1 + (q2 if is_odd else q1)
        gtaps[2] += s2 + (q1 if is_odd else q2)
        gtaps[3] += s3 + (q0 if is_odd else q3)
