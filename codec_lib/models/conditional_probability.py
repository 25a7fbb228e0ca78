r"""Learned centres, an importance map that nobody sends, and a context model in three dimensions.

    x --> E --> z          z . mask(p) --> nearest of L centres --> symbols --> D --> x_hat
          '-> p, of a map                              |
                                              P(symbol | symbols before it)     `VolumePrior`

The mask sets what a place can do without to zero, and so to the centre nearest to zero, which P learns to
expect there: such symbols are coded, at next to no cost. That cost is the only way in which the rate
reaches the encoder. P sees symbols, through which no gradient passes, so the rate is

    (MC + C) / 2,    C = sum of -log2 P,    MC = the same sum, weighted by the mask

and the map learns from MC where bits are not worth it.

The paper has one network for each rate and a ResNet of 16 blocks a side. Here one network serves all, with
the transforms of `codec_lib.layers.block_transform`: coefficients are made smaller for lower qualities,
and large again by the decoder, by factors that are fixed. (Nothing but an error would reach them, so they
would only grow.) Training begins with `codec_lib.layers.segments`. The shipped weights have the encoder and
the centres that they began with: to train these, too, made it worse in the time there was
(results/content_weighted_ablations.json).

Source: Mentzer, Agustsson, Tschannen, Timofte, Van Gool, "Conditional probability models for deep image
compression", CVPR 2018.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codec_lib import picture
from codec_lib.layers import segments
from codec_lib.layers.bands import in_bands
from codec_lib.layers.block_transform import BLOCK, ROWS, analysis, synthesis
from codec_lib.layers.centres import Centres
from codec_lib.layers.gain import QUALITIES, geometric
from codec_lib.layers.importance import Importance, ramp
from codec_lib.models.base import Model, crop, pad, samples
from codec_lib.models.output import TargetedOutput
from codec_lib.priors.base import Sections
from codec_lib.priors.volume import VolumePrior
from codec_lib.setting import QUALITY

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

FRONT, BACK = 3, -3  # layers before, behind which coefficients are scaled
GAINS = 0.28, 0.85  # of the lowest and the highest quality; above, what is large is cut short too often
TARGETS = 0.11, 0.42  # bpp of the same
OPEN = 2.0  # logit of a map that lets most through


class ConditionalProbability(Model):
    """Mentzer 2018 with N channels in the transforms, C of latents, L centres, K channels in P."""

    setting = QUALITY
    stride = BLOCK
    is_prior_trained_jointly = True
    targets, gains = TARGETS, GAINS

    def __init__(self, N: int = 128, C: int = 128, L: int = 6, K: int = 24):
        super().__init__(N=N, C=C, L=L, K=K)
        self.encoder, self.decoder = analysis(N, C), synthesis(C, N)
        self.importance = Importance(N, torch.full((QUALITIES,), OPEN))
        self.centres = Centres(L)
        self.prior = VolumePrior("y", C, L, K, 0, self.frozen)

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return (("y",),)

    def forward(self, x: Tensor, quality: Tensor) -> TargetedOutput:
        """x is (B, 3, H, W) in [0, 1], its sides divide by 8; quality (B,) in [1, 8]."""
        symbols, z_bar, mask = self.latents(x, quality)
        bits = self.prior(symbols)
        total, masked = (b.flatten(1).sum(1) for b in (bits, bits * mask))
        rate = (total + masked) / 2 / x[0, 0].numel()
        x_hat = self.synthesize(z_bar, quality).float()
        return TargetedOutput(x_hat, {"y": total}, rate, geometric(quality, *self.targets))

    def latents(self, x: Tensor, quality: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Symbols, the centres that they stand for, and the mask: all (B, C, H/8, W/8).

        x is (B, 3, H, W) in [0, 1], or its levels, uint8.
        """
        gain = self.gain_of(quality)

        def transformed(band: Tensor) -> Tensor:
            h = self.encoder[FRONT:-1](self.encoder[:FRONT](samples(band)) * gain)
            return torch.cat((self.encoder[-1](h), self.importance.conv(h)), 1)

        y = in_bands(self.encoder, x, transformed, ROWS)
        z, logit = y.float().split((self.widths["C"], 1), 1)
        mask = ramp(self.importance(logit, quality), self.widths["C"])
        return *self.centres(z * mask), mask

    def synthesize(self, z: Tensor, quality: Tensor) -> Tensor:
        """The picture (B, 3, H, W) of centres z (B, C, H/8, W/8)."""
        return self.decoder[BACK:](self.decoder[:BACK](z) / self.gain_of(quality))

    def gain_of(self, quality: Tensor) -> Tensor:
        """What coefficients are multiplied by at a quality (B,) in [1, 8]: (B, 1, 1, 1)."""
        return geometric(quality, *self.gains)[:, None, None, None]

    def start(self, x: Tensor) -> None:
        """Before training: pictures x (B, 3, H, W) say in which segments of coefficients to begin."""
        segments.start(self.encoder, self.decoder, x, self.centres.centres, self.gains[-1])

    def freeze(self) -> "ConditionalProbability":
        self.prior.freeze()
        return self

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        quality = self.quality_tensor(setting)
        symbols, _, _ = self.latents(pad(levels, self.stride), quality)
        return {"y": self.prior.encode(symbols[0])}

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The symbols, int64 (C, h, w): exact on every machine.

        Raises SectionError for what does not fit.
        """
        return {"y": self.prior.decode(sections["y"], (-(-height // BLOCK), -(-width // BLOCK)))}

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        symbols = self.read(sections, setting, height, width)["y"]
        z_hat = self.centres.values(symbols)[None]
        quality = self.quality_tensor(setting)
        x_hat = in_bands(
            self.decoder, z_hat, lambda band: picture.round_to_levels(self.synthesize(band, quality)), ROWS
        )
        return crop(x_hat, height, width)

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.targets import TargetObjective

        return TargetObjective(self, settings)
