r"""The factorized density: one learned, free-form distribution a channel.

A density is the derivative of a cumulative, and a cumulative is easy to learn: any monotone network
that ends in a sigmoid is one. Each channel has its own tiny network

    c(x) = sigmoid(f_K(... f_1(x))),     f_k(x) = g_k(softplus(H_k) x + b_k),
    g_k(x) = x + tanh(a_k) * tanh(x),    f_K without g_k,

monotone because softplus(H) > 0 and tanh(a) > -1. The probability that rounding with a step puts y
into the bin around v is then a difference of two values, with no integration:

    P(v) = c(v + step/2) - c(v - step/2).

Near 1 two floats cannot be told apart and the difference would be lost, so both are moved to the left
tail first: sigmoid(u) - sigmoid(l) = sigmoid(-l) - sigmoid(-u).

Source: Balle et al., ICLR 2018, appendix 6.1.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.density.channel import LIKELIHOOD_MIN, ChannelDensity
from codec_lib.density.freeze import channel_tables
from codec_lib.entropy.pmf import Tables
from codec_lib.layers.lower_bound import lower_bound


class FactorizedDensity(ChannelDensity):
    """One free-form density a channel, for tensors (B, channels, ...)."""

    def __init__(self, channels: int, filters: tuple[int, ...] = (3, 3, 3), scale: float = 10.0):
        """Begin alike in all channels, but for random biases.

        Args:
            channels: how many densities.
            filters: widths of the layers between y and c(y); CompressAI's, as is how they begin.
            scale: about how wide the densities begin, in the unit of y.
        """
        super().__init__()
        self.channels = channels
        sizes = (1, *filters, 1)
        share = scale ** (1 / (len(filters) + 1))
        self.matrices, self.biases, self.factors = (nn.ParameterList() for _ in range(3))
        for inputs, outputs in pairwise(sizes):
            start = math.log(math.expm1(1 / share / outputs))
            self.matrices.append(torch.full((channels, outputs, inputs), start))
            self.biases.append(torch.empty(channels, outputs, 1).uniform_(-0.5, 0.5))
        for outputs in filters:
            self.factors.append(torch.zeros(channels, outputs, 1))

    def cumulative_logits(self, y: Tensor) -> Tensor:
        """The logit of c(y), elementwise; y and the result are (channels, 1, n)."""
        for k, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            y = F.softplus(matrix) @ y + bias
            if k < len(self.factors):
                y = y + torch.tanh(self.factors[k]) * torch.tanh(y)
        return y

    def likelihood(self, y: Tensor, step: Tensor | float = 1.0) -> Tensor:
        """The probability of the bin of width `step` around each y, shape (B, channels, ...).

        `step` is a number or broadcasts to y. Never below 1e-9.
        """
        half = step / 2
        with torch.autocast(y.device.type, enabled=False):  # probabilities need float32
            upper = self._elementwise_logits(y + half)
            lower = self._elementwise_logits(y - half)
        side = torch.where(upper + lower > 0, -1.0, 1.0)
        difference = torch.sigmoid(side * upper) - torch.sigmoid(side * lower)
        return lower_bound(difference.abs(), LIKELIHOOD_MIN)

    @torch.no_grad()
    def tables(self, steps: Tensor) -> Tables:
        """Freeze: integer tables for values round(y / step), with steps (rows, channels).

        Row r * channels + c codes channel c with its step in row r. Every table spans the values
        between two quantiles that are found by bisection; what lies outside is the escape symbol's.
        """
        # Float64 from here on: a table is made once, and tails need the digits.
        frozen = FactorizedDensity(self.channels, tuple(f.shape[1] for f in self.factors)).double()
        frozen.load_state_dict(self.state_dict())
        return channel_tables(frozen._cumulative, steps.double().cpu())

    def _cumulative(self, y: Tensor) -> Tensor:
        """c(y) and 1 - c(y) for (n, channels), stacked in front: no digits are lost in either tail."""
        logits = self.cumulative_logits(y.t()[:, None]).squeeze(1).t()
        return torch.stack((torch.sigmoid(logits), torch.sigmoid(-logits)))

    def _elementwise_logits(self, y: Tensor) -> Tensor:
        by_channel = y.transpose(0, 1)  # (channels, B, ...)
        logits = self.cumulative_logits(by_channel.reshape(self.channels, 1, -1))
        return logits.reshape(by_channel.shape).transpose(0, 1)
