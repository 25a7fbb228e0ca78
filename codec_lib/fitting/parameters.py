"""All parameters of the codec for one picture, in one vector; and the groups that are rounded alike.

Every matrix and every row of biases is a group. What the probability network makes of neighbours that are
far is one more: in a small picture these weights stay 0.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from codec_lib.fitting.context import NEAR, SEEN, C, Network
from codec_lib.fitting.synthesis import COLOURS, HIDDEN, INPUTS, Synthesis
from codec_lib.fitting.upsampling import BICUBIC, TAPS

GRIDS = INPUTS  # resolutions, each half of the one before
SHAPES: dict[str, tuple[int, ...]] = {
    "w1": (C, SEEN), "w2": (C, C), "wo": (2, C), "ws": (2, SEEN), "b1": (C,), "b2": (C,), "bo": (2,),
    "taps": (TAPS * (GRIDS - 1),),
    "v1": (HIDDEN, INPUTS), "v2": (COLOURS, HIDDEN), "s": (COLOURS, INPUTS),
    "k1": (COLOURS, 9 * COLOURS), "k2": (COLOURS, 9 * COLOURS),
    "d1": (HIDDEN,), "d2": (COLOURS,), "c1": (COLOURS,), "c2": (COLOURS,),
}  # fmt: skip
FAR = "far"
CONTEXT = ("w1", "w2", "wo", "ws", "b1", "b2", "bo", FAR)  # groups of the probability network
# The groups of earlier files, which see no neighbours that are far.
EARLIER_GROUPS = (
    CONTEXT[:4],
    CONTEXT[4:7],
    ("taps",),
    ("v1", "v2", "s", "k1", "k2"),
    ("d1", "d2", "c1", "c2"),
)
SIZES = {name: prod(shape) for name, shape in SHAPES.items()}
COUNT = sum(SIZES.values())
NEAR_COUNT = COUNT - (C + 2) * (SEEN - NEAR)  # without the weights of neighbours that are far


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
    """Where each array lies in the vector."""
    ends = np.cumsum(list(SIZES.values())).tolist()
    return {name: slice(end - size, end) for (name, size), end in zip(SIZES.items(), ends, strict=True)}


def matrices() -> list[tuple[slice, tuple[int, int]]]:
    """Where the weights of layers lie in the vector, and their shapes."""
    return [(places()[name], (shape[0], shape[1])) for name, shape in SHAPES.items() if len(shape) == 2]


def far() -> np.ndarray:
    """Where the weights of neighbours that are far lie in the vector."""
    seen = [np.arange(COUNT)[places()[name]].reshape(-1, SEEN) for name in ("w1", "ws")]
    return np.concatenate([members[:, NEAR:].ravel() for members in seen])


def groups() -> dict[str, np.ndarray]:
    """Where the members of each group lie in the vector."""
    near = {name: np.setdiff1d(np.arange(COUNT)[where], far()) for name, where in places().items()}
    return near | {FAR: far()}


def earlier_groups() -> list[np.ndarray]:
    """The same of earlier files."""
    found = groups()
    return [np.concatenate([found[name] for name in names]) for names in EARLIER_GROUPS]


def narrowed(vector: np.ndarray) -> np.ndarray:
    """A vector (COUNT,) without the weights of neighbours that are far."""
    return np.delete(vector, far())


def widened(vector: np.ndarray) -> np.ndarray:
    """The vector (COUNT,) of which that is left; the weights that were left out are 0."""
    wide = np.zeros(COUNT, vector.dtype)
    wide[np.setdiff1d(np.arange(COUNT), far())] = vector
    return wide


def fresh(seed: int = 0) -> np.ndarray:
    """A vector to begin with where nothing is known, (COUNT,): small random weights, bicubic taps."""
    random = np.random.default_rng(seed)
    vector = np.zeros(COUNT, np.float32)
    network, taps, synthesis = parts(vector)
    network.wo[:] = random.normal(0, 1 / 16, 2 * C)
    network.ws[:] = random.normal(0, 1 / 16, 2 * SEEN)
    network.w1[:] = random.normal(0, 1 / 16, C * SEEN)
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
