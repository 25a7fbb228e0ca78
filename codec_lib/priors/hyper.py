r"""The scale hyperprior: a second, small latent that says how large the first one is.

    y --> Q --> y_hat               coded under N(0, sigma^2), or another shape of that scale
    |                ^
    |.|              | sigma
    v                |
    h_a --> z --> Q --> z_hat --> h_s

Where a picture is busy, neighbouring latents are large together. z describes that: it is coded first,
as side information, and tells the coder which Gaussian to use for every element of y. In training h_s gives
sigma; when coding, its fixed-point form gives the index of sigma's table, the same one on every machine.

Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale hyperprior",
ICLR 2018, figure 4.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.density.shapes import NORMAL, Shape
from codec_lib.entropy import rans
from codec_lib.errors import section
from codec_lib.exact import fixed_point
from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.gain import GainUnit
from codec_lib.priors.base import Choice, Prices, Prior, Sections
from codec_lib.priors.symbols import channel_indexes, read_symbols, write_symbols
from codec_lib.quantize import noise, straight_through

INDEX_ROWS = 64  # rows of y whose tables are found at once


class HyperPrior(Prior):
    """p(y) of M channels at 1/16 of the picture, with N channels of hyper-latents at 1/64.

    `shape` is that of the latents' distributions.
    """

    sections = ("z", "y")
    reduction = 4

    def __init__(self, N: int, M: int, shape: Shape = NORMAL):
        super().__init__()
        self.N, self.M, self.shape = N, M, shape
        self.h_a = nn.Sequential(
            conv(M, N, kernel=3, stride=1), nn.ReLU(),
            conv(N, N), nn.ReLU(),  # (B, N, H/32, W/32)
            conv(N, N),  # (B, N, H/64, W/64)
        )  # fmt: skip
        self.h_s = nn.Sequential(
            deconv(N, N), nn.ReLU(),
            deconv(N, N), nn.ReLU(),
            conv(N, M, kernel=3, stride=1),  # (B, M, H/16, W/16)
        )  # fmt: skip
        self.density_z = FactorizedDensity(N)

    def forward(self, y: Tensor, gain: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z = self.h_a(y.abs()).float()
        z_hat = noise(z) if self.training else z.round()
        sigma = self.h_s(z_hat).float()
        y_hat = straight_through(y)  # pixels see rounding, the rate sees noise
        if self.training:
            bits_y = gaussian.bits(noise(y), sigma, self.shape)
        else:
            bits_y = gaussian.bits(y_hat, gaussian.tabled(sigma), self.shape)
        return y_hat, {"z": self.density_z.bits(z_hat), "y": bits_y}

    def freeze(self, gains: GainUnit) -> None:
        self.frozen["z"] = self.density_z.tables(torch.ones(1, self.N))
        self.frozen["y"] = gaussian.tables(self.shape)
        self.frozen["h_s"] = fixed_point.convert(self.h_s, gaussian.scale_borders())

    def choose(self, y: Tensor) -> Choice:
        return Choice(self.h_a(y.abs()).round(), y.round())

    def price(self, chosen: Tensor, z_hat: Tensor | None, gain: Tensor) -> Prices:
        assert z_hat is not None
        sigma = self.h_s(z_hat).float()
        bits_of = partial(gaussian.coded_bits, sigma=sigma, shape=self.shape)
        return Prices(torch.zeros_like(chosen), bits_of)

    def encode(self, y: Tensor, quality: float, choice: Choice | None = None) -> Sections:
        z_hat, symbols = choice or self.choose(y)
        assert z_hat is not None
        z_indexes = channel_indexes(z_hat.shape, z_hat.device)
        return {
            "z": write_symbols(z_hat, z_indexes, self.frozen.tables("z")),
            "y": write_symbols(symbols, self._indexes(z_hat), self.frozen.tables("y")),
        }

    def decode(self, sections: Sections, quality: float, size: tuple[int, int]) -> dict[str, Tensor]:
        shape = 1, self.N, size[0] // self.reduction, size[1] // self.reduction
        z_indexes = channel_indexes(shape, next(self.parameters()).device)
        z_hat = read_symbols("z", sections, z_indexes, self.frozen.tables("z"))
        with section("y"):  # before there is anything of its size
            rans.checked_header(sections["y"], self.M * math.prod(size), self.frozen.tables("y"))
        return {"z": z_hat, "y": read_symbols("y", sections, self._indexes(z_hat), self.frozen.tables("y"))}

    def _indexes(self, z_hat: Tensor) -> Tensor:
        """The table of each element of y, uint8 (1, M, h, w)."""
        return self.frozen.network("h_s").in_bands(z_hat, INDEX_ROWS, after=Tensor.byte)
