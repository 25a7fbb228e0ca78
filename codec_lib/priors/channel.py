r"""The prior that knows nothing but the channel: a fixed density for each.

    y * m --> Q --> k           P_c(k): the mass of the density of channel c on a bin of width 1 / m_c

One density describes y at every quality. What a quality changes is how finely y is cut: rounding y * m
to integers is cutting y into bins of width 1 / m.
"""

import torch
from torch import Tensor

from codec_lib.density.channel import ChannelDensity
from codec_lib.layers.gain import QUALITIES, GainUnit
from codec_lib.priors.base import Choice, Prices, Prior, Sections
from codec_lib.priors.symbols import read_symbols, write_symbols
from codec_lib.quantize import noise, straight_through

LEVELS_PER_QUALITY = 4  # tables are made for qualities 1, 1.25, ... 8; the nearest one codes
LEVELS = (QUALITIES - 1) * LEVELS_PER_QUALITY + 1


class ChannelPrior(Prior):
    """p(y) of M channels, each with its own `density`, whatever the places around are."""

    sections = ("y",)

    def __init__(self, M: int, density: ChannelDensity):
        super().__init__()
        self.M = M
        self.density = density

    def forward(self, y: Tensor, gain: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        y_hat = straight_through(y)
        y_tilde = (noise(y) if self.training else y_hat) / gain
        return y_hat, {"y": self.density.bits(y_tilde, 1 / gain)}

    def freeze(self, gains: GainUnit) -> None:
        qualities = torch.linspace(1, QUALITIES, LEVELS, device=gains.log_gain.device)
        gain, _ = gains(qualities)
        self.frozen["y"] = self.density.tables(1 / gain.flatten(1))

    def choose(self, y: Tensor) -> Choice:
        return Choice(None, y.round())

    def price(self, chosen: Tensor, z_hat: Tensor | None, gain: Tensor) -> Prices:
        def bits_of(symbols: Tensor) -> Tensor:
            return -self.density.likelihood(symbols / gain, 1 / gain).log2()

        return Prices(torch.zeros_like(chosen), bits_of)

    def encode(self, y: Tensor, quality: float, choice: Choice | None = None) -> Sections:
        _, symbols = choice or self.choose(y)
        indexes = self.indexes(quality, y.shape[-2:])
        return {"y": write_symbols(symbols, indexes, self.frozen.tables("y"))}

    def decode(self, sections: Sections, quality: float, size: tuple[int, int]) -> dict[str, Tensor]:
        indexes = self.indexes(quality, size)
        return {"y": read_symbols("y", sections, indexes, self.frozen.tables("y"))}

    def indexes(self, quality: float, size: tuple[int, ...]) -> Tensor:
        """The table of each latent, (1, M, h, w): that of its channel at the nearest level."""
        level = round((quality - 1) * LEVELS_PER_QUALITY)
        tables = level * self.M + torch.arange(self.M, device=next(self.parameters()).device)
        return tables.int()[:, None, None].expand(1, self.M, *size)
