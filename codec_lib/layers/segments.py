r"""Coefficients cut into segments of a few steps each: where transforms with learned centres begin.

A symbol of L levels cannot tell the range of a large coefficient u at a small step d. So one symbol has
the segment around zero, others have those next to it, on either side of it:

    around zero    u / d                                      levels -(L-1)/2 to L/2, integers
    flank i        max(+-u / d - l - i L/2, 0)                levels 0 to L/2;  l: where the first one ends

and u is d times their sum, so a linear layer reads it. A flank is zero where it has nothing to say: that
costs next to nothing, and a decoder that does not get it loses nothing. (A linear layer with a leaky ReLU
phi finds it: v + phi(-v) is max(v, 0) times 1 - SLOPE.) Of all segments of all coefficients those are taken
that lower the error most, the best first, at the step at which they lower it most.

Before these come all that a block of one colour needs. What is black or white all over is rare, so it
counts little in a mean, but a coefficient that is cut short there shows as a grey patch.
"""

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from codec_lib.layers.affine import UNIT
from codec_lib.layers.convolution import SLOPE, weight_and_bias
from codec_lib.layers.dct import BLOCK, block_transform
from codec_lib.layers.residual import PartialResidualBlock

FLANKS = 16  # a side at most
STEPS = tuple(0.5 * 2 ** (i / 4) for i in range(16))  # 0.5 to 6.7
RANDOM = 0.01  # of what the layers that change a coefficient began with is left


class Segment(NamedTuple):
    """Coefficient k, its side (-1 or 1, 0 around zero), and how many flanks lie before this one."""

    k: int
    side: int
    before: int


class Code(NamedTuple):
    """A step, the segments that are sent, and the means that are taken from coefficients first."""

    step: float
    segments: list[Segment]
    means: Tensor


@torch.no_grad()
def start(
    encoder: nn.Sequential, decoder: nn.Sequential, x: Tensor, centres: Tensor, most: float = 1.0
) -> None:
    """Let two transforms of `block_transform` begin as the best segments of the blocks of x (B, 3, H, W).

    There is one for each input of the decoder; centres (L,) are evenly spaced; coefficients will be
    multiplied by `most` at most. Raises ValueError for widths below their count.
    """
    weight, _ = weight_and_bias(decoder[0])
    count, levels, spacing = weight.shape[1], len(centres), (centres[1] - centres[0]).item()
    if len(weight) < count:
        raise ValueError(f"widths: N is {len(weight)}, expected at least {count}")
    rows = block_transform(len(weight))[0].to(x)
    blocks = nn.functional.pixel_unshuffle((x - 0.5) * UNIT, BLOCK).movedim(1, -1)
    colours = torch.tensor(list(itertools.product((-0.5, 0.5), repeat=3))).to(x) * UNIT  # the darkest, ...
    plain = colours.repeat_interleave(BLOCK**2, 1) @ rows.T
    code = best((blocks @ rows.T).flatten(0, 2), count, levels, plain * most)
    for layer in (*encoder, *decoder):
        if isinstance(layer, PartialResidualBlock):
            weight_and_bias(layer.branch[-1])[0].mul_(RANDOM)
    _start_encoder(encoder, code, rows, levels, spacing)
    weight.mul_(RANDOM)[:, :, 1, 1] = 0.0
    for j, segment in enumerate(code.segments):
        weight[segment.k, j, 1, 1] = code.step / spacing * (segment.side or 1)
    weight_and_bias(decoder[-3])[1].copy_(code.means @ rows)


def best(u: Tensor, count: int, levels: int, extremes: Tensor) -> Code:
    """The `count` segments that remove most of the squared error of coefficients u (S, K).

    Among them are those that extremes (E, K) need, as far as there is room.
    """
    means = u.mean(0)
    _, step, segments = max(_at(u - means, extremes - means, step, count, levels) for step in STEPS)
    return Code(step, segments, means)


def _at(
    u: Tensor, extremes: Tensor, step: float, count: int, levels: int
) -> tuple[float, float, list[Segment]]:
    """What the best segments remove at one step, the step, and they."""
    below, above = (levels - 1) // 2, levels // 2
    near = (u / step).round().clamp(-below, above) * step
    gains, known = [u.square() - (u - near).square()], [(0, 0)]
    needed = [torch.zeros(u.shape[1], dtype=torch.bool, device=u.device)]
    for side, first in ((1, above), (-1, below)):
        for before in range(FLANKS):
            begins = step * (first + before * above)
            rest = side * u - begins
            more = (rest / step).round().clamp(0, above) * step
            gains.append(torch.where(rest > 0, rest.square() - (rest - more).square(), 0.0))
            known.append((side, before))
            needed.append((side * extremes > begins + step / 2).any(0))
    gain = torch.stack([g.mean(0) for g in gains]).flatten()  # segments and coefficients
    order = (gain + torch.stack(needed).flatten() * 2 * gain.max()).topk(count).indices
    order = order[gain[order].argsort(descending=True, stable=True)]
    chosen = [Segment(i % u.shape[1], *known[i // u.shape[1]]) for i in order.tolist()]
    return gain[order].sum().item(), step, chosen


def _start_encoder(encoder: nn.Sequential, code: Code, rows: Tensor, levels: int, spacing: float) -> None:
    """Channel j of the inner layers becomes what segment j sees; those behind stay coefficients."""
    below, above = (levels - 1) // 2, levels // 2
    weight, bias = weight_and_bias(encoder[2])
    places = [s.k for s in code.segments] + list(range(len(weight) - len(code.segments)))
    weight[:, :, 0, 0], bias[:] = rows[places], -code.means[places]
    block = encoder[3]
    assert isinstance(block, PartialResidualBlock)
    into, threshold = weight_and_bias(block.branch[0])
    out, shift = weight_and_bias(block.branch[-1])
    last, _ = weight_and_bias(encoder[-1])
    last.mul_(RANDOM)[:, :, 1, 1] = 0.0
    for j, segment in enumerate(code.segments):
        last[j, j, 1, 1] = spacing / code.step
        if segment.side:
            begins = code.step * ((above if segment.side > 0 else below) + segment.before * above)
            weight[j] *= segment.side
            bias[j] *= segment.side
            into[j], into[j, j, 1, 1], threshold[j] = 0.0, -1.0, begins
            out[j], out[j, j, 0, 0], shift[j] = 0.0, 1.0, -begins
            last[j, j, 1, 1] /= 1 - SLOPE
