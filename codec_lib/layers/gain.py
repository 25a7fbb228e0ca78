r"""Gain units: one network, every rate.

A large latent rounded to integers keeps much, a small one keeps little. So a single network serves
every rate if each channel is scaled before rounding and scaled back after it:

    y_hat = round(y * m_q) * m'_q,        m_q, m'_q: one positive number a channel and quality q.

Between two trained qualities the gains are interpolated exponentially, m = m_q^(1-l) m_(q+1)^l: a
straight line in log m, which is what is stored here.

Source: Cui et al., "Asymmetric gained deep image compression with continuous rate adaptation",
CVPR 2021.
"""

import math

import torch
from torch import Tensor, nn

from codec_lib.setting import QUALITY

QUALITIES = int(QUALITY.finest - QUALITY.coarsest) + 1  # whole ones
LAMBDA_MIN, LAMBDA_MAX = 0.0018, 0.18  # rate-distortion weights of quality 1 and 8


def lambda_of(quality: Tensor | float) -> Tensor:
    """The lambda of R + lambda 255^2 MSE that a quality in [1, 8] is trained for, same shape."""
    return geometric(torch.as_tensor(quality, dtype=torch.float32), LAMBDA_MIN, LAMBDA_MAX)


def geometric(quality: Tensor, low: float, high: float) -> Tensor:
    """From `low` at quality 1 to `high` at 8, by equal factors: of qualities (B,), same shape."""
    return low * (high / low) ** ((quality - 1) / (QUALITIES - 1))


class GainUnit(nn.Module):
    """Gain vectors m and inverse gain vectors m' for qualities 1 to 8, and all between.

    `initial` is the gain of quality 4. The others start in proportion to sqrt(lambda), where
    high-rate theory puts them: distortion is step^2 / 12, hence step ~ lambda^(-1/2).
    """

    def __init__(self, channels: int, initial: float = 1.0):
        super().__init__()
        weight = lambda_of(torch.arange(1, QUALITIES + 1))
        log_gain = 0.5 * (weight / weight[3]).log() + math.log(initial)
        self.log_gain = nn.Parameter(log_gain[:, None].repeat(1, channels))
        self.log_inverse = nn.Parameter(-log_gain[:, None].repeat(1, channels))

    def forward(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Gain and inverse gain, each (B, channels, 1, 1), for qualities (B,) in [1, 8]."""
        return between(self.log_gain, quality).exp(), between(self.log_inverse, quality).exp()


def between(values: Tensor, quality: Tensor) -> Tensor:
    """A straight line between the values (8, channels) of whole qualities: (B, channels, 1, 1)."""
    position = quality.to(values.dtype).clamp(1, QUALITIES) - 1
    below = position.floor().long().clamp(max=QUALITIES - 2)
    share = (position - below)[:, None]
    return torch.lerp(values[below], values[below + 1], share)[:, :, None, None]
