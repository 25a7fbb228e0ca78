r"""Importance maps: how many channels of a latent each place may use.

Two kinds, for a map p in (0, 1) at the size of the latent, of which n channels are masked:

    Li et al.         level = floor(p (L + 1)), 0 to L;   mask_k = 1 where k < level n / L
    Mentzer et al.    y = n p;   mask_k = clip(y - k, 0, 1), in the paper rounded up

(The paper of Li et al. has floor(p L), 0 to L - 1, with which the last n / L channels are never sent; here
level L is reached, too.)

The first is a staircase with gradient zero. Its straight-through gradient lets p see the channels near its
level: d mask_k / d p = L where L p - 1 <= ceil(k L / n) < L p + 2, else 0, times what comes from behind and
summed over channels. The window is three levels wide, so that all channels together climb 3 n while p
goes from 0 to 1, where the staircase climbs n. (A public version returns ones instead, whatever comes from
behind: such a map never hears about distortion.) The second has a gradient of its own, of the one channel
that p lets through in part. Where there are many channels one says next to nothing, and the map stays as it
began; so here, too, those near it are heard. At a minimum of the error the gradient by a channel that is
on is near zero, by one that is off about twice the gain of switching it on. A window with as many channels
of each kind averages the two.

Sources: Li et al., "Learning convolutional networks for content-weighted image compression", CVPR 2018;
Mentzer et al., CVPR 2018, section 3.3.
"""

from typing import Any

import torch
from torch import Tensor, nn

from codec_lib.layers.gain import between, geometric

REACH = 4  # one part in so many of all channels hears about p
SHARES = 0.06, 0.95  # of all channels: the lowest and the highest quality


def level_of(p: Tensor, L: int) -> Tensor:
    """The level 0 to L of each place, int64 like p.

    >>> level_of(torch.tensor([0.0, 0.49, 1.0]), 4)
    tensor([0, 2, 4])
    """
    return (p * (L + 1)).floor().clamp(0, L).long()


def mask_of(level: Tensor, n: int, L: int) -> Tensor:
    """Which of n channels each place uses, bool (B, n, h, w), from levels (B, 1, h, w); L divides n."""
    return torch.arange(n, device=level.device)[:, None, None] < level * (n // L)


class Importance(nn.Module):
    """p of each place from the N features of an encoder, with an offset of its logit for each quality."""

    def __init__(self, N: int, offsets: Tensor):
        super().__init__()
        self.conv = nn.Conv2d(N, 1, 3, padding=1)
        self.conv.weight.data.mul_(0.1)
        self.offset = nn.Parameter(offsets[:, None].clone())

    def forward(self, logit: Tensor, quality: Tensor) -> Tensor:
        """p (B, 1, h, w) from the outputs of `conv`, float32, and qualities (B,) in [1, 8]."""
        return torch.sigmoid(logit + between(self.offset, quality))


class _Staircase(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, n: int, L: int) -> Tensor:
        ctx.save_for_backward(p)
        ctx.sizes = n, L
        return mask_of(level_of(p, L), n, L).to(p.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (p,), (n, L) = ctx.saved_tensors, ctx.sizes
        step = (torch.arange(1, n + 1, device=p.device) * L / n).ceil()[:, None, None]
        near = (step >= L * p - 1) & (step < L * p + 2)
        return L * (gradients[0] * near).sum(1, keepdim=True), None, None


def staircase(p: Tensor, n: int, L: int) -> Tensor:
    """The mask of Li et al., 0 or 1 (B, n, h, w), for p (B, 1, h, w), with its gradient."""
    return _Staircase.apply(p, n, L)


def ramp(p: Tensor, n: int) -> Tensor:
    """The mask of Mentzer et al., from 0 to 1 (B, n, h, w), for p (B, 1, h, w); its gradient is wider.

    It is that of clip((n p - k) / W + 1/2, 0, 1) with a quarter of the channels for W.
    """
    ahead = n * p - torch.arange(n, device=p.device)[:, None, None]
    wide = (REACH * ahead / n + 0.5).clamp(0, 1)
    return wide + (ahead.clamp(0, 1) - wide).detach()


def share_of(quality: Tensor) -> Tensor:
    """Of all channels the share that a quality in [1, 8] begins with, or is to have, same shape."""
    return geometric(quality, *SHARES)
