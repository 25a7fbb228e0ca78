r"""Generalized divisive normalization.

Each channel is divided by a learned measure of how busy all channels are at the same place:

    GDN:   y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)
    IGDN:  x_i = y_i * sqrt(beta_i + sum_j gamma_ij y_j^2)

IGDN is the decoder's approximate inverse, with parameters of its own. beta must stay positive and
gamma must not turn negative, while gradient descent knows no bounds. So the stored variable is a
square root with a small pedestal, v = sqrt(beta + 2^-36), and the layer uses max(v, bound)^2 - 2^-36:
always in range, and with small steps where beta is small.

>>> import torch
>>> GDN(4)(torch.ones(1, 4, 1, 1)).flatten()        # 1 / sqrt(1 + 0.1), the initial parameters
tensor([0.9535, 0.9535, 0.9535, 0.9535], grad_fn=<ViewBackward0>)

Source: Balle, Laparra, Simoncelli, "Density modeling of images using a generalized normalization
transformation", ICLR 2016; used in codecs by Balle et al., ICLR 2017.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.lower_bound import lower_bound

PEDESTAL = 2.0**-36
BETA_MIN = 1e-6
STRIP = 2048  # pixels; three buffers of so many pixels fit into a core's cache


class GDN(nn.Module):
    """Divisive normalization across channels; `inverse=True` multiplies instead of dividing.

    Maps (B, channels, H, W) to the same shape. Initial parameters: beta = 1, gamma = 0.1 I.
    """

    def __init__(self, channels: int, inverse: bool = False):
        super().__init__()
        self.inverse = inverse
        self.beta_root = nn.Parameter((torch.ones(channels) + PEDESTAL).sqrt())
        self.gamma_root = nn.Parameter((0.1 * torch.eye(channels) + PEDESTAL).sqrt())

    @property
    def beta(self) -> Tensor:
        """Offsets (channels,), at least 1e-6."""
        return lower_bound(self.beta_root, (BETA_MIN + PEDESTAL) ** 0.5) ** 2 - PEDESTAL

    @property
    def gamma(self) -> Tensor:
        """Weights (channels, channels), never negative; row i normalizes channel i."""
        return lower_bound(self.gamma_root, PEDESTAL**0.5) ** 2 - PEDESTAL

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return self._in_strips(x.to(self.beta_root.dtype))  # also in mixed precision
        energy = F.conv2d(x * x, self.gamma[:, :, None, None], self.beta)
        return x * (energy.sqrt() if self.inverse else energy.rsqrt())

    def _in_strips(self, x: Tensor) -> Tensor:
        """The same, a few thousand pixels at a time, so that all intermediate values stay in the cache."""
        pixels = x.permute(0, 2, 3, 1)  # (B, H, W, channels), without a copy if x is channels-last
        flat = pixels.reshape(-1, pixels.shape[-1])
        out, gamma, beta = torch.empty_like(flat), self.gamma.t().contiguous(), self.beta
        for part, energy in zip(flat.split(STRIP), out.split(STRIP), strict=True):
            torch.mm(part * part, gamma, out=energy).add_(beta)
            (energy.sqrt_() if self.inverse else energy.rsqrt_()).mul_(part)
        return out.view(pixels.shape).permute(0, 3, 1, 2)
