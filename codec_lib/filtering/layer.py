r"""What a filter computes: a pixel plus a weighted sum of FEATURES of what is around it.

    x_hat = x + W f(x),        W: (3, FEATURES), the same for all pixels of a picture

Of each colour f has, at 1 to REACH pixels on either side in a row or column, the differences

    (x_left - x) + (x_right - x),    clip(x_left - x) + clip(x_right - x),    clip to [-CLIP, CLIP]

The first ones make a linear filter, which blurs or sharpens. Together with the second ones it may blur
what differs little and keep what differs much, or the other way round. The rest of f are the colours
themselves, their products, and 1: a curve for the colours. Beyond its edges a picture repeats its border.

Sources: Tsai et al., "Adaptive loop filtering for video coding", IEEE JSTSP 2013 (a filter fitted to each
picture, in the decoder of a codec); Taquet et al., "Non-linear adaptive loop filter", PCS 2019 (clipped
differences).
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.filtering.loops import filtered

COLOURS, REACH, CLIP = 3, 3, 0.04
PRODUCTS = list(combinations_with_replacement(range(COLOURS), 2))
FEATURES = 1 + COLOURS + len(PRODUCTS) + 2 * 2 * REACH * COLOURS
MIDDLE = 0.5  # colours are counted from here
ROWS = 32  # that are filtered at once: their features stay in a cache


class PictureFilter(nn.Module):
    """The filter with weights W (COLOURS, FEATURES), of pictures (B, COLOURS, H, W) in [0, 1].

    A row of the output depends on `reach` more rows on either side.
    """

    reach = REACH
    weight: Tensor

    def __init__(self, weight: Tensor):
        super().__init__()
        self.register_buffer("weight", weight[:, :, None, None].float())

    def forward(self, x: Tensor) -> Tensor:
        """On a CPU by `loops.filtered`; elsewhere, or where gradients are asked for, from the features.

        Both give the same, but for the last digits.
        """
        if x.device.type != "cpu" or x.requires_grad:
            return x + torch.cat([F.conv2d(features, self.weight) for features in in_rows(x)], 2)
        shown, weight = torch.empty(x.shape), self.weight[:, :, 0, 0].numpy()
        for whole, out in zip(_padded(x.detach().float()), shown, strict=True):
            filtered(whole.numpy(), weight, REACH, np.float32(MIDDLE), np.float32(CLIP), out.numpy())
        return shown


def in_rows(x: Tensor) -> Iterator[Tensor]:
    """The features (B, FEATURES, rows, W) of x (B, COLOURS, H, W), from top to bottom, ROWS at a time."""
    padded = _padded(x)
    for top in range(0, x.shape[2], ROWS):
        yield _features(padded[:, :, top : top + ROWS + 2 * REACH])


def _padded(x: Tensor) -> Tensor:
    return F.pad(x.contiguous(), 4 * (REACH,), mode="replicate")


def _features(padded: Tensor) -> Tensor:
    """Those of the pixels that are not within REACH of an edge."""
    height, width = (side - 2 * REACH for side in padded.shape[2:])

    def at(down: int, right: int) -> Tensor:
        top, left = REACH + down, REACH + right
        return padded[:, :, top : top + height, left : left + width]

    x = at(0, 0)
    colours = x - MIDDLE
    found = [torch.ones_like(x[:, :1]), colours]
    found += [colours[:, i : i + 1] * colours[:, j : j + 1] for i, j in PRODUCTS]
    for distance in range(1, REACH + 1):
        for down, right in ((distance, 0), (0, distance)):
            before, after = at(-down, -right) - x, at(down, right) - x
            found += [before + after, before.clamp(-CLIP, CLIP) + after.clamp(-CLIP, CLIP)]
    return torch.cat(found, 1)
