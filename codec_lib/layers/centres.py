r"""Quantization to learned centres: hard on the way forward, soft on the way back.

    hard     z_hat = the centre c_j nearest to z
    soft     z_soft = sum_j c_j softmax_j(-sigma (z - c_j)^2)
    used     z_bar = z_soft + (z_hat - z_soft), no gradient through the bracket

So the value is always a centre, and both z and the centres learn from the soft sum.

Source: Mentzer et al., "Conditional probability models for deep image compression", CVPR 2018, section
3.2; without the annealing of Agustsson et al., NIPS 2017.
"""

import torch
from torch import Tensor, nn

SIGMA = 1.0


class Centres(nn.Module):
    """L scalar centres, at first evenly spaced by `step`, one of them zero."""

    def __init__(self, L: int, step: float = 0.8):
        super().__init__()
        self.centres = nn.Parameter(step * (torch.arange(L) - (L - 1) // 2))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols 0 to L - 1, int64, and z_bar, both like z."""
        distance = (z[..., None] - self.centres).square()
        symbols = distance.argmin(-1)
        soft = (torch.softmax(-SIGMA * distance, -1) * self.centres).sum(-1)
        return symbols, soft + (self.values(symbols) - soft).detach()

    def nearest(self, z: Tensor) -> Tensor:
        """The centre nearest to each z, like z."""
        return self.values(self(z)[0])

    def values(self, symbols: Tensor) -> Tensor:
        """The centres of some symbols, like these."""
        return self.centres[symbols]
