"""Parameters to bytes and back: rounded to steps that pay, coded as differences from a starting point.

Every group of parameters (`codec_lib.fitting.parameters`) has a step, a power of two. A coarser one makes
fewer bits of parameters and more of everything else; each is chosen for the least sum. What is coded are
multiples of the step, minus those of the starting point, which encoder and decoder have in common, under a
Laplace density whose width is chosen for the group.

Section `n` of a file: for each group one byte for the step, -log2, and one for the row of the tables; then
the stream of `codec_lib.entropy.rans`.
"""

from collections.abc import Callable

import numpy as np
import torch

from codec_lib.density.shapes import LAPLACE
from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables, surprise
from codec_lib.errors import BitstreamError
from codec_lib.fitting.coder import FRACTION, WEIGHT_LIMIT
from codec_lib.fitting.parameters import COUNT, groups

STEPS = range(3, FRACTION + 1)  # -log2 of those that are tried; a file may have any from 0
FIRST = 9  # the one that the search begins with
WIDTHS = [2 ** (k / 2 - 2) for k in range(24)]  # of the densities, in steps
REACH = 2.0**-14  # mass beyond which a value is an escape
MOST = 1500  # values on either side of a row


def make_tables() -> Tables:
    """A row for each width."""
    pmfs, offsets = [], []
    for width in WIDTHS:
        last = min(int(np.ceil(width * LAPLACE.reach(REACH))), MOST)
        distance = torch.arange(-last, last + 1, dtype=torch.float64).abs()
        pmfs.append(LAPLACE.bin(distance, torch.tensor(width, dtype=torch.float64)).numpy())
        offsets.append(-last)
    return Tables.from_pmfs(pmfs, offsets)


def multiples(vector: np.ndarray, step: int) -> np.ndarray:
    """Values in whole steps of 2^-step, int32; none reaches 64."""
    limit = (int(WEIGHT_LIMIT) - 1) >> (FRACTION - step)
    return np.clip(np.rint(vector.astype(np.float64) * 2.0**step), -limit, limit).astype(np.int32)


def best_row(differences: np.ndarray, tables: Tables) -> tuple[float, int]:
    """The fewest bits that some differences take, and the row of the tables."""
    costs = [
        (surprise(differences, np.full(differences.size, row, np.uint8), tables).sum(), row)
        for row in range(len(tables))
    ]
    return min(costs)


def choose(
    vector: np.ndarray, start: np.ndarray, tables: Tables, cost: Callable[[np.ndarray, str], float]
) -> tuple[np.ndarray, bytes]:
    """Rounded parameters and their section.

    `cost` says what everything but the parameters costs, in bits, where a group, named, has just changed.
    """
    where = groups()
    steps = dict.fromkeys(where, FIRST)
    rounded = np.concatenate([_round(vector[part], FIRST) for part in where.values()])
    for name, part in where.items():
        found = []
        for step in STEPS:
            trial = rounded.copy()
            trial[part] = _round(vector[part], step)
            bits, _ = best_row(multiples(trial[part], step) - multiples(start[part], step), tables)
            found.append((bits + cost(trial, name), step))
        steps[name] = min(found)[1]
        rounded[part] = _round(vector[part], steps[name])
    return rounded, encode(rounded, steps, start, tables)


def _round(values: np.ndarray, step: int) -> np.ndarray:
    return (multiples(values, step) * 2.0**-step).astype(np.float32)


def encode(vector: np.ndarray, steps: dict[str, int], start: np.ndarray, tables: Tables) -> bytes:
    """The section of parameters that are multiples of their steps."""
    head, symbols, indexes = bytearray(), [], []
    for name, part in groups().items():
        differences = multiples(vector[part], steps[name]) - multiples(start[part], steps[name])
        _, row = best_row(differences, tables)
        head += bytes([steps[name], row])
        symbols.append(differences)
        indexes.append(np.full(differences.size, row, np.uint8))
    return bytes(head) + rans.encode(np.concatenate(symbols), np.concatenate(indexes), tables)


def decode(data: bytes, start: np.ndarray, tables: Tables) -> np.ndarray:
    """The parameters, float32 (COUNT,); BitstreamError where the bytes are no such section."""
    where = groups()
    head = 2 * len(where)
    if len(data) < head:
        raise BitstreamError(f"rans: {len(data)} bytes, expected {head} and a stream")
    indexes, whole = np.zeros(COUNT, np.uint8), np.zeros(COUNT, np.int64)
    scale = np.zeros(COUNT)
    for k, part in enumerate(where.values()):
        step, row = data[2 * k], data[2 * k + 1]
        if step > FRACTION or row >= len(tables):
            raise BitstreamError(
                f"rans: step {step} and row {row}, expected up to {FRACTION} and {len(tables) - 1}"
            )
        indexes[part], scale[part] = row, 2.0**-step
        whole[part] = multiples(start[part], step)
    whole += rans.decode(data[head:], indexes, tables)
    values = whole * scale
    if not (np.abs(values) < WEIGHT_LIMIT / 2**FRACTION).all():
        raise BitstreamError(f"rans: a parameter is {np.abs(values).max()}, expected less than 64")
    return values.astype(np.float32)
