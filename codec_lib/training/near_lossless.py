"""What near-lossless models are trained for: few bits, of a residual that is exact or within tau."""

from typing import Any

import torch
from torch import Tensor, nn

from codec_lib.models.output import Output
from codec_lib.priors.residual import TRAINED_TAU
from codec_lib.training.objectives import OneModelObjective, validation_pictures


class NearLosslessObjective(OneModelObjective[Any]):
    """R_y + R_z + R_r + lambda 255^2 MSE of the lossy layer, for exact residuals.

    Where the bias correction alone is trained, it gets a tau of its own for each batch.
    """

    uses = frozenset({"distortion"})

    def train(self) -> None:
        """Put what is trained into training mode; a frozen lossy layer rounds as it does in coding."""
        super().train()
        if not any(p.requires_grad for p in self.model.lossy.parameters()):
            self.model.lossy.eval()

    def loss(self, model: nn.Module, x: Tensor) -> tuple[Tensor, str]:
        tau = int(torch.randint(1, TRAINED_TAU + 1, ())) if self.model.prior.is_correction_alone() else 0
        out = model((255 * x).round().to(torch.uint8), tau)  # levels survive mixed precision, floats do not
        return (out.bpp() + self.settings.distortion * 255**2 * out.mse(x)).mean(), out.summary(x)

    @torch.no_grad()
    def validate(self, folder: str) -> tuple[float, dict[str, float]]:
        """Mean bits per sub-pixel of what is trained, over pictures and tau; the same for each tau."""
        self.model.eval()
        points, pictures = {}, list(validation_pictures(folder, self.model.device))
        outs: list[Output] = []
        for tau in (1, 3, 5) if self.model.prior.is_correction_alone() else (0,):
            outs = [self.model(x, tau) for x in pictures]
            points[f"bpsp_{tau}"] = round(sum(out.bpp().item() / 3 for out in outs) / len(outs), 4)
        psnr = sum(out.psnr(x).item() for out, x in zip(outs, pictures, strict=True))
        self.train()
        return sum(points.values()) / len(points), points | {"psnr": round(psnr / len(outs), 3)}
