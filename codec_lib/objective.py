"""What training minimizes, and by what a validation chooses weights: one objective for each kind of codec.

Lossy codecs: R + lambda 255^2 MSE, all qualities at once. Each picture of a batch gets a quality of its
own, drawn evenly from [1, 8], and the lambda that goes with it. The loss of a picture is divided by
lambda^0.55: rate grows about like that, so every quality counts by the share of its bits that it could
save, not by their number.

Near-lossless codecs: R_y + R_z + R_r + lambda 255^2 MSE of the lossy layer, for exact residuals. The bias
correction, when it alone is trained, gets a tau of its own for each batch.

Sources: Balle et al., ICLR 2018; Bai et al., CVPR 2021.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from codec_lib import data, picture
from codec_lib.layers.gain import rate_weight
from codec_lib.models.base import Output
from codec_lib.models.near_lossless import TRAINED_TAU, NearLossless

RATE_EXPONENT = 0.55
LAMBDA_REFERENCE = 0.013
EVERY = 3  # validation takes every third picture of its folder


def rate_distortion(model: nn.Module, x: Tensor, quality: Tensor) -> tuple[Tensor, Output]:
    """The loss of one batch x (B, 3, H, W) at qualities (B,), a scalar, and the model's output."""
    out = model(x, quality)
    weight = rate_weight(quality)
    cost = weight * 255**2 * out.mse(x) + out.bpp()
    return (cost * (weight / LAMBDA_REFERENCE) ** -RATE_EXPONENT).mean(), out


class RateDistortion:
    """The objective of lossy models, at all qualities or at one."""

    QUALITIES = (2.0, 4.0, 6.0, 7.5)  # of a validation

    def __init__(self, model: nn.Module, quality: float | None = None):
        self.model, self.quality = model, quality
        if quality is not None:
            self.QUALITIES = (quality,)

    def train(self) -> None:
        """Put the model into training mode."""
        self.model.train()

    def step(self, model: nn.Module, x: Tensor) -> tuple[Tensor, Output]:
        """The loss of one batch x (B, 3, H, W), a scalar, and the model's output.

        `model` is the one given before, or a wrapper around it that trains on several processes.
        """
        quality = 1 + 7 * torch.rand(len(x), device=x.device)
        if self.quality is not None:
            quality = torch.full_like(quality, self.quality)
        return rate_distortion(model, x, quality)

    @torch.no_grad()
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Mean over pictures and qualities of log2(R + lambda 255^2 MSE), and mean bpp / PSNR a quality.

        With real rounding but estimated bits.
        """
        self.model.eval()
        cost, points, pictures = 0.0, {}, list(validation_pictures(folder, self.model))
        for quality in self.QUALITIES:
            weight, bpp, psnr = float(rate_weight(quality)), 0.0, 0.0
            for x in pictures:
                out = self.model(x, torch.tensor([quality], device=x.device))
                out.x_hat = out.x_hat.clamp(0, 1)
                mse = out.mse(x).item()
                cost += math.log2(weight * 255**2 * mse + out.bpp().item())
                bpp += out.bpp().item() / len(pictures)
                psnr -= 10 * math.log10(mse) / len(pictures)
            points |= {f"bpp_{quality}": round(bpp, 4), f"psnr_{quality}": round(psnr, 3)}
        self.train()
        return cost / len(pictures) / len(self.QUALITIES), points


class NearLosslessRate:
    """The objective of `NearLossless`: exact residuals, or all tau where only the correction is trained."""

    def __init__(self, model: NearLossless, distortion: float):
        self.model, self.distortion = model, distortion
        self.is_correction = not any(p.requires_grad for p in model.lossless.parameters())

    def train(self) -> None:
        """Put what is trained into training mode; a frozen lossy layer rounds as it does in coding."""
        self.model.train()
        if not any(p.requires_grad for p in self.model.lossy.parameters()):
            self.model.lossy.eval()

    def step(self, model: nn.Module, x: Tensor) -> tuple[Tensor, Output]:
        """The loss of one batch x (B, 3, H, W) of multiples of 1/255, and the model's output."""
        tau = int(torch.randint(1, TRAINED_TAU + 1, ())) if self.is_correction else 0
        out = model((255 * x).round().to(torch.uint8), tau)  # levels survive mixed precision, floats do not
        return (out.bpp() + self.distortion * 255**2 * out.mse(x)).mean(), out

    @torch.no_grad()
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Mean bits per sub-pixel of what is trained, over pictures and tau; the same for each tau."""
        self.model.eval()
        points, pictures = {}, list(validation_pictures(folder, self.model))
        taus = (1, 3, 5) if self.is_correction else (0,)
        for tau in taus:
            outs = [self.model(x, tau) for x in pictures]
            points[f"bpsp_{tau}"] = round(sum(out.bpp().item() / 3 for out in outs) / len(outs), 4)
        psnr = sum(-10 * out.mse(x).log10().item() for out, x in zip(outs, pictures, strict=True))
        self.train()
        return sum(points.values()) / len(points), points | {"psnr": round(psnr / len(outs), 3)}


def objective_of(model: nn.Module, settings) -> RateDistortion | NearLosslessRate:
    """The objective that goes with a model."""
    if isinstance(model, NearLossless):
        return NearLosslessRate(model, settings.distortion)
    return RateDistortion(model, settings.quality)


def validation_pictures(folder: str, model: nn.Module) -> Iterator[Tensor]:
    """Every third picture of a folder, (1, 3, H, W), cut to sides that divide by 64, where the model is."""
    for path in data.pictures_in(folder)[::EVERY]:
        x = picture.to_tensor(picture.load(path)).to(next(model.parameters()).device)
        yield x[..., : x.shape[-2] // 64 * 64, : x.shape[-1] // 64 * 64]
