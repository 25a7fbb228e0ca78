r"""Which filter a picture gets: least squares, in integers that are worth their bits.

With A = sum f f^T and b = sum f (x - x_hat)^T over all pixels, weights W take from the squared error

    2 tr(W b) - tr(W A W^T)

so pixels are needed once, to add up A and b. Weights are integers in steps of 2^-s. From a rounded solution
each moves to whatever lowers bits + w (squared error), all others as they are, until none moves. Features
are alike, so there are many solutions that are nearly as good, and those of small weights are told in fewer
bits: every one of RIDGES begins with another, for every one of STEPS, and the best is taken.

Section `f` of a file: one byte, s; then the integers under a Rice code, all of one output before the next.
A file has it only where it gains more than that and its ENTRY in the header.
"""

from itertools import product

import numpy as np
import torch
from torch import Tensor

from codec_lib.entropy import rice
from codec_lib.errors import BitstreamError
from codec_lib.filtering.layer import COLOURS, FEATURES, ROWS, in_rows
from codec_lib.filtering.loops import settle

STEPS = range(4, 12)  # s
ENTRY = 10  # bytes of a header about one more section with a short name (`codec_lib.header`)
RIDGES = (1e-6, 1e-3, 1e-2, 1e-1)  # of the mean square of each feature, added to it
LARGEST = 1 << 12  # absolute value of an integer
ROUNDS = 12  # over all weights; most settle earlier


def fit(x_hat: Tensor, levels: Tensor, worth: float) -> bytes | None:
    """The section of the best filter; None where no filter is worth its bits.

    x_hat float (1, 3, H, W) in [0, 1] is what is decoded, levels uint8 (1, 3, H, W) what it should be; a
    squared error of 1 is worth so many bits.
    """
    A, b = _sums(x_hat, levels)
    starts = [np.linalg.solve(A + np.diag(ridge * A.diagonal() + 1e-9), b) for ridge in RIDGES]
    best, least = None, -8.0 * ENTRY
    for start, step in product(starts, STEPS):
        integers = _settled(A, b, start, step, worth)
        section = bytes([step]) + rice.encode(integers.T.ravel())
        W = integers * 2.0**-step
        cost = 8 * len(section) + worth * (W * (A @ W - 2 * b)).sum()
        if cost < least:
            best, least = section, cost
    return best


def read(section: bytes) -> tuple[Tensor, int]:
    """The integers of a section, int32 (COLOURS, FEATURES), and s; BitstreamError where it is none."""
    if not section or section[0] not in STEPS:
        raise BitstreamError(
            f"filter: step {section[:1].hex() or 'missing'}, allowed is {STEPS[0]} to {STEPS[-1]}"
        )
    integers = rice.decode(section[1:], COLOURS * FEATURES)
    if abs(integers).max() > LARGEST:
        raise BitstreamError(f"filter: weight {abs(integers).max()}, allowed is up to {LARGEST}")
    return torch.from_numpy(integers.reshape(COLOURS, FEATURES)), section[0]


def _sums(x_hat: Tensor, levels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """A (FEATURES, FEATURES) and b (FEATURES, COLOURS), float64."""
    A = torch.zeros(FEATURES, FEATURES, dtype=torch.float64, device=x_hat.device)
    b = torch.zeros(FEATURES, COLOURS, dtype=torch.float64, device=x_hat.device)
    for k, part in enumerate(in_rows(x_hat)):
        rows = slice(k * ROWS, k * ROWS + part.shape[2])
        missing = levels[0, :, rows].to(part) / 255 - x_hat[0, :, rows]
        f, r = part[0].flatten(1), missing.flatten(1)
        A += (f @ f.T).double()
        b += (f @ r.T).double()
    return A.cpu().numpy(), b.cpu().numpy()


def _settled(A: np.ndarray, b: np.ndarray, start: np.ndarray, step: int, worth: float) -> np.ndarray:
    """Integers (FEATURES, COLOURS) in steps of 2^-step, near a start: none alone should be another."""
    size = 2.0**-step
    k = np.clip(np.rint(start / size), -LARGEST, LARGEST).astype(np.int64)
    slope = A @ (k * size) - b  # half the derivative of the squared error
    for _ in range(ROUNDS):
        if not settle(A, slope, k, size, worth, rice.best(k), LARGEST):
            break
    return k
