"""The context prior on slanted lines: a place sees what a raster scan would have shown it.

Source: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for learned image
compression", NeurIPS 2018 (the raster scan; places that do not see each other are decoded together here).
"""

import torch
from torch import Tensor

from codec_lib.density import gaussian
from codec_lib.exact.order import SLANTED
from codec_lib.priors.base import Choice, Prices
from codec_lib.priors.context import ContextPrior, ContextWalk
from codec_lib.quantize import noise, straight_through


class SlantedPrior(ContextPrior):
    """Many steps, each of which sees those before it.

    A symbol says what a mean has missed, and means follow from all that came before: another symbol would
    move every later latent. So what is chosen here are latents to come near, one step apart from each
    other; symbols follow on the way.
    """

    order = SLANTED

    def means_and_scales(self, y: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        """From latents that are rounded without their mean: an estimate.

        What a decoder sees, Q(y - mu) + mu, would take as many passes as there are steps.
        """
        is_noisy = self.training and self.rate == "noise"
        return self.distribution(psi, noise(y) if is_noisy else straight_through(y))

    def symbols_of(self, chosen: Tensor, mu: Tensor) -> Tensor:
        return (chosen - mu * self.unit).round_()

    def choose(self, y: Tensor) -> Choice:
        return Choice(self.h_a(y).round(), y)

    def price(self, chosen: Tensor, z_hat: Tensor | None, gain: Tensor) -> Prices:
        """By the walk that an encoder takes, so from frozen networks."""
        assert z_hat is not None
        y_hat = self._reached(chosen.detach(), z_hat).clone()  # one without inference mode
        missed = y_hat - chosen.detach()
        mu, sigma = self.distribution(self.h_s(z_hat), chosen + missed)
        return Prices(missed, lambda v: gaussian.coded_bits(v + missed - mu, sigma, self.shape))

    @torch.inference_mode()
    def _reached(self, chosen: Tensor, z_hat: Tensor) -> Tensor:
        """y_hat of latents to come near."""
        walk = ContextWalk(self.order, self.frozen, z_hat, chosen.shape[1:])
        walk.through(chosen[0], lambda chosen, mu, _: self.symbols_of(chosen, mu))
        return walk.latents() * self.unit
