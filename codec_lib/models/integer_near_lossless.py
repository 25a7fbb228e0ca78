"""The near-lossless model in integers: the networks that decide x_tilde, u and every distribution.

A residual is relative to x_tilde, so unlike a lossy codec's synthesis transform this one has to give the
same integers on both sides. It is cut in three, to be applied in bands: `inner` up to a quarter of the
size, `outer` up to the features at half of it, `picture` up to levels.
"""

import copy

import torch
from torch import Tensor, nn

from codec_lib.fixed_point import FRACTION_BITS, FixedPointNetwork, convert
from codec_lib.layers.masked import taps
from codec_lib.models.residual_coder import WINDOW

QUALITY = 1.0  # of the lossy layer
TRAINED_TAU = 5  # the correction has parameters for tau = 1 to 5; beyond, those of 5
RESIDUAL_UNIT = 16.0  # levels that count as 1 where residuals enter a network
PICTURE_UNIT = 64.0  # the same for x_tilde
BAND = 64  # rows that a network gives at once: convolutions of float64 copy every window
INNER = 4  # layers of g_s that work at a quarter of the size and below


@torch.no_grad()
def integer_networks(model: nn.Module) -> dict[str, FixedPointNetwork]:
    """All networks of a trained `NearLossless`; a pure function of its parameters."""
    return _of_the_lossy_layer(model) | _of_the_pixels(model)


@torch.inference_mode()
def reconstruct(
    networks: dict[str, FixedPointNetwork], y_hat: Tensor, colours: int
) -> tuple[Tensor, Tensor]:
    """x_tilde uint8 (3, H', W') and features int32 (N, H'/2, W'/2), exact on every machine.

    For one colour, grey, x_tilde is the green of the three.
    """
    inner = networks["inner"].in_bands(y_hat, BAND)
    features = networks["outer"].in_bands(inner, BAND)
    levels = networks["picture"].in_bands(features, BAND, to_levels)[0]
    if colours == 1:
        levels = levels[1:2].expand(3, -1, -1).contiguous()
    return levels, features[0]


def to_levels(integers: Tensor) -> Tensor:
    """Integers that stand for 2**-12 levels, rounded to uint8."""
    return integers.mul(2.0**-FRACTION_BITS).add_(0.5).floor_().clamp_(0, 255).to(torch.uint8)


def _of_the_lossy_layer(model) -> dict[str, FixedPointNetwork]:
    """y_hat to features at half the size, in two parts, and features to levels of x_tilde."""
    _, inverse = model.lossy.gain(model.lossy.quality_tensor(QUALITY))
    g_s = model.lossy.g_s
    return {
        "inner": convert(g_s[:INNER], scale=inverse.flatten()),
        "outer": convert(g_s[INNER:-1], fraction=FRACTION_BITS),
        "picture": convert(nn.Sequential(scaled(g_s[-1], 255)), fraction=FRACTION_BITS),
    }


def _of_the_pixels(model) -> dict[str, FixedPointNetwork]:
    """What features say, what gathered neighbours say, and the parameters that follow from both."""
    by_phase = copy.deepcopy(model.features)  # outputs ordered by phase, then channel
    for values in (by_phase.weight, by_phase.bias):
        values.copy_(values.unflatten(0, (model.C, 4)).transpose(0, 1).flatten(0, 1).clone())
    rows, columns = (taps(WINDOW) + WINDOW // 2).T
    causal = model.context.weight[:, :, rows, columns].flatten(1) / RESIDUAL_UNIT
    around = model.surround.weight.flatten(1) / PICTURE_UNIT
    gathered = nn.Conv2d(causal.shape[1] + around.shape[1], len(causal), 1)
    gathered.weight.copy_(torch.cat((causal, around), 1)[:, :, None, None])
    gathered.bias.copy_(model.context.bias + model.surround.bias)
    networks = {
        "features": convert(nn.Sequential(by_phase), fraction=FRACTION_BITS),
        "neighbours": convert(nn.Sequential(gathered)),
        "lossless": convert(model.lossless.chain(), fraction=FRACTION_BITS),
    }
    for tau in range(1, TRAINED_TAU + 1):
        networks[f"corrected.{tau}"] = convert(model.corrected.chain(tau - 1), fraction=FRACTION_BITS)
    return networks


def scaled(layer: nn.Module, factor: float) -> nn.Module:
    """A copy of a convolution with `factor` times its outputs."""
    layer = copy.deepcopy(layer)
    layer.weight.mul_(factor)
    layer.bias.mul_(factor)
    return layer
