"""Networks that tell a photograph from what a decoder shows: they exist in training only.

`PatchDiscriminator` looks at one picture, beside it at the latents that both belong to, and gives a logit
for each patch. `PairDiscriminator` looks at the photograph and what was made of it, in either order, and
gives one logit for the pair: which of them is which? It can learn what this very picture lost, where the
other one only knows what photographs look like.

What a decoder leaves out is fine and faint, some levels of 256. So both get beside a picture the difference
of each pixel from the mean around it, `DETAIL` times. Without that they learn next to nothing in some
hundreds of steps.

Sources: Mentzer et al., "High-fidelity generative image compression", NeurIPS 2020 (patches, latents);
Rippel and Bourdev, "Real-time adaptive image compression", ICML 2017, section 4 (pairs, several sizes).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

DETAIL = 40.0
BESIDE = 12  # channels that latents become
LATENT = 0.2  # times latents, which are some units large
SLOPE = 0.2


class PatchDiscriminator(nn.Module):
    """(B, 3, H, W) and latents (B, M, H / 16, W / 16) to logits (B, 1, H / 8, W / 8): above 0 for real."""

    def __init__(self, M: int, K: int = 32):
        super().__init__()
        self.beside = nn.Sequential(nn.Conv2d(M, BESIDE, 3, padding=1), nn.LeakyReLU(SLOPE))
        self.network = nn.Sequential(
            spectral_norm(nn.Conv2d(6 + BESIDE, K, 4, 2, 1)), nn.LeakyReLU(SLOPE),
            spectral_norm(nn.Conv2d(K, 2 * K, 4, 2, 1)), nn.LeakyReLU(SLOPE),
            spectral_norm(nn.Conv2d(2 * K, 4 * K, 4, 2, 1)), nn.LeakyReLU(SLOPE),
            nn.Conv2d(4 * K, 1, 1),
        )  # fmt: skip

    def forward(self, x: Tensor, y_hat: Tensor) -> Tensor:
        beside = F.interpolate(self.beside(LATENT * y_hat), size=x.shape[2:], mode="nearest")
        return self.network(torch.cat((with_detail(x), beside), 1)).float()


class PairDiscriminator(nn.Module):
    """Two pictures, each (B, 3, H, W), to logits (B, 1): above 0 where the first is the photograph."""

    def __init__(self, K: int = 32):
        super().__init__()
        widths = (12, K, 2 * K, 4 * K)
        self.stages = nn.ModuleList(
            nn.Sequential(spectral_norm(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(SLOPE))
            for a, b in pairwise(widths)
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths[1:])

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        h, logits = torch.cat((with_detail(first), with_detail(second)), 1), []
        for stage, head in zip(self.stages, self.heads, strict=True):
            h = stage(h)
            logits.append(head(h).float().mean((2, 3)))
        return torch.stack(logits).mean(0)


def with_detail(x: Tensor) -> Tensor:
    """A picture (B, 3, H, W) in [0, 1] about zero, and beside it its detail: (B, 6, H, W)."""
    around = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.cat((2 * x - 1, DETAIL * (x - around)), 1)
