r"""The scale hyperprior: a second, small latent that says how large the first one is.

         x --> g_a --> y --*m--> Q --> y_hat --*m'--> g_s --> x_hat
                           |           ^  N(0, sigma^2)
                          |.|          |
                           v           |
                          h_a --> z --> Q --> z_hat --> h_s --> sigma

Where a picture is busy, neighbouring latents are large together. z describes that: it is coded first,
as side information, and tells the coder which Gaussian to use for every element of y. m and m' are the
gain vectors of the quality.

Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale hyperprior",
ICLR 2018, figure 4. Gain units: Cui et al., CVPR 2021.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.entropy import rans
from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.gain import GainUnit
from codec_lib.layers.gdn import GDN
from codec_lib.models.base import LossyModel, Output, Streams, crop, pad, to_numpy
from codec_lib.quantize import noise, straight_through


class ScaleHyperprior(LossyModel):
    """Balle 2018 with N channels inside, M channels of latents, and gain units."""

    stride = 64

    def __init__(self, N: int = 64, M: int = 256):
        super().__init__()
        self.N, self.M = N, M
        self.g_a = nn.Sequential(
            conv(3, N), GDN(N),  # (B, N, H/2, W/2)
            conv(N, N), GDN(N),  # (B, N, H/4, W/4)
            conv(N, N), GDN(N),  # (B, N, H/8, W/8)
            conv(N, M),  # (B, M, H/16, W/16)
        )  # fmt: skip
        self.g_s = nn.Sequential(
            deconv(M, N), GDN(N, inverse=True),
            deconv(N, N), GDN(N, inverse=True),
            deconv(N, N), GDN(N, inverse=True),
            deconv(N, 3),
        )  # fmt: skip
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
        gain, inverse = self.gain(quality)
        y = self.g_a(x).float() * gain
        z = self.h_a(y.abs()).float()
        z_hat = noise(z) if self.training else z.round()
        sigma = self.h_s(z_hat).float()
        y_hat = straight_through(y)  # pixels see rounding, the rate sees noise
        bits_y = gaussian.bits(noise(y) if self.training else y_hat, sigma)
        x_hat = self.g_s(y_hat * inverse)
        return Output(x_hat.float(), {"z": self.density_z.bits(z_hat), "y": bits_y})

    def freeze(self) -> "ScaleHyperprior":
        ones = torch.ones(1, self.N)
        self.tables = {"z": self.density_z.tables(ones), "y": gaussian.tables()}
        return self

    @torch.inference_mode()
    def compress(self, x: Tensor, quality: float) -> Streams:
        gain, _ = self.gain(self.quality_tensor(quality))
        y = self.g_a(pad(x, self.stride)) * gain
        z_hat = to_numpy(self.h_a(y.abs()).round())
        y_hat = to_numpy(y.round())
        rows, columns = y.shape[-2] // 4, y.shape[-1] // 4
        return {
            "z": rans.encode(z_hat, self._z_indexes(rows * columns), self.tables["z"]),
            "y": rans.encode(y_hat, self._y_indexes(z_hat, rows, columns), self.tables["y"]),
        }

    @torch.inference_mode()
    def decompress(self, streams: Streams, quality: float, height: int, width: int) -> Tensor:
        rows, columns = self.grid(height, width, 64)
        z_hat = rans.decode(streams["z"], self._z_indexes(rows * columns), self.tables["z"])
        y_indexes = self._y_indexes(z_hat, rows, columns)
        y_hat = rans.decode(streams["y"], y_indexes, self.tables["y"])
        _, inverse = self.gain(self.quality_tensor(quality))
        y_hat = torch.from_numpy(y_hat).view(1, self.M, 4 * rows, 4 * columns).to(inverse)
        return crop(self.g_s(y_hat * inverse), height, width).clamp(0, 1)

    def _z_indexes(self, places: int) -> np.ndarray:
        return np.repeat(np.arange(self.N, dtype=np.uint16), places)

    def _y_indexes(self, z_hat: np.ndarray, rows: int, columns: int) -> np.ndarray:
        """The table of each latent: the one function that encoder and decoder must agree on.

        Always on the CPU and in float64, whatever device and precision the rest runs in: two
        machines then disagree by some 1e-14 of sigma, and almost never across a table's border.
        """
        parameters = {k: v.double().cpu() for k, v in self.h_s.state_dict().items()}
        z_hat = torch.from_numpy(z_hat).double().view(1, self.N, rows, columns)
        sigma = functional_call(self.h_s, parameters, z_hat)
        return gaussian.indexes(sigma).flatten().numpy()
