r"""The scale hyperprior: a second, small latent that says how large the first one is.

         x --> g_a --> y --*m--> Q --> y_hat --*m'--> g_s --> x_hat
                           |           ^  N(0, sigma^2)
                          |.|          |
                           v           |
                          h_a --> z --> Q --> z_hat --> h_s --> sigma

Where a picture is busy, neighbouring latents are large together. z describes that: it is coded first,
as side information, and tells the coder which Gaussian to use for every element of y. m and m' are the
gain vectors of the quality. In training h_s gives sigma; when coding, its fixed-point form gives the
index of sigma's table, the same one on every machine.

Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale hyperprior",
ICLR 2018, figure 4. Gain units: Cui et al., CVPR 2021.
"""

import torch
from torch import Tensor, nn

from codec_lib import fixed_point
from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.gain import GainUnit
from codec_lib.layers.gdn import GDN
from codec_lib.models.base import (
    LossyModel,
    Output,
    Streams,
    channel_indexes,
    pad,
    read_symbols,
    write_symbols,
)
from codec_lib.quantize import noise, straight_through


def gdn_transforms(N: int, M: int) -> tuple[nn.Sequential, nn.Sequential]:
    """g_a and g_s with N channels inside and M channels of latents at a sixteenth of the size."""
    g_a = nn.Sequential(
        conv(3, N), GDN(N),  # (B, N, H/2, W/2)
        conv(N, N), GDN(N),  # (B, N, H/4, W/4)
        conv(N, N), GDN(N),  # (B, N, H/8, W/8)
        conv(N, M),  # (B, M, H/16, W/16)
    )  # fmt: skip
    g_s = nn.Sequential(
        deconv(M, N), GDN(N, inverse=True),
        deconv(N, N), GDN(N, inverse=True),
        deconv(N, N), GDN(N, inverse=True),
        deconv(N, 3),
    )  # fmt: skip
    return g_a, g_s


class ScaleHyperprior(LossyModel):
    """Balle 2018 with N channels inside, M channels of latents, and gain units."""

    stride = 64

    def __init__(self, N: int = 64, M: int = 256):
        super().__init__()
        self.N, self.M = N, M
        self.g_a, self.g_s = gdn_transforms(N, M)
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
        self.gain = GainUnit(M, initial=4.0)
        self.density_z = FactorizedDensity(N)

    def forward(self, x: Tensor, quality: Tensor) -> Output:
        y_hat, bits = self.latents(x, quality)
        return Output(self.g_s(y_hat).float(), bits)

    def latents(self, x: Tensor, quality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What g_s gets (B, M, H/16, W/16), and each stream's bits, (B,): with noise in training."""
        gain, inverse = self.gain(quality)
        y = self.g_a(x).float() * gain
        z = self.h_a(y.abs()).float()
        z_hat = noise(z) if self.training else z.round()
        sigma = self.h_s(z_hat).float()
        y_hat = straight_through(y)  # pixels see rounding, the rate sees noise
        if self.training:
            bits_y = gaussian.bits(noise(y), sigma)
        else:
            bits_y = gaussian.bits(y_hat, gaussian.scale_table().to(sigma)[gaussian.indexes(sigma).long()])
        return y_hat * inverse, {"z": self.density_z.bits(z_hat), "y": bits_y}

    def freeze(self) -> "ScaleHyperprior":
        ones = torch.ones(1, self.N)
        self.tables = {"z": self.density_z.tables(ones), "y": gaussian.tables()}
        self.networks = {"h_s": fixed_point.convert(self.h_s, gaussian.scale_borders())}
        return self

    @torch.inference_mode()
    def compress(self, x: Tensor, quality: float) -> Streams:
        gain, _ = self.gain(self.quality_tensor(quality))
        y = self.analyze(pad(x, self.stride)) * gain
        z_hat = self.h_a(y.abs()).round_()
        return {
            "z": write_symbols(z_hat, channel_indexes(z_hat.shape, z_hat.device), self.tables["z"]),
            "y": write_symbols(y.round_(), self.networks["h_s"](z_hat), self.tables["y"]),
        }

    @torch.inference_mode()
    def read(self, streams: Streams, quality: float, height: int, width: int) -> dict[str, Tensor]:
        shape = 1, self.N, *self.grid(height, width, 64)
        z_indexes = channel_indexes(shape, self.gain.log_gain.device)
        z_hat = read_symbols("z", streams, z_indexes, self.tables["z"])
        y_hat = read_symbols("y", streams, self.networks["h_s"](z_hat), self.tables["y"])
        return {"z": z_hat, "y": y_hat}
