r"""Shapes: symmetric densities around zero, at scale 1, of which somebody predicts the scale.

    mixture of Gaussians   sum_i w_i N(0, (r_i sigma)^2)       a single one is the Gaussian itself
    Laplace                exp(-|t| / b) / 2b, b = sigma / sqrt 2, so that sigma is its standard deviation

The probability of a bin of width one is a difference of two cumulative functions. It is taken in the left
tail, where floats keep their digits.

Sources: Balle et al., ICLR 2018 (Gaussian); Zhou et al., "Variational autoencoder for low bit-rate image
compression", CVPR Workshops 2018 (Laplace).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor


class Shape(ABC):
    """A symmetric density around zero."""

    @abstractmethod
    def bin(self, distance: Tensor, sigma: Tensor) -> Tensor:
        """The mass of unit bins at some distances from zero, none negative; both broadcast."""

    @abstractmethod
    def reach(self, tail: float) -> float:
        """Where, in units of sigma, at most a mass `tail` is left on either side."""


@dataclass(frozen=True)
class GaussianMixture(Shape):
    """`parts`: (weight, width / sigma) of each component; weights sum to 1."""

    parts: tuple[tuple[float, float], ...]

    def bin(self, distance: Tensor, sigma: Tensor) -> Tensor:
        widths = ((weight, width * sigma) for weight, width in self.parts)
        upper, lower = 0.5 - distance, -0.5 - distance
        masses = (w * (normal_cdf(upper / s) - normal_cdf(lower / s)) for w, s in widths)
        return reduce(torch.add, masses)

    def reach(self, tail: float) -> float:
        widest = max(width for _, width in self.parts)
        return float(torch.special.ndtri(torch.tensor(tail)).neg() * widest)


@dataclass(frozen=True)
class Laplace(Shape):
    """The two-sided exponential density."""

    def bin(self, distance: Tensor, sigma: Tensor) -> Tensor:
        b = sigma * 2**-0.5
        return self._left((0.5 - distance) / b) - self._left((-0.5 - distance) / b)

    def reach(self, tail: float) -> float:
        return -math.log(2 * tail) * 2**-0.5

    @staticmethod
    def _left(t: Tensor) -> Tensor:
        """The mass left of t, in units of b."""
        half = torch.exp(-t.abs()) / 2
        return torch.where(t < 0, half, 1 - half)


NORMAL = GaussianMixture(((1.0, 1.0),))
HEAVY_TAILED = GaussianMixture(((0.72, 0.70), (0.28, 1.31)))  # fitted to the flagship's symbols in photos
LAPLACE = Laplace()


def normal_cdf(t: Tensor) -> Tensor:
    """Of the normal density with mean 0 and scale 1, same shape."""
    return 0.5 * torch.special.erfc(-t * 2**-0.5)
