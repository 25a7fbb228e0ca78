"""JPEG as a function with a gradient: its colours, its blocks and its steps, rounded straight through.

What a JPEG decoder shows of a picture, without the file: each coefficient is divided by its step, rounded,
and multiplied again. The gradient takes rounding for the identity, so what passes is what has a place in a
block of a colour that is kept: differences of colours at half the size.

`bits` is about what coefficients take in the file, so that a network in front of a codec feels what it
costs: one of c steps counts as COST log2(1 + |c|). Header and flat blocks are not in it.

Sources: ITU-T T.81 and T.871 (the codec and its colours); Theis et al., ICLR 2017 (rounding).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from codec_lib.layers.dct import BLOCK, dct
from codec_lib.quantize import straight_through
from codec_lib.standard import jpeg_tables

COST = 2.2  # fitted to files of a photograph, sharp and blurred, at qualities 8 to 60: 2.0 to 2.3

TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """About what JPEG, 4:2:0, makes of pictures x (B, 3, H, W) in [0, 1] at qualities (B,), 1 to 100."""
    y, half = _planes(x)
    steps = _steps(x, quality)
    y = _quantized(y, steps[:, :1])
    colours = F.interpolate(_quantized(half, steps[:, 1:]), scale_factor=2.0, mode="bilinear")
    colours = colours[..., : x.shape[-2], : x.shape[-1]]
    ycc = torch.cat((y, colours), 1)
    return (torch.einsum("cd,bdhw->bchw", TO_YCC.to(x).inverse(), ycc) / 255 + 0.5).clamp(0, 1)


def bits(x: Tensor, quality: Tensor) -> Tensor:
    """About what their coefficients take, (B,)."""
    y, half = _planes(x)
    steps = _steps(x, quality)
    scaled = (_scaled(plane, own).flatten(1) for plane, own in ((y, steps[:, :1]), (half, steps[:, 1:])))
    return COST / math.log(2) * torch.cat([*scaled], 1).abs().log1p().sum(1)


def _planes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Brightness (B, 1, H, W), and two colours at half the size, in levels about zero."""
    y, colours = torch.einsum("cd,bdhw->bchw", TO_YCC.to(x), 255 * x - 127.5).split((1, 2), 1)
    return y, F.interpolate(_padded(colours, 2), scale_factor=0.5, mode="area")


def _steps(x: Tensor, quality: Tensor) -> Tensor:
    """JPEG's steps at qualities (B,): (B, 3, 8, 8)."""
    return torch.stack([torch.from_numpy(jpeg_tables(round(q))) for q in quality.tolist()]).to(x)


def _scaled(x: Tensor, steps: Tensor) -> Tensor:
    """The coefficients of planes (B, c, H, W) in steps (B, 1 or c, 8, 8): (B, c, rows, columns, 8, 8)."""
    padded, basis = _padded(x, BLOCK), dct(BLOCK).to(x)
    blocks = padded.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    return basis @ blocks @ basis.T / steps[:, :, None, None]


def _quantized(x: Tensor, steps: Tensor) -> Tensor:
    """Planes (B, c, H, W) whose blocks have lost what is below the steps (B, 1 or c, 8, 8)."""
    scaled, basis = _scaled(x, steps), dct(BLOCK).to(x)
    rounded = straight_through(scaled) * steps[:, :, None, None]
    blocks = basis.T @ rounded @ basis
    return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., : x.shape[-2], : x.shape[-1]]


def _padded(x: Tensor, stride: int) -> Tensor:
    """x with its last row and column repeated until its sides divide by the stride."""
    return F.pad(x, (0, -x.shape[-1] % stride, 0, -x.shape[-2] % stride), mode="replicate")
