"""Warns when a lossy codec reproduces a picture with less than 20 dB PSNR.

Transforms keep what varies slowly, and code what varies within a few pixels as well as training has taught
them: checkerboards of single pixels come back grey. An error that large needs more variance than that
inside of small blocks. So only pictures that have it, hardly a photograph among them, are decoded and
looked at.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from codec_lib import picture, weights

POOR = 20.0  # dB
SIDE, STEP = 8, 4
PERIOD = 64  # one band of blocks in so many rows is enough to see what a picture is like
SUSPICIOUS = 2.0  # times the squared error at POOR: so much variance inside of blocks


def is_suspicious(levels: Tensor) -> bool:
    """Whether a picture, uint8 (1, 3, H, W), varies within blocks as much as a bad error would."""
    height, width = levels.shape[-2:]
    rows = torch.arange(max(height // PERIOD, 1))[:, None] * PERIOD + torch.arange(min(SIDE, height))
    sampled = levels[..., rows.to(levels.device), :].to(torch.float32)  # (1, 3, bands, 8, W)
    bands, size = sampled.flatten(0, 2)[:, None], (rows.shape[1], min(SIDE, width))
    variance = F.avg_pool2d(bands * bands, size, STEP) - F.avg_pool2d(bands, size, STEP) ** 2
    return variance.mean().item() > SUSPICIOUS * 255**2 * 10 ** (-POOR / 10)


def psnr(levels: Tensor, decoded: Tensor) -> float:
    """PSNR in dB of a decoded picture against what was coded, both uint8 (1, 3, H, W); inf if equal."""
    return picture.psnr_of((decoded.float() - levels.float()).square().mean().item(), 255)


def complaint(name: str, psnr: float) -> str:
    """The warning, which names models that promise something, as far as their cards tell."""
    better = [other for other, card in weights.available().items() if card.get("promises")]
    advice = f"; {' or '.join(better)} would keep it" if better else ""
    return f"{name} codes this picture at {psnr:.1f} dB only{advice}"
