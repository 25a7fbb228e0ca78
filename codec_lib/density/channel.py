"""What densities of channels have in common: a distribution for each channel, whatever lies around."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from codec_lib.entropy.pmf import Tables

LIKELIHOOD_MIN = 1e-9  # of a symbol: with less, gradients of its logarithm would be of no use


class ChannelDensity(nn.Module, ABC):
    """One density a channel, for tensors (B, channels, ...)."""

    @abstractmethod
    def likelihood(self, y: Tensor, step: Tensor | float = 1.0) -> Tensor:
        """The probability of the bin of width `step` around each y, same shape.

        `step` is a number or broadcasts to y. Never below `LIKELIHOOD_MIN`.
        """

    @abstractmethod
    def tables(self, steps: Tensor) -> Tables:
        """Freeze: integer tables for round(y / step), row r * channels + c for `steps[r, c]`."""

    def bits(self, y: Tensor, step: Tensor | float = 1.0) -> Tensor:
        """Bits to code each picture's y, shape (B,): the sum of -log2 of the likelihoods."""
        return -self.likelihood(y, step).log2().flatten(1).sum(1)
