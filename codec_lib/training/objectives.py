"""What training minimizes: players, each of them trained by its own optimizer on its own loss.

Most codecs have one player, the model. Two that take turns, such as a decoder and a discriminator, or the
networks before and after a standard codec, are two players of one objective, and need no other loop.

`RateDistortionObjective`, of lossy codecs: R + lambda D, all qualities at once. D is one of `DISTORTIONS`.
Each picture of a batch gets a quality of its own, drawn evenly from [1, 8], and the lambda that goes with
it. The loss of a picture is divided by lambda^0.55: rate grows about like that, so every quality counts by
the share of its bits that it could save, not by their number.

Sources: Balle et al., ICLR 2018; CompressAI's lambdas (Begaint et al., 2020) are for MS-SSIM 1,220 to 1,330
times those for 255^2 MSE, from which `MS_SSIM_SCALE` comes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from codec_lib import data, picture
from codec_lib.layers.gain import QUALITIES, lambda_of
from codec_lib.measure.metrics import MS_SSIM_SIDE
from codec_lib.models.base import Model
from codec_lib.models.output import Output
from codec_lib.training.optimizers import muon
from codec_lib.training.settings import Settings

if TYPE_CHECKING:
    from codec_lib.models.transform import TransformCodec

M = TypeVar("M", bound=Model)
RATE_EXPONENT = 0.55
LAMBDA_REFERENCE = 0.013
MS_SSIM_SCALE = 1250.0
OPTIONAL_SETTINGS = ("goal", "rate", "quality", "distortion")  # settings that only some objectives know
VALIDATION_STRIDE = 3  # validation takes every third picture of its folder
BLOCK = 64  # pixels: of a validation picture as many whole ones are taken as it has
SCALES_SIDE = -(-MS_SSIM_SIDE // BLOCK) * BLOCK  # of a validation picture for MS-SSIM
VALIDATED = (2.0, 4.0, 6.0, 7.5)  # qualities that it looks at


Distortion = Callable[[Output, Tensor], Tensor]  # of each picture against x (B, 3, H, W): (B,)
DISTORTIONS: dict[str, Distortion] = {
    "mse": lambda out, x: 255**2 * out.mse(x),
    "ms-ssim": lambda out, x: MS_SSIM_SCALE * out.unlikeness(x),
}


@dataclass
class Player:
    """What is trained, by which optimizer, on which loss.

    `loss` maps the module, or a wrapper around it that knows the precision, and a batch x (B, 3, H, W) in
    [0, 1] to a scalar and a few words for the progress bar. On several processes each has a batch of its
    own, and the optimizer gets the mean of their gradients; what else a loss changes, it changes by what
    all have seen (`codec_lib.training.processes.together`).
    """

    module: nn.Module
    optimizer: Optimizer
    loss: Callable[[nn.Module, Tensor], tuple[Tensor, str]]


class Objective(ABC):
    """What a training run minimizes, and by what a validation chooses weights.

    `uses` names those of `OPTIONAL_SETTINGS` that it takes notice of, `least_side` is what it needs of a
    validation picture, in pixels.
    """

    uses: frozenset[str] = frozenset()
    least_side: int = BLOCK

    @abstractmethod
    def players(self) -> list[Player]:
        """Those who are trained, in the order of their turns in a step; the first one is the model."""

    def start(self, x: Tensor) -> None:  # noqa: B027  # most objectives need no look
        """Before the first step of a run without weights to start from: see some pictures (B, 3, H, W).

        On several processes all then take the parameters and buffers of the first one.
        """

    @abstractmethod
    def train(self) -> None:
        """Put all that is trained into training mode."""

    @abstractmethod
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """A cost, of which the smallest is the best, and figures for the log, over a folder's pictures."""


class OneModelObjective(Objective, Generic[M]):
    """Of the model as the only player, all of it in training mode unless a subclass holds some still.

    M is its class, or Any where no base class has all that a loss needs: only models/ may name the others.
    """

    def __init__(self, model: M, settings: Settings):
        self.model, self.settings = model, settings

    @abstractmethod
    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        """The loss of a batch, as `Player` has it."""

    def players(self) -> list[Player]:
        return [Player(self.model, muon(self.model, self.settings), self.loss)]

    def train(self) -> None:
        self.model.train()


class RateDistortionObjective(OneModelObjective["TransformCodec"]):
    """Rate and distortion of a lossy model with a prior, at all qualities or at one."""

    uses = frozenset({"goal", "rate", "quality"})

    def __init__(self, model: "TransformCodec", settings: Settings):
        if settings.rate not in model.prior.rates:
            rates = " or ".join(model.prior.rates)
            raise ValueError(f"rate: {settings.rate!r}; {settings.model} is trained with {rates}")
        model.prior.rate = settings.rate
        if settings.goal not in DISTORTIONS:
            raise ValueError(f"goal: {settings.goal!r}; a whole codec has {', '.join(DISTORTIONS)}")
        if settings.goal == "ms-ssim":
            require_scales(settings)
            self.least_side = SCALES_SIDE
        super().__init__(model, settings)
        self.distortion = DISTORTIONS[settings.goal]

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        """The loss of one batch, each picture at a quality of its own."""
        loss, out = rate_distortion(model, x, drawn_qualities(x, self.settings), self.distortion)
        return loss, out.summary(x)

    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Mean over pictures and qualities of log2(R + lambda D), and mean bpp / PSNR a quality."""

        def cost(out: Output, x: Tensor, quality: float) -> Tensor:
            return (lambda_of(quality) * self.distortion(out, x) + out.bpp()).log2()

        return validated(self.model, folder, self.settings, cost)


def drawn_qualities(x: Tensor, settings: Settings) -> Tensor:
    """A quality for each picture of a batch, evenly from [1, 8], or the one that is trained: (B,)."""
    if settings.quality is not None:
        return torch.full((len(x),), settings.quality, device=x.device)
    return 1 + (QUALITIES - 1) * torch.rand(len(x), device=x.device)


@torch.no_grad()
def validated(
    model: nn.Module, folder: str, settings: Settings, cost: Callable[[Output, Tensor, float], Tensor]
) -> tuple[float, dict[str, float]]:
    """The mean cost of a model over the pictures of a folder, and its rates and PSNRs.

    With real rounding but estimated bits. `cost` says what outputs cost, (B,), for pictures (B, 3, H, W) at
    a quality.
    """
    model.eval()
    device = next(model.parameters()).device
    total, points, pictures = 0.0, {}, list(validation_pictures(folder, device))
    qualities = VALIDATED if settings.quality is None else (settings.quality,)
    for quality in qualities:
        costs, bpps, psnrs = [], [], []
        for x in pictures:
            out = model(x, torch.tensor([quality], dtype=torch.float32, device=device))
            out.x_hat = out.x_hat.clamp(0, 1)
            costs.append(cost(out, x, quality))
            bpps.append(out.bpp())
            psnrs.append(out.psnr(x))
        total += torch.cat(costs).mean().item() / len(qualities)
        points[f"bpp_{quality}"] = round(torch.cat(bpps).mean().item(), 4)
        points[f"psnr_{quality}"] = round(torch.cat(psnrs).mean().item(), 3)
    model.train()
    return total, points


def rate_distortion(
    model: nn.Module, x: Tensor, quality: Tensor, distortion: Distortion = DISTORTIONS["mse"]
) -> tuple[Tensor, Output]:
    """The loss of one batch x (B, 3, H, W) at qualities (B,), a scalar, and the model's output."""
    out = model(x, quality)
    weight = lambda_of(quality)
    cost = weight * distortion(out, x) + out.bpp()
    return (cost * (weight / LAMBDA_REFERENCE) ** -RATE_EXPONENT).mean(), out


def refuse_unused(objective: Objective, settings: Settings) -> None:
    """Raise ValueError for a setting that was asked for and would change nothing."""
    defaults = {field.name: field.default for field in fields(Settings)}
    for name in OPTIONAL_SETTINGS:
        value = getattr(settings, name)
        if name not in objective.uses and value != defaults[name]:
            raise ValueError(f"{name}: {value}; {settings.model} is trained without it")


def leave_out_prior(model: Model, settings: Settings) -> None:
    """Hold the prior still, which has a run of its own; ValueError where `only` has it beside others."""
    prior = model.get_submodule("prior")
    if settings.only and any(p.requires_grad for p in prior.parameters()):
        raise ValueError(
            f"only: {', '.join(settings.only)}; the prior of {settings.model} is trained alone"
        )
    prior.requires_grad_(False)


def require_scales(settings: Settings) -> None:
    """Raise ValueError where crops are too small for MS-SSIM."""
    if settings.crop < MS_SSIM_SIDE:
        raise ValueError(f"crop: {settings.crop}; MS-SSIM needs {MS_SSIM_SIDE} pixels or more")


def validation_pictures(
    folder: str, device: torch.device | str = "cpu", least: int = BLOCK
) -> Iterator[Tensor]:
    """Every third picture of a folder, (1, 3, H, W) in [0, 1], cut to sides that divide by 64.

    Raises ValueError for one that cannot be read, or has a side of less than `least` pixels.
    """
    for path in data.pictures_in(folder)[::VALIDATION_STRIDE]:
        x = picture.to_tensor(picture.load(path)).to(device)
        height, width = x.shape[-2:]
        if min(height, width) < least:
            raise ValueError(f"validation: {path} is {width} x {height}; at least {least} x {least}")
        yield x[..., : height // BLOCK * BLOCK, : width // BLOCK * BLOCK]
