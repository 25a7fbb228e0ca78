"""Parts of one model that take turns: in each, one is trained while the others are as they are.

The loss of a turn is log MSE + log R, for pictures of all qualities: a percent of the error is worth a
percent of the bits, about as on a codec's own curve at low rates. In a step each part has one turn, with
the same batch: where the published loop alternates after epochs, this one does so all the time, which
leaves no part long behind.

Source: Jiang et al., IEEE Trans. Circuits and Systems for Video Technology, 2018, section III.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from codec_lib.training.objectives import Objective, Player, drawn_qualities, validated
from codec_lib.training.optimizers import muon
from codec_lib.training.targets import error_and_rate

if TYPE_CHECKING:
    from codec_lib.training.settings import Settings

GREY = 0.125  # of pictures have their colours taken away


class TurnsObjective(Objective):
    """Of a model that maps (x, quality) to an `Output`, and of its parts, by name.

    `qualities_of(part, quality)` of the model says which qualities a part sees in its turn.
    """

    uses = frozenset({"quality"})

    def __init__(self, model: Any, parts: Sequence[str], settings: "Settings"):
        self.model, self.settings = model, settings
        self.trained = {
            name: chosen
            for name in parts
            if (chosen := [p for p in model.get_submodule(name).parameters() if p.requires_grad])
        }

    def players(self) -> list[Player]:
        optimizers = {name: muon(self.model.get_submodule(name), self.settings) for name in self.trained}
        return [Player(self.model, own, partial(self.turn, name)) for name, own in optimizers.items()]

    def train(self) -> None:
        self.model.train()

    def turn(self, part: str, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        """The loss of one part's turn."""
        for name, parameters in self.trained.items():
            for parameter in parameters:
                parameter.requires_grad_(name == part)
        quality = drawn_qualities(x, self.settings)
        x = with_grey(x)
        out = model(x, self.model.qualities_of(part, quality))
        return (out.mse(x).log() + out.bpp().log()).mean(), f"{part} {out.summary(x)}"

    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """As `TargetObjective` does."""
        return validated(self.model, folder, self.settings, error_and_rate)


def with_grey(x: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) of which some are grey, by chance."""
    is_grey = torch.rand(len(x), 1, 1, 1, device=x.device) < GREY
    return torch.where(is_grey, x.mean(1, keepdim=True), x)
