"""Notices pictures that a codec for photographs does badly: its own result is worse than 20 dB.

Transforms keep what varies slowly, and code what varies within a few pixels as well as training has taught
them: checkerboards of single pixels come back grey. An error that large needs variance that large inside of
small blocks. So only pictures that have it, few photographs among them, are decoded and looked at.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from codec_lib import weights

POOR = 20.0  # dB
BLOCK = 8
SUSPICIOUS = 0.6  # of the squared error at POOR: as much variance inside of blocks


def is_suspicious(levels: Tensor) -> bool:
    """Whether a picture, uint8 (1, 3, H, W), varies within blocks as much as a bad error would."""
    x = levels[..., : _whole(levels.shape[-2]), : _whole(levels.shape[-1])].float()
    size = min(BLOCK, x.shape[-2]), min(BLOCK, x.shape[-1])
    variance = F.avg_pool2d(x * x, size) - F.avg_pool2d(x, size) ** 2
    return variance.mean().item() > SUSPICIOUS * 255**2 * 10 ** (-POOR / 10)


def psnr(levels: Tensor, data: bytes, decode: Callable[[bytes], Any]) -> float:
    """PSNR in dB of a file against the colour of its picture, uint8 (1, 3, H, W); inf if equal."""
    decoded = np.asarray(decode(data).convert("RGB")).astype(np.float64)
    error = np.mean((decoded - levels[0].permute(1, 2, 0).cpu().numpy()) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def complaint(name: str, psnr: float) -> str:
    """The warning, which names models that promise something, as far as their cards tell."""
    better = [other for other, card in weights.available().items() if card.get("promises")]
    advice = f"; {' or '.join(better)} would keep it" if better else ""
    return f"{name} codes this picture at {psnr:.1f} dB only{advice}"


def _whole(side: int) -> int:
    return side // BLOCK * BLOCK or side
