r"""Codecs whose prior knows nothing but the channel: two transforms and a fixed density.

    x --> g_a --> y --*m--> Q --> k --*m'--> g_s --> x_hat
                            ^
                  P_c(k): the mass of the density of channel c on a bin of width 1 / m_c

One density describes y at every quality. What a quality changes is how finely y is cut: rounding y * m
to integers is cutting y into bins of width 1 / m. `FactorizedPrior` and `CompressiveAutoencoder` are
this with transforms and densities of their own.
"""

import torch
from torch import Tensor, nn

from codec_lib.layers.gain import QUALITIES, GainUnit
from codec_lib.models.base import LossyModel, Output, Streams, pad, read_symbols, write_symbols
from codec_lib.quantize import noise, straight_through

LEVELS_PER_QUALITY = 4  # tables are made for qualities 1, 1.25, ... 8; the nearest one codes
LEVELS = (QUALITIES - 1) * LEVELS_PER_QUALITY + 1


class ChannelPriorModel(LossyModel):
    """Base: subclasses set `g_a`, `g_s`, `density`, `stride`, and the number of latents M."""

    density: nn.Module

    def __init__(self, M: int, initial_gain: float):
        super().__init__()
        self.M = M
        self.gain = GainUnit(M, initial_gain)

    def forward(self, x: Tensor, quality: Tensor) -> Output:
        gain, inverse = self.gain(quality)
        y = self.g_a(x).float()
        y_hat = straight_through(y * gain)
        y_tilde = (noise(y * gain) if self.training else y_hat) / gain
        x_hat = self.g_s(y_hat * inverse)
        return Output(x_hat.float(), {"y": self.density.bits(y_tilde, 1 / gain)})

    def freeze(self) -> "ChannelPriorModel":
        qualities = torch.linspace(1, QUALITIES, LEVELS, device=self.gain.log_gain.device)
        gain, _ = self.gain(qualities)
        self.tables = {"y": self.density.tables(1 / gain.flatten(1))}
        return self

    @torch.inference_mode()
    def compress(self, x: Tensor, quality: float) -> Streams:
        gain, _ = self.gain(self.quality_tensor(quality))
        y_hat = (self.analyze(pad(x, self.stride)) * gain).round_()
        return {"y": write_symbols(y_hat, self._indexes(quality, *y_hat.shape[-2:]), self.tables["y"])}

    @torch.inference_mode()
    def read(self, streams: Streams, quality: float, height: int, width: int) -> dict[str, Tensor]:
        indexes = self._indexes(quality, *self.grid(height, width, self.stride))
        return {"y": read_symbols("y", streams, indexes, self.tables["y"])}

    def _indexes(self, quality: float, rows: int, columns: int) -> Tensor:
        """The table of each latent, (1, M, rows, columns): that of its channel at the nearest level."""
        level = round((quality - 1) * LEVELS_PER_QUALITY)
        tables = level * self.M + torch.arange(self.M, device=self.gain.log_gain.device)
        return tables.int()[:, None, None].expand(1, self.M, rows, columns)
