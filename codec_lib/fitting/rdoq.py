r"""Rounded parameters that are moved by a step where that pays: rate-distortion optimized quantization.

The nearest multiple of a step would be the best one if parameters cost nothing and each stood alone. Here
single parameters move by one step, and stay where bits and weighted error became less in sum. What a move
promises is the change of the parameter's own bits, and what gradient and curvature say of everything else.
The gradient is computed in each round. A curvature is known once a move of its parameter was tried: so the
first round tries them all, the others those few that promise a gain.

Source of the idea: Karczewicz et al., "Rate distortion optimized quantization", VCEG-AH21, 2008, for the
coefficients of video.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from codec_lib.entropy.pmf import Tables, surprise
from codec_lib.fitting.parameters import CONTEXT, COUNT, groups
from codec_lib.fitting.rounding import Cost, Steps, best_row, differences, most, multiples
from codec_lib.progress import until_stopped

ROUNDS = 6  # at most; most pictures need five until no move pays


class Move(NamedTuple):
    """A step of one parameter, up or down."""

    promise: float  # bits that everything is expected to change by, below 0
    place: int  # in the vector
    group: str
    change: float
    bits: float  # that the parameter's own change by


def improve(
    rounded: np.ndarray,
    steps: Steps,
    start: np.ndarray,
    tables: Tables,
    cost: Cost,
    gradient: Callable[[np.ndarray], np.ndarray],
    on_progress: Callable[[float], None],
) -> bool:
    """Move parameters that were rounded, in place.

    Ctrl-C ends it, and leaves the moves so far; False is returned then.

    Args:
        rounded, steps: what `rounding.choose` found.
        start: the starting point, (COUNT,).
        tables: those of `rounding.make_tables`.
        cost: as for `rounding.choose`.
        gradient: of what `cost` says for all groups, (COUNT,), at a vector.
        on_progress: is called with the share that is done.
    """
    curvature = np.zeros(COUNT)  # 0 until a move was tried
    kept = rounded.copy()
    with until_stopped():
        for turn in range(ROUNDS):
            slope = gradient(rounded)
            costs: dict[bool, float] = {}  # of either half of the parameters
            moved: set[int] = set()
            found = _moves(rounded, steps, start, tables, slope, curvature)
            for number, move in enumerate(found):
                half, place = move.group in CONTEXT, move.place
                if place in moved:
                    continue
                if half not in costs:
                    costs[half] = cost(rounded, move.group)
                rounded[place] += move.change
                after = cost(rounded, move.group)
                bend = after - costs[half] - slope[place] * move.change
                curvature[place] = max(2 * bend / move.change**2, 0)
                if after + move.bits < costs[half]:
                    costs[half], kept[place] = after, rounded[place]
                    moved.add(place)
                else:
                    rounded[place] = kept[place]
                if turn == 0:
                    on_progress((number + 1) / len(found))
            if not moved:
                break
        return True
    rounded[:] = kept
    return False


def _moves(
    rounded: np.ndarray,
    steps: Steps,
    start: np.ndarray,
    tables: Tables,
    slope: np.ndarray,
    curvature: np.ndarray,
) -> list[Move]:
    """All that promise a gain, the best first."""
    found = []
    for name, part in groups().items():
        step = steps[name]
        if step is None:
            continue
        values, whole = differences(rounded, start, part, step), multiples(rounded[part], step)
        rows = np.full(values.size, best_row(values, tables)[1], np.uint8)
        now = surprise(values, rows, tables)
        for direction in (-1, 1):
            change = direction * 2.0**-step
            bits = surprise(values + direction, rows, tables) - now
            promise = bits + slope[part] * change + curvature[part] * change**2 / 2
            is_open = (promise < 0) & (np.abs(whole + direction) <= most(step))
            found += [Move(promise[k], part[k], name, change, bits[k]) for k in np.flatnonzero(is_open)]
    return sorted(found)
