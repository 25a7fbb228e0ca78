"""What iterative codecs are trained for: small errors after every iteration; then short files.

    loss = mean over t of log mean |x - x_hat_t|

The papers take |x - x_hat_t| itself. The logarithm lets late iterations, whose errors are small, count as
much as the first ones. How many iterations a step has is drawn from `LENGTHS`: short steps are cheap and
teach the start, long ones see to it that the last iterations still gain.

Where the prior alone is trained, the loss is the bits that it takes.

Source: Toderici et al., CVPR 2017, section 2.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.training.objectives import OneModelObjective, leave_out_prior, validation_pictures

if TYPE_CHECKING:
    from codec_lib.models.iterative import IterativeCodec
    from codec_lib.training.settings import Settings

LENGTHS = (2, 4, 4, 8, 8, 16)
ENOUGH = (24.0, 40.0)  # dB: a tile of a training picture stops somewhere between
TILE = 8
LEAST = 1e-6  # of an error, so that it has a logarithm
REPORTED = (1, 2, 4, 8, 16)  # iterations whose PSNR a validation logs


Error = Callable[[Tensor, Tensor], Tensor]  # of x and x_hat, both (B, 3, H, W): a scalar above 0


def absolute_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """The mean of the absolute differences."""
    return (x_hat - x).abs().mean() + LEAST


def structure_error(x: Tensor, x_hat: Tensor) -> Tensor:
    r"""The same, where tiles of 8 x 8 samples that have lost their structure weigh more::

        mean of w |x - x_hat|,   w = S = (1 - SSIM(x, x_hat)) / 2 of the tile

    No gradient passes through w. The paper divides S by its running mean; behind a logarithm a factor that
    all tiles share changes nothing. Source: Johnston et al., CVPR 2018, eq. 5.
    """
    with torch.no_grad():
        w = F.interpolate((1 - tile_ssim(x, x_hat.clamp(0, 1))) / 2, scale_factor=TILE)
    return (w * (x_hat - x).abs()).mean() + LEAST


ERRORS: dict[str, Error] = {"absolute": absolute_error, "structure": structure_error}


def tile_ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each tile of 8 x 8 samples and colour, (B, 3, H/8, W/8), of pictures in [0, 1].

    Source: Wang et al., "Image quality assessment", IEEE Transactions on Image Processing 2004, eq. 13.
    """
    c_1, c_2 = 0.01**2, 0.03**2
    mean_x, mean_y, xx, yy, xy = (F.avg_pool2d(a, TILE) for a in (x, y, x * x, y * y, x * y))
    var_x, var_y, cov = xx - mean_x**2, yy - mean_y**2, xy - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + c_1) / (mean_x**2 + mean_y**2 + c_1)
    return likeness * (2 * cov + c_2) / (var_x + var_y + c_2)


class IterationsObjective(OneModelObjective["IterativeCodec"]):
    """Of an iterative codec: maps (x, iterations) to pictures and bits, has encoder, decoder, and prior.

    Its `error` is one of `ERRORS`. Where it has a map of tiles, tiles of half of the pictures stop early.
    """

    def __init__(self, model: "IterativeCodec", settings: "Settings"):
        super().__init__(model, settings)
        self.error, self.is_prior_alone = ERRORS[model.error], model.is_prior_alone()
        if not self.is_prior_alone:
            leave_out_prior(model, settings)

    def start(self, x: Tensor) -> None:
        self.model.start(x)

    def train(self) -> None:
        super().train()
        if self.is_prior_alone:
            self.model.encoder.eval()  # bits as they are coded

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        if self.is_prior_alone:
            return self.rate(model, x)
        length = LENGTHS[int(torch.randint(len(LENGTHS), ()))]
        pictures, _ = model(x, length, self.enough(x))
        errors = torch.stack([self.error(x, x_hat) for x_hat in pictures])
        return errors.log().mean(), f"error {errors[0].item():.4f} to {errors[-1].item():.4f}"

    def rate(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        """Coded bits as a share of all that are sent, mean over pictures."""
        _, shares = model(x, max(LENGTHS), self.enough(x), is_rate_wanted=True)
        return shares.mean(), f"share {shares.mean().item():.3f}"

    def enough(self, x: Tensor) -> Tensor | None:
        """At which mean squared error tiles of each picture stop, (B,), 0 for never; None without a map."""
        if self.model.tile_map is None:
            return None
        low, high = ENOUGH
        psnr = low + (high - low) * torch.rand(len(x), device=x.device)
        return torch.where(torch.rand_like(psnr) < 0.5, 10 ** (-psnr / 10), 0.0)

    @torch.no_grad()
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Minus the mean PSNR over all iterations, or the coded share of all bits; and some PSNRs."""
        self.model.eval()
        iterations = int(self.model.setting.finest)
        rows, shares = [], []
        for x in validation_pictures(folder, self.model.device):
            pictures, shares_of_x = self.model(x, iterations, is_rate_wanted=self.is_prior_alone)
            errors = torch.stack([(x_hat.clamp(0, 1) - x).square().mean() for x_hat in pictures])
            rows.append(-10 * errors.log10())
            if self.is_prior_alone:
                shares.append(shares_of_x.item())
        self.train()
        psnr = torch.stack(rows).mean(0)
        points = {f"psnr_{t}": round(psnr[t - 1].item(), 3) for t in REPORTED}
        if shares:
            share = sum(shares) / len(shares)
            return share, points | {"share": round(share, 4)}
        return -psnr.mean().item(), points
