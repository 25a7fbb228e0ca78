r"""An encoder that tries harder: symbols changed by one wherever rate and distortion together gain.

A network's latents are a guess, by one mapping for all pictures, and a decoder takes any symbols. So begin
with the symbols s that the encoder would write, and descend on the bits of the picture at hand:

    J(s) = R(s) + lambda D(s),     x_hat = g_s((s + mu(s)) m'),     D: n 255^2 MSE, n pixels

A step is one pass through the decoder, forward and back. It says what a change d = +1 or -1 of any symbol
would do,

    J(s + d) - J(s)  ~  own bits at s + d, less those at s  +  g d  +  h / 2

own bits exactly; g is the gradient of all the rest, the picture and the distributions of later symbols;
h = 2 lambda n 255^2 |dx_hat / ds|^2 / 3n is the curvature of D, found by random probes. What lies close
together changes the same pixels, so a step takes the places of a lattice only, and at each the `CHANGES`
changes that gain most. The next pass shows what became of every place and its neighbours: where J has
risen, the change is taken back, and its symbols rest for a while.

Of a prior whose means follow from all earlier symbols (`codec_lib.priors.slanted`), s are latents to come
near instead.

Sources: Campos et al., CVPR Workshops 2019, and Yang et al., NeurIPS 2020 (latents refined while encoding,
by gradients of a softened rounding); Hutchinson 1989 (probes). Whole steps, tried and taken back, are this
library's; the chapter on effort compares them with softened rounding.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from codec_lib import picture
from codec_lib.layers.gain import lambda_of
from codec_lib.layers.windows import windows
from codec_lib.priors.base import Choice, Prices
from codec_lib.progress import Progress, report, until_stopped

if TYPE_CHECKING:
    from codec_lib.models.transform import TransformCodec

STEPS = (0, 8, 16, 24, 40, 64, 100, 160, 250, 400)  # of each effort
# This library's choices; more PROBES are less noisy and take longer.
SPACING, CHANGES = 2, 2  # of the lattice in latents; changes at a place
JUDGED_SIDE = 3  # side of the square of latents that a change is judged by
REST = 5  # steps that a symbol rests after a change was taken back
HARM = 0.005  # of J: so much more than the best, and a pass is no measure of single places
CULPRIT = 0.01  # of such an excess: a change around which so much of it lies is never tried again
PROBES = 3
TILE, HALO = 1024, 128  # pixels: a large picture is refined tile by tile, each with what is around it


@dataclass
class Tile:
    """A part of a picture, x float (1, 3, H, W), and of its latents; what is not `inside` stays.

    `shown`, (1, 1, H, W) or 1 for all, is 0 where a picture was padded: errors there count nothing.
    """

    x: Tensor
    chosen: Tensor
    z_hat: Tensor | None
    inside: Tensor
    shown: Tensor | float = 1.0


@dataclass
class Pass:
    """What one pass through the decoder says of what is chosen (1, M, h, w). All costs are bits."""

    gradient: Tensor  # of all that is not own bits
    up: Tensor  # own bits of chosen + 1, less those of chosen
    down: Tensor
    local: Tensor  # J around each place, (1, 1, h, w)
    bits: float
    error: float  # squared, of all samples
    cost: float  # J


def refine(
    codec: "TransformCodec", levels: Tensor, y: Tensor, quality: float, steps: int, size: tuple[int, int]
) -> Choice:
    """A choice that costs less than the one that y gets.

    levels uint8 (1, 3, H, W) with sides that divide by `codec.stride`, of which `size`, rows and columns,
    is the picture; y (1, M, h, w), scaled. Memory is that of a training pass over TILE + 2 HALO pixels a
    side. Ctrl-C ends it, and what was gained remains.
    """
    with torch.no_grad():
        z_hat, chosen = codec.prior.choose(y)
    stride, reduction = codec.stride, codec.prior.reduction
    height, width = (side // stride for side in levels.shape[-2:])
    parts = windows(height, width, TILE // stride, HALO // stride)
    shown = torch.zeros(1, 1, *levels.shape[-2:], device=y.device)
    shown[..., : size[0], : size[1]] = 1
    done, pixels, bits, error = 0, 0, 0.0, 0.0
    with until_stopped():
        for part in parts:
            inside = torch.zeros(chosen.shape[2:], dtype=torch.bool, device=y.device)
            part.put(inside, torch.ones_like(part.of(inside, reduction)), reduction)
            tile = Tile(
                part.of(levels, stride).float() / 255,
                part.of(chosen, reduction),
                None if z_hat is None else part.of(z_hat),
                part.of(inside, reduction),
                part.of(shown, stride),
            )
            best, seen = None, pixels + int(part.of(shown, stride).sum())
            for now, found in descend(codec, tile, quality, steps):
                part.put(chosen, found, reduction)
                best = now if best is None or now.cost < best.cost else best
                done += 1
                share = size[0] * size[1] / seen
                psnr = picture.psnr_of((error + best.error) / seen / 3)
                report(Progress(done, steps * len(parts), round((bits + best.bits) * share / 8), psnr))
            if best is not None:
                pixels, bits, error = seen, bits + best.bits, error + best.error
    return Choice(z_hat, chosen)


def descend(
    codec: "TransformCodec", tile: Tile, quality: float, steps: int
) -> Iterator[tuple[Pass, Tensor]]:
    """After each pass what it says, and the choice of the smallest J that any pass has seen.

    A change can do harm far away, through the means of symbols that are decoded later. Then what a pass
    says of other places is of no use: the next one looks at what was kept, and tries nothing. So does the
    last.
    """
    chosen = best = tile.chosen
    half_curvature = curvature(codec, tile, quality)
    now = evaluate(codec, tile, chosen, quality)
    local, known, rests = now.local, now.cost, torch.zeros_like(chosen)
    for step in range(1, steps + 1):
        is_harmed = now.cost > (1 + HARM) * known
        is_a_look = is_harmed or step == steps
        tried = chosen if is_a_look else change(now, half_curvature, tile, chosen, rests, step)
        now = evaluate(codec, tile, tried, quality)
        if now.cost < known:
            best, known = tried, now.cost
        excess = now.cost - known
        if is_a_look:
            local, chosen = now.local, (chosen if excess <= HARM * known else best)
        else:
            changed, rise = tried != chosen, now.local - local
            is_worse = (rise >= 0) & changed.any(1, keepdim=True)
            is_culprit = is_worse & (rise > CULPRIT * excess) & (excess > HARM * known)
            rests = torch.where(is_worse & changed, REST, (rests - 1).clamp(min=0))
            rests = torch.where(is_culprit & changed, math.inf, rests)
            chosen = torch.where(is_worse, chosen, tried)
            is_near = F.max_pool2d(is_worse.float(), JUDGED_SIDE, 1, JUDGED_SIDE // 2) > 0
            local = torch.where(is_near, local, now.local)
        yield now, best


def change(
    now: Pass, half_curvature: Tensor, tile: Tile, chosen: Tensor, rests: Tensor, step: int
) -> Tensor:
    """What is chosen after the `CHANGES` that gain most at every place of a step's lattice."""
    up = now.up + now.gradient + half_curvature
    down = now.down - now.gradient + half_curvature
    gain = torch.where(rests > 0, math.inf, torch.minimum(up, down))
    worst_of_few = gain.topk(CHANGES, dim=1, largest=False).values[:, -1:]
    corner = torch.randint(SPACING, (2,), generator=_generator(step)).tolist()
    rows, columns = (
        torch.arange(n) % SPACING == at for n, at in zip(chosen.shape[2:], corner, strict=True)
    )
    lattice = (rows[:, None] & columns).to(gain.device) & tile.inside
    is_taken = (gain < 0) & (gain <= worst_of_few) & lattice
    return torch.where(is_taken, chosen + torch.where(up < down, 1.0, -1.0), chosen)


def evaluate(codec: "TransformCodec", tile: Tile, chosen: Tensor, quality: float) -> Pass:
    """One pass forward and back."""
    with torch.enable_grad():
        s = chosen.detach().requires_grad_()
        rest, bits_of = _prices(codec, s, tile.z_hat, quality)
        own = bits_of(chosen)
        error = (_shown(codec, s + rest, quality) - tile.x).square().sum(1, keepdim=True) * tile.shown
        weight = _weight(quality)
        (gradient,) = torch.autograd.grad(own.sum() + weight * error.sum(), s)
    with torch.no_grad():
        up, down = bits_of(chosen + 1) - own, bits_of(chosen - 1) - own
        side = codec.downsampling
        cells = F.avg_pool2d(error, side, divisor_override=1)
        cost = own.sum(1, keepdim=True) + weight * cells
        local = F.avg_pool2d(cost, JUDGED_SIDE, 1, JUDGED_SIDE // 2, divisor_override=1)
    bits, squared = own.sum().item(), error.sum().item()
    return Pass(gradient, up, down, local, bits, squared, bits + weight * squared)


def curvature(codec: "TransformCodec", tile: Tile, quality: float) -> Tensor:
    """h / 2 of every symbol: probes, evened out over neighbours and, by half, over each channel."""
    with torch.enable_grad():
        with torch.no_grad():
            rest, _ = _prices(codec, tile.chosen, tile.z_hat, quality)
        y_hat = (tile.chosen + rest).detach().requires_grad_()
        x_hat = _shown(codec, y_hat, quality)
        squares = torch.zeros_like(y_hat)
        for probe in range(PROBES):
            signs = 2.0 * torch.randint(2, x_hat.shape, generator=_generator(probe)) - 1
            signs = signs.to(x_hat.device) * tile.shown
            (slope,) = torch.autograd.grad(x_hat, y_hat, signs, retain_graph=True)
            squares += slope.square() / PROBES
    around = F.avg_pool2d(squares, 5, 1, 2, count_include_pad=False)
    return _weight(quality) * (around + squares.mean((2, 3), keepdim=True)) / 2


def _prices(codec: "TransformCodec", chosen: Tensor, z_hat: Tensor | None, quality: float) -> Prices:
    gain, _ = codec.gain(codec.quality_tensor(quality))
    return codec.prior.price(chosen, z_hat, gain)


def _shown(codec: "TransformCodec", y_hat: Tensor, quality: float) -> Tensor:
    _, inverse = codec.gain(codec.quality_tensor(quality))
    return codec.g_s(y_hat * inverse)


def _weight(quality: float) -> float:
    """Bits that a squared error of 1 costs, all samples of a pixel together: lambda 255^2 / 3."""
    return float(lambda_of(quality)) * 255**2 / 3


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
