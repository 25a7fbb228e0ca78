r"""Adaptive codelength regularization: small magnitudes, as small as a target size asks for.

    loss = log MSE + alpha P + bits of the prior
    P = mean of log2(1 + |k|) + sum over S of log2(1 + |k - k_shifted|)

k are the numbers that are coded, before they are rounded; S shifts them by a place to the right, down, and
along both diagonals. P only resembles the length of a code. What makes files as long as they should be is
alpha, which every step changes for the qualities that it had:

    log alpha  +=  RATE (bits / target - 1)

The bits are those of the prior, which is trained beside; no gradient of theirs reaches the numbers. They
are not cut off, however many: else files would be longer than their target in the mean. Alpha is kept in
the model, one for each whole quality.

Source: Rippel and Bourdev, ICML 2017, section 3.4 (there 1 + is missing, and one alpha is enough).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from codec_lib.layers.gain import QUALITIES, between
from codec_lib.training.objectives import OneModelObjective, drawn_qualities, validated
from codec_lib.training.processes import together
from codec_lib.training.targets import bpp_target, error_and_rate

START, RATE = 0.05, 0.01
SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))


def magnitude(numbers: Tensor) -> Tensor:
    """P of each picture, (B,)."""
    total = (1 + numbers.abs()).log2().flatten(1).mean(1)
    for shift in SHIFTS:
        difference = numbers - numbers.roll(shift, (2, 3))
        inside = difference[..., max(shift[0], 0) : numbers.shape[2] + min(shift[0], 0), shift[1] :]
        total = total + (1 + inside.abs()).log2().flatten(1).sum(1) / numbers[0].numel()
    return total


class CodelengthObjective(OneModelObjective[Any]):
    """Of a model that maps (x, quality) to a `MagnitudeOutput`, and keeps `log_alpha` (8, 1)."""

    uses = frozenset({"quality"})

    def start(self, x: Tensor) -> None:
        self.model.start(x)
        self.model.log_alpha.fill_(math.log(START))

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        quality = drawn_qualities(x, self.settings)
        out = model(x, quality)
        if self.model.is_prior_alone():
            return out.bpp().mean(), out.summary(x)
        alpha = between(self.model.log_alpha, quality).exp()[:, 0, 0, 0]
        share = out.bpp().detach() / bpp_target(quality)
        self.adapt(quality, share)
        loss = out.mse(x).log() + alpha * magnitude(out.numbers) + out.bpp()
        return loss.mean(), f"{out.summary(x)} bits {share.mean().item():.2f} of their target"

    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """As `TargetObjective` does."""
        return validated(self.model, folder, self.settings, error_and_rate)

    @torch.no_grad()
    def adapt(self, quality: Tensor, share: Tensor) -> None:
        """Raise alpha around the qualities whose bits, as a share of their target, are above 1."""
        near, share = nearness(together(quality)), together(share)
        off = (share - 1)[:, None] * near
        self.model.log_alpha += RATE * (off.sum(0) / near.sum(0).clamp(min=1))[:, None]


def nearness(quality: Tensor) -> Tensor:
    """How much each quality (B,) counts for each whole one, (B, 8): 1 for itself, 0 from a step away on."""
    return (1 - (quality[:, None] - 1 - torch.arange(QUALITIES, device=quality.device)).abs()).clamp(min=0)
