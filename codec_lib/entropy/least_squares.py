r"""Linear regression that learns while a picture is coded, in integers.

A target e is predicted from features x as w^T x. The weights minimise the squared error of what was coded
nearby, older samples counting less. A picture is cut into strips of columns, and every strip keeps

    C = sum of x x^T,   c = sum of x e         each sample takes 2^-MEMORY off what was there before

Since pixels are coded on slanted lines, all strips advance together, and what a strip remembers are the
rows just above. With the strips beside it, C' = C_left + 2 C + C_right, c' the same, the weights solve
(C' + RIDGE I) w = c'. They are not solved for but improved, each weight once before each prediction:

    w_a  <--  w_a + round((c'_a - sum_b C'_ab w_b - RIDGE w_a) / (C'_aa + RIDGE))

This is one sweep of the method of Gauss and Seidel; the sums change so little from sample to sample that
it keeps up. All numbers are integers held in float64, and every sum stays below 2^53, so that it is the
same in whatever order it is added up, and on every machine:

    |x|, |e| < 2^12,  |w| < 2^13,  at most 32 features   -->   C < 2^(24 + MEMORY),  sum_b C'_ab w_b < 2^52

Both other terms of the numerator stay below 2^47.

Sources: Li and Orchard, "Edge-directed prediction for lossless compression of natural images", IEEE
Transactions on Image Processing 2001 (least squares from coded neighbours); Zakharov, White and Liu,
"Low-complexity RLS algorithms using dichotomous coordinate descent iterations", IEEE Transactions on Signal
Processing 2008 (coordinates instead of an inverse).
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple

import numpy as np

from codec_lib.entropy.compiled import compiled_exact

FEATURES = 32  # at most
LIMIT = 2**12 - 1  # of the size of a feature and of a target
MEMORY = 8
RIDGE = 2.0**12
WEIGHT_BITS = 12  # bits of fraction of a weight, which lies between -2 and 2


class Regression(NamedTuple):
    """C (S, targets, FEATURES, FEATURES), c and w (S, targets, FEATURES) of S strips, float64."""

    squares: np.ndarray
    products: np.ndarray
    weights: np.ndarray

    @classmethod
    def start(cls, strips: int, targets: int) -> "Regression":
        """Nothing learned: all predictions are zero."""
        room = (strips, targets, FEATURES)
        return cls(np.zeros((*room, FEATURES)), np.zeros(room), np.zeros(room))


@compiled_exact
def predict(x, regression, strip, target):
    """w^T x with WEIGHT_BITS of fraction, for features x float64 (F,) of a sample in a strip.

    A target has the same F <= FEATURES for all its samples.
    """
    before, after = max(strip - 1, 0), min(strip + 1, regression.weights.shape[0] - 1)
    squares = regression.squares[strip, target]
    left, right = regression.squares[before, target], regression.squares[after, target]
    products, w = regression.products, regression.weights[strip, target]
    for a in range(x.size):
        explained, size = 0.0, 2 * squares[a, a] + left[a, a] + right[a, a] + RIDGE
        for b in range(x.size):
            explained += (2 * squares[a, b] + left[a, b] + right[a, b]) * w[b]
        sums = 2 * products[strip, target, a] + products[before, target, a] + products[after, target, a]
        step = np.floor((sums * 2.0**WEIGHT_BITS - explained - RIDGE * w[a]) / size + 0.5)
        w[a] = min(max(w[a] + step, 1 - 2.0 ** (WEIGHT_BITS + 1)), 2.0 ** (WEIGHT_BITS + 1) - 1)
    total = 0.0
    for a in range(x.size):
        total += w[a] * x[a]
    return total


@compiled_exact
def learn(x, e, regression, strip, target):
    """Add a sample of a strip, whose target turned out to be e."""
    squares, products = regression.squares[strip, target], regression.products[strip, target]
    for a in range(x.size):
        for b in range(x.size):
            squares[a, b] += x[a] * x[b] - np.floor(squares[a, b] * 2.0**-MEMORY)
        products[a] += x[a] * e - np.floor(products[a] * 2.0**-MEMORY)
