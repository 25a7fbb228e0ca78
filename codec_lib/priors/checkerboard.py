"""The context prior in two steps, as on a checkerboard: the second sees all four neighbours of a place.

Source: He et al., "Checkerboard context model for efficient learned image compression", CVPR 2021.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from codec_lib.density import gaussian
from codec_lib.exact.order import CHECKERBOARD
from codec_lib.priors.base import Choice, Prices
from codec_lib.priors.context import ContextPrior


class CheckerboardPrior(ContextPrior):
    """Half of the places, then the other half: two passes over all of them are what a decoder sees."""

    order = CHECKERBOARD

    def means_and_scales(self, y: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        return self._in_two_steps(psi, lambda mu, sigma: self.quantized(y - mu, sigma))

    def _in_two_steps(
        self, psi: Tensor, symbols: Callable[[Tensor, Tensor], Tensor]
    ) -> tuple[Tensor, Tensor]:
        """mu and sigma of every place, given how symbols follow from those of the first step."""
        row, column = (torch.arange(side, device=psi.device) for side in psi.shape[2:])
        first = self.order.step_of(row[:, None], column) == 0
        mu, sigma = self.distribution(psi, psi.new_zeros(len(psi), self.M, *psi.shape[2:]))
        seen = torch.where(first, symbols(mu, sigma) + mu, 0.0)
        mu_after, sigma_after = self.distribution(psi, seen)
        return torch.where(first, mu, mu_after), torch.where(first, sigma, sigma_after)

    def symbols_of(self, chosen: Tensor, mu: Tensor) -> Tensor:
        return chosen

    def choose(self, y: Tensor) -> Choice:
        z_hat = self.h_a(y).round()
        mu, sigma = self.means_and_scales(y, self.h_s(z_hat))
        return Choice(z_hat, self.quantized(y - mu, sigma))

    def price(self, chosen: Tensor, z_hat: Tensor | None, gain: Tensor) -> Prices:
        assert z_hat is not None
        mu, sigma = self._in_two_steps(self.h_s(z_hat), lambda *_: chosen)
        return Prices(mu, partial(gaussian.coded_bits, sigma=sigma, shape=self.shape))
