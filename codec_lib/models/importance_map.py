r"""Bits where the picture needs them: binary codes, and a map that says how many of them each place sends.

    x --> E --> e in (0, 1)^n --> b = e > 1/2 ----.
            |                                    v
            '-> p --> level of 0 to L --> mask --(x)--> codes --> D --> x_hat
                        |                           |
                     section "map"             section "codes": bits with mask 1 only

The map is sent first, so the decoder knows which bits follow. Both b and the mask pass gradients straight
through (`codec_lib.layers.importance`). Training makes the error small and keeps the mean of p at the
target of a quality, below 1. An offset of the map's logits, learned for each quality, lets one network
serve all. The network that predicts bits is trained afterwards, from codes, as in the paper.

A decoder sees -1, 0 or 1: the paper's codes 0 and 1 cannot tell a bit 0 from one that is not sent.

The paper has one network for each rate, with strided convolutions; the transforms here are those of
`codec_lib.layers.block_transform`.

Source: Li, Zuo, Gu, Zhao, Zhang, "Learning convolutional networks for content-weighted image compression",
CVPR 2018; contexts: Li et al., IEEE Transactions on Image Processing 2020.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codec_lib import picture
from codec_lib.layers import folding
from codec_lib.layers.bands import in_bands
from codec_lib.layers.block_transform import BLOCK, ROWS, analysis, synthesis
from codec_lib.layers.gain import QUALITIES
from codec_lib.layers.importance import Importance, level_of, mask_of, share_of, staircase
from codec_lib.models.base import Model, crop, pad, samples
from codec_lib.models.output import TargetedOutput
from codec_lib.priors.base import Sections
from codec_lib.priors.coarse_to_fine import CoarseToFine, Widths
from codec_lib.priors.volume import VolumePrior
from codec_lib.setting import QUALITY

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

WIDTHS = Widths(7, 0.5, 0.25)  # of the densities of levels: where much is sent, neighbours differ a lot


class ImportanceMap(Model):
    """Li 2018 with N channels in the transforms, n bits a place, levels up to L, K channels in the prior.

    Raises ValueError unless L divides n.
    """

    setting = QUALITY
    stride = BLOCK
    is_prior_trained_jointly = False

    def __init__(self, N: int = 128, n: int = 64, L: int = 16, K: int = 24):
        if n % L:
            raise ValueError(f"n: {n}, allowed is a multiple of L = {L}")
        super().__init__(N=N, n=n, L=L, K=K)
        self.n, self.L = n, L
        self.encoder, self.decoder = analysis(N, n), synthesis(n, N)
        self.importance = Importance(N, torch.logit(share_of(torch.arange(1, QUALITIES + 1))))
        self.prior = VolumePrior("codes", n, 2, K, 1, self.frozen)
        self.map = CoarseToFine(L + 1, self.frozen, WIDTHS)

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return (("map", "codes"),)

    def forward(self, x: Tensor, quality: Tensor) -> TargetedOutput:
        """x is (B, 3, H, W) in [0, 1], its sides divide by 8; quality (B,) in [1, 8].

        The bits of the map are not estimated.
        """
        e, p = self.analyze(x, quality)
        signs = 2 * e - 1
        signs = signs + (torch.where(e > 0.5, 1.0, -1.0) - signs).detach()
        mask = staircase(p, self.n, self.L)
        bits = self.prior((e > 0.5).long(), mask > 0, level_of(p, self.L).float())
        rate = p.flatten(1).mean(1)
        x_hat = self.decoder(signs * mask).float()
        return TargetedOutput(x_hat, {"codes": bits.flatten(1).sum(1)}, rate, share_of(quality))

    def analyze(self, x: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """e (B, n, H/8, W/8) and p (B, 1, H/8, W/8), both in (0, 1), of x or of its levels, uint8."""

        def transformed(band: Tensor) -> Tensor:
            h = self.encoder[:-1](samples(band))
            return torch.cat((self.encoder[-1](h), self.importance.conv(h)), 1)

        e, logit = in_bands(self.encoder, x, transformed, ROWS).float().split((self.n, 1), 1)
        return torch.sigmoid(e), self.importance(logit, quality)

    def start(self, x: Tensor) -> None:
        """Before training: pictures x (B, 3, H, W) say with which bits of which coefficients to begin."""
        folding.start(self.encoder, self.decoder, x, self.n)

    def freeze(self) -> "ImportanceMap":
        self.prior.freeze()
        self.map.freeze()
        return self

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        quality = self.quality_tensor(setting)
        e, p = self.analyze(pad(levels, self.stride), quality)
        level = level_of(p, self.L)[0]
        sent = mask_of(level[None], self.n, self.L)[0]
        codes = (e[0] > 0.5).long() * sent
        return {
            "map": self.map.encode(level[0] + 1, self.L + 1),
            "codes": self.prior.encode(codes, sent, level),
        }

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """ "map", the levels (h, w), and "codes", -1, 0 or 1 (n, h, w), both int64: exact everywhere.

        Raises SectionError for what does not fit.
        """
        size = -(-height // BLOCK), -(-width // BLOCK)
        level = self.map.decode(sections["map"], *size, self.L + 1) - 1
        level = level.to(self.device)[None]
        sent = mask_of(level[None], self.n, self.L)[0]
        codes = self.prior.decode(sections["codes"], size, sent, level)
        return {"map": level[0], "codes": (2 * codes - 1) * sent}

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        codes = self.read(sections, setting, height, width)["codes"][None].float()
        x_hat = in_bands(
            self.decoder, codes, lambda band: picture.round_to_levels(self.decoder(band)), ROWS
        )
        return crop(x_hat, height, width)

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.targets import TargetObjective

        return TargetObjective(self, settings)
