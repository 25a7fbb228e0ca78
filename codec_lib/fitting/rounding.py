"""Parameters to bytes and back: rounded to steps that pay, coded as differences from a starting point.

Every group of parameters (`codec_lib.fitting.parameters`) has a step, a power of two. A coarser one makes
fewer bits of parameters and more of everything else; each is chosen for the least sum. What is coded are
multiples of the step, minus those of the starting point, which encoder and decoder have in common, under a
Laplace density whose width is chosen for the group. A group may also stay where it starts.

Section `n` of a file:

    one byte, LAYOUT
    one byte for each group, UNMOVED or (-log2 of its step - 3) * 24 + the row of its table
    then the stream of `codec_lib.entropy.rans`, of all groups that moved

Earlier files begin with five larger groups, two bytes each: -log2 of the step, which is below LAYOUT, and
the row. Their stream has the differences of all parameters but those of neighbours that are far, which
their starting point has not either.
"""

from collections.abc import Callable

import numpy as np
import torch

from codec_lib.density.shapes import LAPLACE
from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables, surprise
from codec_lib.errors import BitstreamError
from codec_lib.fitting.coder import FRACTION, WEIGHT_LIMIT
from codec_lib.fitting.parameters import COUNT, earlier_groups, far, groups

STEPS = range(3, FRACTION + 1)  # -log2 of those that a group may have
FIRST = 9  # the one that the search begins with
ROUNDS = 2  # what is best for a group depends on the others
LAYOUT, UNMOVED = 0x80, 0xFF
WIDTHS = [2 ** (k / 2 - 2) for k in range(24)]  # of the densities, in steps
REACH = 2.0**-14  # mass beyond which a value is an escape
MAX_REACH = 1500  # values on either side of a row

Steps = dict[str, int | None]  # -log2 of each group's; None for one that stays where it starts
# What all but the parameters cost, in bits, as far as a group, named, can change it.
Cost = Callable[[np.ndarray, str], float]


def make_tables() -> Tables:
    """A row for each width."""
    pmfs, offsets = [], []
    for width in WIDTHS:
        last = min(int(np.ceil(width * LAPLACE.reach(REACH))), MAX_REACH)
        distance = torch.arange(-last, last + 1, dtype=torch.float64).abs()
        pmfs.append(LAPLACE.bin(distance, torch.tensor(width, dtype=torch.float64)).numpy())
        offsets.append(-last)
    return Tables.from_pmfs(pmfs, offsets)


def most(step: int) -> int:
    """The largest multiple of 2^-step that is below 64."""
    return (int(WEIGHT_LIMIT) - 1) >> (FRACTION - step)


def multiples(vector: np.ndarray, step: int) -> np.ndarray:
    """Values in whole steps of 2^-step, int32; none reaches 64."""
    whole = np.rint(vector.astype(np.float64) * 2.0**step)
    return np.clip(whole, -most(step), most(step)).astype(np.int32)


def best_row(differences: np.ndarray, tables: Tables) -> tuple[float, int]:
    """The fewest bits that some differences take, and the row of the tables."""
    costs = [
        (surprise(differences, np.full(differences.size, row, np.uint8), tables).sum(), row)
        for row in range(len(tables))
    ]
    return min(costs)


def choose(vector: np.ndarray, start: np.ndarray, tables: Tables, cost: Cost) -> tuple[np.ndarray, Steps]:
    """Parameters that are rounded, and the steps that cost least."""
    rounded = _round(vector, FIRST)
    steps: Steps = dict.fromkeys(groups(), FIRST)
    for name, part in ROUNDS * list(groups().items()):

        def attempt(step: int | None, name: str = name, part: np.ndarray = part) -> float:
            rounded[part] = _round((start if step is None else vector)[part], step or FRACTION)
            bits = 0.0 if step is None else best_row(differences(rounded, start, part, step), tables)[0]
            return bits + cost(rounded, name)

        first = steps[name] or FIRST
        costs: dict[int | None, float] = {first: attempt(first), None: attempt(None)}
        for direction in (-1, 1):
            step = first + direction
            while step in STEPS and costs[step - direction] == min(costs.values()):
                costs[step] = attempt(step)
                step += direction
        steps[name] = min(costs, key=costs.__getitem__)
        attempt(steps[name])
    return rounded, steps


def differences(vector: np.ndarray, start: np.ndarray, part: np.ndarray, step: int) -> np.ndarray:
    """What is coded of a group."""
    return multiples(vector[part], step) - multiples(start[part], step)


def _round(values: np.ndarray, step: int) -> np.ndarray:
    return (multiples(values, step) * 2.0**-step).astype(np.float32)


def encode(vector: np.ndarray, steps: Steps, start: np.ndarray, tables: Tables) -> bytes:
    """The section of parameters that are multiples of their steps; None for a group that did not move."""
    head, symbols, indexes = bytearray([LAYOUT]), [np.empty(0, np.int32)], [np.empty(0, np.uint8)]
    for name, part in groups().items():
        step = steps[name]
        if step is None:
            head.append(UNMOVED)
            continue
        found = differences(vector, start, part, step)
        _, row = best_row(found, tables)
        head.append((step - STEPS[0]) * len(tables) + row)
        symbols.append(found)
        indexes.append(np.full(found.size, row, np.uint8))
    return bytes(head) + rans.encode(np.concatenate(symbols), np.concatenate(indexes), tables)


def decode(data: bytes, start: np.ndarray, tables: Tables) -> np.ndarray:
    """The parameters, float32 (COUNT,); BitstreamError where the bytes are no such section."""
    head, moved = _read_head(data, tables, start)
    whole, scale = multiples(start, FRACTION).astype(np.int64), np.full(COUNT, 2.0**-FRACTION)
    order = np.concatenate([np.empty(0, np.int64), *(part for part, _, _ in moved)])
    rows = np.concatenate([np.empty(0, np.uint8), *(np.full(p.size, r, np.uint8) for p, _, r in moved)])
    for part, step, _ in moved:
        whole[part], scale[part] = multiples(start[part], step), 2.0**-step
    whole[order] += rans.decode(data[head:], rows, tables)
    values = whole * scale
    if not (np.abs(values) < WEIGHT_LIMIT / 2**FRACTION).all():
        raise BitstreamError(f"rans: a parameter is {np.abs(values).max()}, expected less than 64")
    return values.astype(np.float32)


def _read_head(
    data: bytes, tables: Tables, start: np.ndarray
) -> tuple[int, list[tuple[np.ndarray, int, int]]]:
    """Bytes before the stream; where each group that moved lies in the vector, its step and its row."""
    is_earlier = data[:1] < bytes([LAYOUT]) and not start[far()].any()
    if not is_earlier and data[:1] != bytes([LAYOUT]):
        raise BitstreamError(f"rans: layout {data[:1].hex() or 'missing'}, expected {LAYOUT:x}")
    parts = earlier_groups() if is_earlier else list(groups().values())
    head = 2 * len(parts) if is_earlier else 1 + len(parts)
    if len(data) < head:
        raise BitstreamError(f"rans: {len(data)} bytes, expected {head} and a stream")
    if is_earlier:
        coded = list(zip(parts, data[:head:2], data[1:head:2], strict=True))
    else:
        codes = [(part, code) for part, code in zip(parts, data[1:head], strict=True) if code != UNMOVED]
        coded = [(part, STEPS[0] + code // len(tables), code % len(tables)) for part, code in codes]
    for _, step, row in coded:
        if step > FRACTION or row >= len(tables):
            raise BitstreamError(
                f"rans: step {step} and row {row}, expected up to {FRACTION} and {len(tables) - 1}"
            )
    return head, coded
