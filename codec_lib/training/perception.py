r"""A decoder trained for another eye than that of the squared error, while all that writes files stays.

    "ms-ssim"   log(1 - MS-SSIM)
    "patches"   log MSE + log(1 - MS-SSIM) + WEIGHT log(1 + e^-D), D a `PatchDiscriminator`
    "pairs"     the same with a `PairDiscriminator`

Only g_s is trained. The encoder, the prior and the files are those from before, so the same file can be
shown by either decoder. D is a second player with an optimizer of its own. How often D is right says who
learns, after Rippel and Bourdev: from `LOWER` down to one half, where it guesses, the decoder hears less
and less of it; above `UPPER` it rests itself, since the decoder could not follow. Of patches, the mean over
a picture counts.

Sources: Rippel and Bourdev, ICML 2017, section 4; Goodfellow et al., NeurIPS 2014 (log(1 + e^-D)).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.discriminators import PairDiscriminator, PatchDiscriminator
from codec_lib.measure import metrics
from codec_lib.models.output import Output
from codec_lib.training.objectives import (
    SCALES_SIDE,
    Objective,
    Player,
    require_scales,
    validation_pictures,
)
from codec_lib.training.optimizers import muon
from codec_lib.training.processes import together

if TYPE_CHECKING:
    from codec_lib.models.transform import TransformCodec
    from codec_lib.training.settings import Settings

GOALS = "ms-ssim", "patches", "pairs"
TRAINED = 1.0, 5.0  # that are trained: where files are small, there is something to see
JUDGED = 2.0, 4.0
WEIGHT = 1.5  # of the discriminator
LOWER, UPPER = 0.8, 0.95  # of how often it is right
MEMORY = 0.98  # of that share, a step


class Shown(nn.Module):
    """What the decoder gets and what it shows; no gradient reaches the encoder."""

    def __init__(self, model: "TransformCodec"):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """y_hat, scaled, (B, M, h, w) and x_hat (B, 3, H, W) of x and quality (B,)."""
        with torch.no_grad():
            y_hat, _ = self.model.latents(x, quality)
        return y_hat, self.model.g_s(y_hat).float()


class DecoderObjective(Objective):
    """Of a codec of two transforms of which only g_s is trained, for a goal of `GOALS`."""

    uses = frozenset({"goal"})
    least_side = SCALES_SIDE

    def __init__(self, model: "TransformCodec", settings: "Settings"):
        if settings.goal not in GOALS:
            raise ValueError(f"goal: {settings.goal!r}; there are mse, {', '.join(GOALS)}")
        require_scales(settings)
        self.model, self.settings, self.shown = model, settings, Shown(model)
        makes = {"patches": lambda: PatchDiscriminator(model.prior.M), "pairs": PairDiscriminator}
        self.discriminator = makes[settings.goal]() if settings.goal in makes else None
        self.accuracy = 0.5
        self.last: tuple[Tensor, Tensor, Tensor] | None = None  # of the decoder's turn: x, x_hat, y_hat

    def players(self) -> list[Player]:
        players = [Player(self.shown, muon(self.shown, self.settings), self.decoder_loss)]
        if self.discriminator is not None:
            optimizer = torch.optim.Adam(self.discriminator.parameters(), 1e-3, betas=(0.5, 0.9))
            players.append(Player(self.discriminator, optimizer, self.discriminator_loss))
        return players

    def train(self) -> None:
        self.model.eval()  # latents as in files; g_s is the same in both modes

    def decoder_loss(self, shown: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        """The decoder's turn."""
        low, high = TRAINED
        quality = low + (high - low) * torch.rand(len(x), device=x.device)
        y_hat, x_hat = shown(x, quality)
        out = Output(x_hat, {})
        mse, unlike = out.mse(x), out.unlikeness(x)
        loss = unlike.log()
        said = f"PSNR {out.psnr(x).mean().item():.2f} 1-MS-SSIM {unlike.mean().item():.4f}"
        if self.discriminator is not None:
            loss = loss + mse.log()
            self.discriminator.requires_grad_(False)
            loss = loss + WEIGHT * heard(self.accuracy) * self.doubts(x, x_hat, y_hat)
            self.last = x, x_hat.detach(), y_hat
        return loss.mean(), said

    def doubts(self, x: Tensor, x_hat: Tensor, y_hat: Tensor) -> Tensor:
        """What each picture costs, (B,), as long as the discriminator knows it from a photograph."""
        assert self.discriminator is not None
        if self.settings.goal == "patches":
            logit = self.discriminator(x_hat, y_hat)
        else:
            logit = self.discriminator(x_hat, x)
        return F.softplus(-logit).flatten(1).mean(1)

    def discriminator_loss(self, discriminator: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        """The discriminator's turn, on what the decoder has just shown."""
        assert self.last is not None
        discriminator.requires_grad_(True)
        x, x_hat, y_hat = self.last
        if self.settings.goal == "patches":
            real, made = discriminator(x, y_hat), discriminator(x_hat, y_hat)
        else:
            real, made = discriminator(x, x_hat), discriminator(x_hat, x)
        sides = real.flatten(1).mean(1) > 0, made.flatten(1).mean(1) < 0
        right = together(torch.cat(sides).float()).mean().item()
        self.accuracy = MEMORY * self.accuracy + (1 - MEMORY) * right
        loss = (F.softplus(-real).mean() + F.softplus(made).mean()) / 2
        rests = self.accuracy > UPPER
        return loss * (0.0 if rests else 1.0), f"right {self.accuracy:.2f}"

    @torch.no_grad()
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """The cost is the mean of log(1 - MS-SSIM); 0 when a discriminator takes part, because no figure
        tells which state is best, so that the last weights are kept. Also PSNR, MS-SSIM and SSIMULACRA2 for
        each quality.
        """
        figures, device, costs = {}, next(self.model.parameters()).device, []
        pictures = list(validation_pictures(folder, device))
        for quality in JUDGED:
            rows = []
            for x in pictures:
                _, x_hat = self.shown(x, torch.tensor([quality], device=device))
                pair = [
                    (255 * p[0].clamp(0, 1)).round().byte().permute(1, 2, 0).cpu().numpy()
                    for p in (x, x_hat)
                ]
                rows.append([metrics.psnr(*pair), 1 - metrics.ms_ssim(*pair), metrics.ssimulacra2(*pair)])
            psnr, unlike, ssimulacra2 = torch.tensor(rows).T
            costs.append(unlike.log().mean() if self.discriminator is None else torch.tensor(0.0))
            figures[f"psnr_{quality}"] = round(psnr.mean().item(), 3)
            figures[f"ms_ssim_{quality}"] = round(1 - unlike.mean().item(), 5)
            figures[f"ssimulacra2_{quality}"] = round(ssimulacra2.mean().item(), 2)
        return torch.stack(costs).mean().item(), figures


def heard(accuracy: float) -> float:
    """How much a decoder hears of a discriminator that is so often right: 0 for one half, 1 for `LOWER`."""
    return min(max((accuracy - 0.5) / (LOWER - 0.5), 0.0), 1.0)


@torch.no_grad()
def take_out_grid(model: Any, batches: Iterable[Tensor]) -> float:
    """Remove what the decoder adds to every block alike, by the bias of its last layer.

    A discriminator that looks at patches lets a decoder learn one pattern for all places, which a viewer
    sees as a grid. It is the mean over blocks of what is shown less the picture, without the mean of each
    colour. Batches are (B, 3, H, W) in [0, 1]. Returns the pattern's standard deviation in levels.
    """
    last, shuffle, scale = model.g_s[-3:]
    side, low, high = shuffle.upscale_factor, *TRAINED
    means = []
    for x in batches:
        quality = low + (high - low) * torch.rand(len(x), device=x.device)
        difference = Shown(model)(x, quality)[1] - x
        means.append(F.pixel_unshuffle(difference, side).mean((0, 2, 3)))
    pattern = torch.stack(means).mean(0).unflatten(0, (3, side**2))
    pattern = (pattern - pattern.mean(1, keepdim=True)).flatten()
    last.bias.sub_(pattern / scale.scale)
    return 255 * pattern.std().item()
