"""What a model returns in training: pictures, and the bits that they take."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Output:
    """`x_hat` (B, 3, H, W), about [0, 1]; `bits`: for each section the bits of each picture, (B,)."""

    x_hat: Tensor
    bits: dict[str, Tensor]

    def bpp(self) -> Tensor:
        """Bits per pixel of each picture, all sections together, shape (B,)."""
        return torch.stack(list(self.bits.values())).sum(0) / self.x_hat.shape[-2:].numel()

    def mse(self, x: Tensor) -> Tensor:
        """Mean squared error of each picture against x, on the scale of x, shape (B,)."""
        return (self.x_hat - x).square().flatten(1).mean(1)

    def psnr(self, x: Tensor) -> Tensor:
        """PSNR of each picture against x, both in [0, 1], in dB, shape (B,)."""
        return -10 * self.mse(x).log10()

    def unlikeness(self, x: Tensor) -> Tensor:
        """1 - MS-SSIM of each picture against x, both at least 161 pixels a side, shape (B,)."""
        from pytorch_msssim import ms_ssim

        return 1 - ms_ssim(self.x_hat, x, data_range=1.0, size_average=False)

    def summary(self, x: Tensor) -> str:
        """Rate and PSNR of a batch x, means over its pictures, for a progress bar."""
        return f"bpp {self.bpp().mean().item():.3f} PSNR {self.psnr(x).mean().item():.2f}"


@dataclass
class TargetedOutput(Output):
    """`rate` and `target` (B,) in the same unit, beside the picture and the bits of each section."""

    rate: Tensor
    target: Tensor


@dataclass
class MagnitudeOutput(Output):
    """`numbers` (B, C, h, w) that are coded, before rounding, beside the picture and its bits."""

    numbers: Tensor
