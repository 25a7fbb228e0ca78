"""The context prior on slanted lines: a place sees what a raster scan would have shown it.

Source: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for learned image
compression", NeurIPS 2018 (the raster scan; places that do not see each other are decoded together here).
"""

import torch
from torch import Tensor

from codec_lib.density import gaussian
from codec_lib.exact.order import SLANTED
from codec_lib.priors.base import Chosen, Prices
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

    def chosen_symbols(self, chosen: Tensor, mu: Tensor) -> Tensor:
        return (chosen - mu * self.unit).round_()

    def symbols(self, y: Tensor) -> Chosen:
        return Chosen(self.h_a(y).round(), y)

    def price(self, symbols: Tensor, z_hat: Tensor | None, gain: Tensor) -> Prices:
        assert z_hat is not None
        y_hat = self._reached(symbols.detach(), z_hat).clone()  # one without inference mode
        missed = y_hat - symbols.detach()
        mu, sigma = self.distribution(self.h_s(z_hat), symbols + missed)
        return Prices(missed, lambda v: gaussian.coded_bits(v + missed - mu, sigma, self.shape))

    @torch.inference_mode()
    def _reached(self, latents: Tensor, z_hat: Tensor) -> Tensor:
        """y_hat of latents to come near."""
        walk = ContextWalk(self.order, self.frozen, z_hat, latents.shape[1:])
        walk.through(latents[0], lambda chosen, mu, _: self.chosen_symbols(chosen, mu))
        return walk.latents() * self.unit
