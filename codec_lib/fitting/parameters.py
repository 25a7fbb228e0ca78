"""All parameters of the codec for one picture, in one vector; and the steps that they are rounded to.

The vector has five groups. Weights and biases of the probability network and of the synthesis lie in
groups of their own, since each group is written in one step size, a power of two.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from codec_lib.fitting.context import C, Network
from codec_lib.fitting.synthesis import COLOURS, HIDDEN, INPUTS, Synthesis
from codec_lib.fitting.upsampling import BICUBIC, TAPS

GRIDS = INPUTS  # resolutions, each half of the one before
GROUPS: dict[str, dict[str, tuple[int, ...]]] = {
    "context weights": {"w1": (C, C), "w2": (C, C), "wo": (2, C), "ws": (2, C)},
    "context biases": {"b1": (C,), "b2": (C,), "bo": (2,)},
    "taps": {"taps": (TAPS * (GRIDS - 1),)},
    "synthesis weights": {
        "v1": (HIDDEN, INPUTS), "v2": (COLOURS, HIDDEN), "s": (COLOURS, INPUTS),
        "k1": (COLOURS, 9 * COLOURS), "k2": (COLOURS, 9 * COLOURS),
    },
    "synthesis biases": {"d1": (HIDDEN,), "d2": (COLOURS,), "c1": (COLOURS,), "c2": (COLOURS,)},
}  # fmt: skip
SHAPES = {name: shape for group in GROUPS.values() for name, shape in group.items()}
SIZES = {name: prod(shape) for name, shape in SHAPES.items()}
COUNT = sum(SIZES.values())


class Parts(NamedTuple):
    """The vector as the loops take it: views, no copies."""

    network: Network
    taps: np.ndarray  # (GRIDS - 1, TAPS), the first makes the finest grid
    synthesis: Synthesis


def parts(vector: np.ndarray) -> Parts:
    """Views of a vector (COUNT,)."""
    views = {name: vector[where] for name, where in places().items()}
    return Parts(
        Network(*(views[name] for name in ("w1", "b1", "w2", "b2", "wo", "ws", "bo"))),
        views["taps"].reshape(GRIDS - 1, TAPS),
        Synthesis(*(views[name] for name in ("v1", "d1", "v2", "s", "d2", "k1", "c1", "k2", "c2"))),
    )


def places() -> dict[str, slice]:
    """Where each member of a group lies in the vector."""
    ends = np.cumsum(list(SIZES.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(SIZES.items(), ends, strict=True)}


def matrices() -> list[tuple[slice, tuple[int, int]]]:
    """Where the weights of layers lie in the vector, and their shapes."""
    return [(places()[name], (shape[0], shape[1])) for name, shape in SHAPES.items() if len(shape) == 2]


def groups() -> dict[str, slice]:
    """Where each group lies in the vector."""
    found, start = {}, 0
    for name, members in GROUPS.items():
        found[name] = slice(start, start + sum(SIZES[member] for member in members))
        start = found[name].stop
    return found


def fresh(seed: int = 0) -> np.ndarray:
    """A vector to begin with where nothing is known: small random weights, bicubic taps."""
    random = np.random.default_rng(seed)
    vector = np.zeros(COUNT, np.float32)
    network, taps, synthesis = parts(vector)
    network.wo[:] = random.normal(0, 1 / 16, 2 * C)
    network.ws[:] = random.normal(0, 1 / 16, 2 * C)
    network.w1[:] = random.normal(0, 1 / 16, C * C)
    network.bo[1] = -1.0
    taps[:] = BICUBIC
    synthesis.w1[:] = random.normal(0, INPUTS**-0.5, HIDDEN * INPUTS)
    synthesis.w2[:] = random.normal(0, 0.1 * HIDDEN**-0.5, COLOURS * HIDDEN)
    synthesis.s[:] = random.normal(0, 0.02, COLOURS * INPUTS)
    synthesis.b2[:] = 0.5
    return vector


def grid_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Rows and columns of all grids, the finest first.

    >>> grid_sizes(5, 64)[:4], grid_sizes(5, 64)[6]
    ([(5, 64), (3, 32), (2, 16), (1, 8)], (1, 1))
    """
    return [(-(-height >> level), -(-width >> level)) for level in range(GRIDS)]
