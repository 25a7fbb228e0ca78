"""Which symbol it is, as answers to "is it t or more?", each t near the middle of what is likely.

The first questions form a tree. Its root asks for the middle of a logistic distribution, the nodes below
for a quarter and three, and so on; a question whose answer is known already is passed over. Answers mean
the same wherever a node asks, so that odds can be learned for each. What the tree leaves open is halved,
or, where one end is open, searched outwards in steps that double.

>>> ask(1, (-9, 9), (-9, 9), 0, 256, 1, 1, halving_odds(np.arange(-2048, 2048)))  # 0 or more?
(0, 1, 1, 1)
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import numpy as np
from numba import int64

from codec_lib.entropy.compiled import compiled
from codec_lib.entropy.logistic_mixing import ODDS_BITS
from codec_lib.entropy.units import LEVEL_BITS

HALVINGS = 8  # nodes are numbered from 1, the root; those below n are 2 n and 2 n + 1
QUESTIONS = HALVINGS + 2  # beyond the tree: among few symbols, among many
FEW = 4
ANSWERS = 24  # more than any sample takes: 3 of the tree, then doublings and halvings of at most 511


def halving_odds(odds: np.ndarray) -> np.ndarray:
    """Log odds of what each node asks for, int64 (HALVINGS,), from those of probabilities k / len(odds)."""
    nodes = np.arange(1, HALVINGS)
    depth = np.log2(nodes).astype(int)
    middle = (2 * (nodes - (1 << depth)) + 1) * (odds.size >> (depth + 1))
    return np.concatenate(([0], odds[middle]))


@compiled
def ask(node, ends, possible, centre, spread, size, tail, halving):
    """The next question about a symbol between two ends: t, question, node, next step of a tail.

    `centre` and `spread` say where its sample is likely to be, in 1/256 level; a symbol has `size` levels.
    """
    low, high = ends
    while node < HALVINGS:
        likely = centre + (spread * halving[node] >> int64(ODDS_BITS))
        t = (likely + (size << int64(LEVEL_BITS - 1))) // (size << int64(LEVEL_BITS))
        if low < t <= high:
            return t, node, node, tail
        node = 2 * node + (t <= low)
    if high - low < FEW:
        return (low + high + 1) >> int64(1), HALVINGS, HALVINGS, tail
    half = (high - low + 1) >> int64(1)
    if high == possible[1]:
        return low + min(tail, half), HALVINGS + 1, HALVINGS, 2 * tail
    if low == possible[0]:
        return high + 1 - min(tail, half), HALVINGS + 1, HALVINGS, 2 * tail
    return low + half, HALVINGS + 1, HALVINGS, tail
