"""JPEG as a function with a gradient: its colours, its blocks and its steps, rounded straight through.

What a JPEG decoder shows of a picture, without the file: each coefficient is divided by its step, rounded,
and multiplied again. The gradient takes rounding for the identity, so what passes is what has a place in a
block of a colour that is kept: differences of colours at half the size.

Sources: ITU-T T.81 and T.871 (the codec and its colours); Theis et al., ICLR 2017 (rounding).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from codec_lib.layers.dct import BLOCK, dct
from codec_lib.standard import jpeg_tables

TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def jpeg(x: Tensor, quality: Tensor) -> Tensor:
    """About what JPEG, 4:2:0, makes of pictures x (B, 3, H, W) in [0, 1] at qualities (B,), 1 to 100."""
    steps = torch.stack([torch.from_numpy(jpeg_tables(round(q))) for q in quality.tolist()]).to(x)
    to_ycc = TO_YCC.to(x)
    y, colours = torch.einsum("cd,bdhw->bchw", to_ycc, 255 * x - 127.5).split((1, 2), 1)
    y = _quantized(y, steps[:, :1])
    half = F.interpolate(_padded(colours, 2), scale_factor=0.5, mode="area")
    colours = F.interpolate(_quantized(half, steps[:, 1:]), scale_factor=2.0, mode="bilinear")
    colours = colours[..., : x.shape[-2], : x.shape[-1]]
    ycc = torch.cat((y, colours), 1)
    return (torch.einsum("cd,bdhw->bchw", to_ycc.inverse(), ycc) / 255 + 0.5).clamp(0, 1)


def _quantized(x: Tensor, steps: Tensor) -> Tensor:
    """Planes (B, c, H, W) whose blocks have lost what is below the steps (B, 1, 8, 8)."""
    padded = _padded(x, BLOCK)
    blocks = padded.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)  # b c i j u v
    basis, steps = dct(BLOCK).to(x), steps[:, :, None, None]
    scaled = basis @ blocks @ basis.T / steps
    blocks = basis.T @ ((scaled + (scaled.round() - scaled).detach()) * steps) @ basis
    return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., : x.shape[-2], : x.shape[-1]]


def _padded(x: Tensor, stride: int) -> Tensor:
    """x with its last row and column repeated until its sides divide by the stride."""
    return F.pad(x, (0, -x.shape[-1] % stride, 0, -x.shape[-2] % stride), mode="replicate")
