r"""Near-lossless coding: a lossy layer, and a residual that bounds the error of every pixel.

    x --> lossy layer --+--> x_tilde, 8 bits       r = x - x_tilde,  r_hat = quantize(r, tau)
                        +--> u, features           x_hat = clip(x_tilde + r_hat),  |x - x_hat| <= tau

The lossy layer is a hyperprior codec at one quality, with a second head. It alone is the first stage of a
file, a preview; how the residual is coded is in `ResidualPrior`.

A residual is relative to x_tilde, so unlike a lossy codec's synthesis transform this one has to give the
same integers on both sides. Its fixed-point form is cut in three, to be applied in bands: `inner` up to a
quarter of the size, `outer` up to the features at half of it, `picture` up to levels.

Source: Bai et al., "Learning scalable l-infinity-constrained near-lossless image compression via joint
lossy image and residual compression", CVPR 2021; its successor, TPAMI 2024.
"""

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.exact.fixed_point import convert
from codec_lib.exact.frozen import Frozen
from codec_lib.layers.convolution import weight_and_bias
from codec_lib.models.base import Model
from codec_lib.models.output import Output
from codec_lib.models.scale_hyperprior import ScaleHyperprior
from codec_lib.priors.base import Sections
from codec_lib.priors.residual import ResidualPrior, full_precision
from codec_lib.quantize import near_lossless, straight_through
from codec_lib.setting import TAU

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

LOSSY_QUALITY = 1.0  # of the lossy layer
NETWORK_ROWS = 64  # rows that a network gives at once: convolutions of float64 copy every window
INNER = 4  # layers of g_s that work at a quarter of the size and below


class NearLossless(Model):
    """The codec of Bai et al. on a hyperprior codec with N and M, and C channels for each pixel."""

    setting = TAU

    def __init__(self, N: int = 64, M: int = 256, C: int = 96):
        super().__init__(N=N, M=M, C=C)
        self.lossy = ScaleHyperprior(N, M)
        self.frozen = self.lossy.frozen  # one for all parts
        self.prior = ResidualPrior(N, C, self.frozen)
        self.stride = self.lossy.stride

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        return (*self.lossy.stages(LOSSY_QUALITY), (self.prior.name,))

    def promise(self, setting: float) -> int:
        return int(setting)

    def start_from(self, other: nn.Module) -> None:
        """Begin training with the parameters of another such model, or of its lossy layer.

        A correction that has not been trained yet begins as the network for exact residuals.
        """
        if isinstance(other, ScaleHyperprior):
            return self.lossy.start_from(other)
        super().start_from(other)
        self.prior.start_correction()

    def freeze(self) -> "NearLossless":
        self.lossy.freeze()
        freeze_synthesis(self.lossy)
        self.prior.freeze()
        return self

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.near_lossless import NearLosslessObjective

        return NearLosslessObjective(self, settings)

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        """The sections of a picture; three equal colours are coded as one.

        Raises RuntimeError should a sample be off by more than tau, before anybody relies on the file.
        """
        tau, (height, width) = int(setting), levels.shape[-2:]
        x = levels[0].to(torch.int32)
        colours = 1 if (x == x[:1]).all() else 3
        sections = self.lossy.compress(levels, LOSSY_QUALITY)
        y_hat = self.lossy.read(sections, LOSSY_QUALITY, height, width)["y"]
        x_tilde, features = reconstruct(self.frozen, y_hat, colours)
        r_hat = near_lossless(x - x_tilde[:, :height, :width].int(), tau)
        sections[self.prior.name] = self.prior.encode(r_hat, x_tilde, features, tau, colours)
        worst = (add(x_tilde, r_hat) - x).abs().max().item()
        if worst > tau:
            raise RuntimeError(f"near-lossless: a sample is off by {worst}, allowed is {tau}")
        return sections

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The integers of every section, residuals in levels, and x_tilde, to which they are added.

        Raises SectionError when one does not fit the declared size.
        """
        data = sections[self.prior.name]
        colours = self.prior.check(data)  # before the lossy layer, which takes its time
        integers = self.lossy.read(sections, LOSSY_QUALITY, height, width)
        x_tilde, features = reconstruct(self.frozen, integers["y"], colours)
        r = self.prior.decode(data, x_tilde, features, int(setting), (height, width))
        return integers | {"r": r, "x_tilde": x_tilde}

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        if self.prior.name in sections:
            integers = self.read(sections, setting, height, width)
            return add(integers["x_tilde"], integers["r"])[None].to(torch.uint8)
        y_hat = self.lossy.read(sections, LOSSY_QUALITY, height, width)["y"]
        return reconstruct(self.frozen, y_hat, 3)[0][None, :, :height, :width]

    def forward(self, x: Tensor, tau: int = 0) -> Output:
        """Training pass: x_hat is x_tilde; bits of y, z and of the residual r, exact or within tau.

        x (B, 3, H, W) holds multiples of 1/255, or levels if it is uint8; its sides divide by `stride`.
        """
        x = x.float() / 255 if x.dtype == torch.uint8 else x
        x_tilde, features, bits = self.lossy_layer(x)
        bits[self.prior.name] = self.prior(255 * x - x_tilde, x_tilde, features, tau)
        return Output(x_tilde / 255, bits)

    def lossy_layer(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """x_tilde (B, 3, H, W) in levels, features (B, N, H/2, W/2), bits of y and z."""
        is_trained = next(self.lossy.parameters()).requires_grad
        quality = torch.full((len(x),), LOSSY_QUALITY, dtype=torch.float32, device=x.device)
        with full_precision(x), torch.set_grad_enabled(is_trained and torch.is_grad_enabled()):
            y_hat, bits = self.lossy.latents(x, quality)
            features = self.lossy.g_s[:-1](y_hat)
            x_tilde = (self.lossy.g_s[-1](features) * 255).clamp(0, 255)
        return straight_through(x_tilde), features, bits


@torch.no_grad()
def freeze_synthesis(lossy: ScaleHyperprior) -> None:
    """Add to what is frozen: y_hat to features at half the size, in two parts, and those to levels."""
    _, inverse = lossy.gain(lossy.quality_tensor(LOSSY_QUALITY))
    last = copy.deepcopy(lossy.g_s[-1])
    for parameter in weight_and_bias(last):
        parameter.mul_(255)
    lossy.frozen |= {
        "inner": convert(lossy.g_s[:INNER], scale=inverse.flatten()),
        "outer": convert(lossy.g_s[INNER:-1], fraction=FRACTION_BITS),
        "picture": convert(nn.Sequential(last), fraction=FRACTION_BITS),
    }


@torch.inference_mode()
def reconstruct(frozen: Frozen, y_hat: Tensor, colours: int) -> tuple[Tensor, Tensor]:
    """x_tilde uint8 (3, H', W') and features int32 (N, H'/2, W'/2), exact on every machine.

    For one colour, grey, x_tilde is the green of the three.
    """
    inner = frozen.network("inner").in_bands(y_hat, NETWORK_ROWS)
    features = frozen.network("outer").in_bands(inner, NETWORK_ROWS)
    levels = frozen.network("picture").in_bands(features, NETWORK_ROWS, to_levels)[0]
    if colours == 1:
        levels = levels[1:2].expand(3, -1, -1).contiguous()
    return levels, features[0]


def to_levels(integers: Tensor) -> Tensor:
    """Integers that stand for 2**-12 levels, rounded to uint8."""
    return integers.mul(2.0**-FRACTION_BITS).add_(0.5).floor_().clamp_(0, 255).to(torch.uint8)


def add(x_tilde: Tensor, r_hat: Tensor) -> Tensor:
    """x_hat in levels, int32 (3, H, W); clipping cannot lead away from x, which is in [0, 255]."""
    _, height, width = r_hat.shape
    return (x_tilde[:, :height, :width].int() + r_hat).clamp_(0, 255)
