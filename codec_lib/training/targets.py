r"""Rates as targets: what is above one costs, what is below does not.

    loss = log MSE + BETA max(rate / target - 1, 0)       mean over pictures

Each picture of a batch gets a quality of its own, and each quality has a target, a fraction of all bits or
bits per pixel, as the model counts them. With BETA large enough the rate settles at the target and what is
left to minimize is the error. The logarithm lets all qualities count alike.

Where the prior alone is trained, the loss is the bits that it takes.

Sources: the hinges of Li et al. and of Mentzer et al., both CVPR 2018.
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from codec_lib.layers.gain import geometric
from codec_lib.models.output import Output
from codec_lib.training.objectives import OneModelObjective, drawn_qualities, leave_out_prior, validated

if TYPE_CHECKING:
    from codec_lib.training.settings import Settings

BETA = 5.0  # doubling a rate lowers log MSE by 2 at most
BPP = 0.12, 1.5  # of the lowest and the highest quality
LEAST_BPP = 1e-3  # that counts in it


def bpp_target(quality: Tensor, ends: tuple[float, float] = BPP) -> Tensor:
    """Bits per pixel that a quality in [1, 8] should have, same shape, given those of 1 and 8."""
    return geometric(quality, *ends)


class TargetObjective(OneModelObjective[Any]):
    """Of a model that maps (x, quality) to a `TargetedOutput`; its prior may be trained by itself."""

    uses = frozenset({"quality"})

    def __init__(self, model: Any, settings: "Settings"):
        super().__init__(model, settings)
        self.is_prior_alone = model.is_prior_alone()
        if not (self.is_prior_alone or model.is_prior_trained_jointly):
            leave_out_prior(model, settings)

    def start(self, x: Tensor) -> None:
        self.model.start(x)

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        out = model(x, drawn_qualities(x, self.settings))
        if self.is_prior_alone:
            return out.bpp().mean(), out.summary(x)
        excess = (out.rate / out.target - 1).clamp(min=0)
        loss = (out.mse(x).log() + BETA * excess).mean()
        return loss, f"{out.summary(x)} rate {(out.rate / out.target).mean().item():.2f} of its target"

    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Mean over pictures and qualities of log MSE + log bpp, and mean bpp / PSNR a quality."""
        return validated(self.model, folder, self.settings, error_and_rate)


def error_and_rate(out: Output, x: Tensor, quality: float) -> Tensor:
    """What a validation adds up of each picture, (B,): log MSE + log bpp."""
    return out.mse(x).log() + out.bpp().clamp(min=LEAST_BPP).log()
