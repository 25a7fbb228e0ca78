r"""Gaussian scale mixtures: a few Gaussians a channel, all centred on zero.

    q_c(y) = sum_s pi_cs N(y; 0, sigma_cs^2)

Sharp at zero and heavy in the tails, like the coefficients of a picture, with 12 numbers a channel. The
probability of a bin is the same mixture of Gaussian bin probabilities.

Source: Theis et al., ICLR 2017 (six scales a channel).
"""

import math

import torch
from torch import Tensor, nn

from codec_lib.density.channel import LIKELIHOOD_MIN, ChannelDensity
from codec_lib.density.freeze import channel_tables
from codec_lib.density.shapes import normal_cdf
from codec_lib.entropy.pmf import Tables
from codec_lib.layers.lower_bound import lower_bound


class GaussianScaleMixture(ChannelDensity):
    """A mixture of `scales` zero-mean Gaussians for each channel of (B, channels, H, W)."""

    def __init__(self, channels: int, scales: int = 6, narrowest: float = 0.05, widest: float = 20):
        """Begin with equal weights, and scales equal factors apart.

        They go from `narrowest` to `widest`, in the unit of y.
        """
        super().__init__()
        start = torch.linspace(math.log(narrowest), math.log(widest), scales)
        self.log_sigma = nn.Parameter(start.repeat(channels, 1))
        self.logits = nn.Parameter(torch.zeros(channels, scales))

    def likelihood(self, y: Tensor, step: Tensor | float = 1.0) -> Tensor:
        """The probability of the bin of width `step` around each y, same shape; at least 1e-9."""
        half = step / 2
        distance = y.abs()
        total = torch.zeros_like(y)
        weights = self.logits.softmax(1)
        for weight, sigma in zip(weights.unbind(1), self.log_sigma.exp().unbind(1), strict=True):
            sigma = sigma[:, None, None]
            mass = normal_cdf((half - distance) / sigma) - normal_cdf((-half - distance) / sigma)
            total = total + weight[:, None, None] * mass
        return lower_bound(total, LIKELIHOOD_MIN)

    @torch.no_grad()
    def tables(self, steps: Tensor) -> Tables:
        """Freeze: integer tables for round(y / step), row r * channels + c for `steps[r, c]`."""
        weights = self.logits.double().softmax(1).cpu()
        sigma = self.log_sigma.double().exp().cpu()

        def cumulative(y: Tensor) -> Tensor:  # (n, channels) -> (2, n, channels)
            t = y[..., None] / sigma
            return torch.stack([(weights * normal_cdf(side * t)).sum(-1) for side in (1, -1)])

        return channel_tables(cumulative, steps.double().cpu())
