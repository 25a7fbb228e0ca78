r"""Zero-mean Gaussians whose scale somebody else predicts, and heavier-tailed relatives.

The probability that rounding puts a Gaussian into the bin around v is

    P(v) = Phi((1/2 - |v|) / sigma) - Phi((-1/2 - |v|) / sigma),

taken in the left tail, where floats keep their digits. Coding needs integer tables, and there cannot
be one for each real sigma: 64 scales, evenly spaced on a log axis from 0.11 to 256, cost next to
nothing. A table never depends on data; only its *index* does.

A `Shape` is what stands at every scale: the Gaussian itself, a mixture of Gaussians that are wider and
narrower than sigma in fixed ratios, a Laplace density. Networks are not always equally sure, so that what
they miss is more often tiny, and more often large, than one Gaussian says.

Source: Balle et al., ICLR 2018; the scale table is the one of its published code.
"""

import math

import numpy as np
import torch
from torch import Tensor

from codec_lib.density.channel import LIKELIHOOD_MIN
from codec_lib.density.freeze import TAIL_MASS
from codec_lib.density.shapes import NORMAL, Shape
from codec_lib.entropy.pmf import Tables
from codec_lib.layers.lower_bound import lower_bound

SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 256.0, 64
ESCAPE = 2.0**-23  # as likely as a value outside of its table: an escape symbol and a short code


def scale_table() -> Tensor:
    """The 64 scales of the tables, float64, ascending."""
    ends = math.log(SCALE_MIN), math.log(SCALE_MAX)
    return torch.linspace(*ends, SCALE_LEVELS, dtype=torch.float64).exp()


def scale_borders() -> Tensor:
    """The 63 sigmas, float64, ascending, above which the next table is taken: all scales but the last.

    So a sigma is coded with the first scale that is not smaller. The nearest one costs more (measured in
    results/determinism.json): sigma is trained on noised latents, and rounded ones have heavier tails.
    """
    return scale_table()[:-1]


def likelihood(y: Tensor, sigma: Tensor, shape: Shape = NORMAL) -> Tensor:
    """The probability of the unit bin around each y under N(0, sigma^2), or under `shape`.

    y and sigma broadcast. sigma below 0.11 counts as 0.11, the result is never below 1e-9; both bounds let
    gradients through that lead back inside.
    """
    sigma = lower_bound(sigma, SCALE_MIN)
    return lower_bound(shape.bin(y.abs(), sigma), LIKELIHOOD_MIN)


def bits(y: Tensor, sigma: Tensor, shape: Shape = NORMAL) -> Tensor:
    """Bits to code each picture's y, shape (B,): a sum of -log2 of likelihoods, each 23 at most."""
    return -lower_bound(likelihood(y, sigma, shape), ESCAPE).log2().flatten(1).sum(1)


def coded_bits(symbols: Tensor, sigma: Tensor, shape: Shape = NORMAL) -> Tensor:
    """Bits of each symbol under the table of its sigma, same shape; gradients pass to sigma as it is."""
    table = tabled(sigma.detach())
    return -lower_bound(likelihood(symbols, sigma + (table - sigma).detach(), shape), ESCAPE).log2()


def indexes(sigma: Tensor) -> Tensor:
    """The table for each sigma, uint8, same shape: the first scale that is not smaller."""
    return torch.bucketize(sigma.double().contiguous(), scale_borders().to(sigma.device)).to(torch.uint8)


def tabled(sigma: Tensor) -> Tensor:
    """The scale that each sigma is coded with, same shape and type."""
    return scale_table().to(sigma)[indexes(sigma).long()]


def costs(shape: Shape = NORMAL, reach: int = 255) -> Tensor:
    """Bits of every symbol from -reach to reach in each of the 64 tables, float32 (64, 2 reach + 1)."""
    symbols = torch.arange(-reach, reach + 1, dtype=torch.float64)
    mass = shape.bin(symbols.abs(), scale_table()[:, None])
    return -mass.clamp(min=ESCAPE).log2().float()


def tables(shape: Shape = NORMAL) -> Tables:
    """The 64 integer tables of a shape, row i for scale i. Depends on no weights."""
    pmfs, offsets = [], []
    for sigma in scale_table():
        reach = int(shape.reach(TAIL_MASS / 2) * sigma + 0.5)
        half = shape.bin(torch.arange(reach, -1, -1, dtype=torch.float64), sigma).numpy()
        pmfs.append(np.concatenate((half, half[-2::-1])))
        offsets.append(-reach)
    return Tables.from_pmfs(pmfs, offsets)
