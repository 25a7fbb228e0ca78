r"""Bits that halve what is uncertain, one after the other: where transforms with binary codes begin.

A sign says which side of zero a coefficient u_0 is on, at best it stands for +-m_1, m_1 = E|u_0|. What is
left is found by folding, again and again:

    s_d = sign(u_(d-1)),    u_d = |u_(d-1)| - m_d,    m_d = E|u_(d-1)|
    u_0 = s_1 (m_1 + s_2 (m_2 + s_3 (m_3 + ...)))         each bit lowers the squared error by m_d^2

so the bits of a coefficient are a Gray code of it. No linear layer can find the second one, and no linear
layer can read it; but each residual block, x + A phi(B x) with a leaky ReLU phi, can fold (|u| is made of u
and phi(u)) and multiply by a sign. With b blocks on either side a coefficient may have b + 1 bits. Which
bits are worth most is measured with pictures. Training begins from there, and all weights may change.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.affine import UNIT
from codec_lib.layers.block_transform import BLOCKS
from codec_lib.layers.convolution import SLOPE, weight_and_bias
from codec_lib.layers.dct import BLOCK, block_transform
from codec_lib.layers.residual import PartialResidualBlock

DEPTH = BLOCKS + 1  # bits of a coefficient at most
TURN = -2 / (1 + SLOPE)  # x + TURN phi(x) = -SHRINK |x|
SHRINK = (1 - SLOPE) / (1 + SLOPE)
LEAST = 1e-3  # root mean square
RANDOM = 0.1  # of what the last layer began with is left


class Bit(NamedTuple):
    """The d-th bit of coefficient k."""

    k: int
    d: int


def fold(x: Tensor) -> tuple[Tensor, Tensor]:
    """m_d and the root mean squares of u_(d-1), both (DEPTH, 192), of the blocks of x (B, 3, H, W)."""
    blocks = F.pixel_unshuffle((x - 0.5) * UNIT, BLOCK).movedim(1, -1)
    u, means, sizes = (blocks @ block_transform(3 * BLOCK**2)[0].T.to(x)).flatten(0, 2), [], []
    for _ in range(DEPTH):
        sizes.append(u.square().mean(0).sqrt().clamp(min=LEAST))  # grey pictures have no colours
        means.append(u.abs().mean(0))
        u = u.abs() - means[-1]
    return torch.stack(means), torch.stack(sizes)


def most_telling(means: Tensor, count: int) -> list[Bit]:
    """The bits that lower the error most, the best first; a coefficient's bits are in their order."""
    chosen, depth = [], [0] * means.shape[1]
    gains = means.square().tolist()
    for _ in range(count):
        k = max(range(len(depth)), key=lambda k: gains[depth[k]][k] if depth[k] < DEPTH else -1.0)
        depth[k] += 1
        chosen.append(Bit(k, depth[k]))
    return chosen


@torch.no_grad()
def start(encoder: nn.Sequential, decoder: nn.Sequential, x: Tensor, count: int) -> None:
    """Let two transforms of `block_transform` begin as the best `count` bits of the blocks of x.

    Of the encoder's outputs the first `count` are bits. Raises ValueError for widths below 2 count.
    """
    width = len(weight_and_bias(decoder[0])[0])
    if width < 2 * count:
        raise ValueError(f"widths: N is {width}, expected at least {2 * count}")
    means, sizes = fold(x)
    bits = most_telling(means, count)
    rows = block_transform(3 * BLOCK**2)[0].to(x)
    _start_encoder(encoder, bits, means, sizes, rows)
    _start_decoder(decoder, bits, means, rows)


def _start_encoder(
    encoder: nn.Sequential, bits: list[Bit], means: Tensor, sizes: Tensor, rows: Tensor
) -> None:
    """Channel j of the inner layers becomes what bit j is the sign of; those behind stay coefficients."""
    weight, bias = weight_and_bias(encoder[2])
    places = [bit.k for bit in bits]
    weight[:, :, 0, 0] = torch.cat((rows[places], rows[: len(weight) - len(bits)]))
    bias.zero_()
    for b, block in enumerate(_blocks(encoder), 1):
        for j, bit in enumerate(bits):
            if b < bit.d:
                _unit(block, j, {j: 1.0}, j, TURN)
                weight_and_bias(block.branch[-1])[1][j] = SHRINK**b * means[b - 1, bit.k]
    weight, _ = weight_and_bias(encoder[-1])
    weight.mul_(RANDOM)
    weight[:, :, 1, 1] = 0.0
    for j, bit in enumerate(bits):
        sign = 1 if bit.d == 1 else -1  # what is folded is turned round, once for all
        weight[j, j, 1, 1] = sign / (SHRINK ** (bit.d - 1) * sizes[bit.d - 1, bit.k])


def _start_decoder(decoder: nn.Sequential, bits: list[Bit], means: Tensor, rows: Tensor) -> None:
    """Channel j becomes s_j, and where that is the last bit of its coefficient what is known of it."""
    blocks = _blocks(decoder)
    channel = {bit: j for j, bit in enumerate(bits)}
    depth = {bit.k: bit.d for bit in bits}  # the last one counts
    first, last = weight_and_bias(decoder[0])[0], weight_and_bias(decoder[-3])[0]
    last.zero_()
    for k, deepest in depth.items():
        j = channel[Bit(k, deepest)]
        first[j, j, 1, 1], known = means[deepest - 1, k], means[deepest - 1, k]
        for b, d in enumerate(range(deepest - 1, 0, -1)):
            s, mean = channel[Bit(k, d)], means[d - 1, k]
            limit, more = SHRINK**b * known, (-SHRINK) ** (b + 1) * mean
            _multiply(blocks[b], j, s, len(bits) + s, limit, more)
            known = known + mean
        last[:, j, 1, 1] = rows[k] / (-SHRINK) ** (deepest - 1)


def _multiply(block: PartialResidualBlock, v: int, s: int, spare: int, limit: Tensor, more: Tensor) -> None:
    """Let a block turn channel v into -SHRINK s v + more s, for |v| <= limit and s -1, 0 or 1.

    x + TURN phi(x + limit s) is -SHRINK (s x + limit |s|) - limit s; from phi(s) and phi(-s), for which
    there is a `spare` hidden unit, come s and |s|.
    """
    odd, even = (more + limit) / (1 + SLOPE), SHRINK * limit / (1 - SLOPE)
    _unit(block, v, {v: 1.0, s: float(limit)}, v, TURN)
    _unit(block, s, {s: 1.0}, v, odd + even)
    _unit(block, spare, {s: -1.0}, v, even - odd)


def _unit(
    block: PartialResidualBlock, unit: int, seen: dict[int, float], changed: int, by: Tensor | float
) -> None:
    """A hidden unit of a block sees some channels of its own place, and changes one."""
    weight, bias = weight_and_bias(block.branch[0])
    weight[unit], bias[unit] = 0.0, 0.0
    for place, value in seen.items():
        weight[unit, place, 1, 1] = value
    weight_and_bias(block.branch[-1])[0][changed, unit] = by


def _blocks(network: nn.Sequential) -> list[PartialResidualBlock]:
    return [layer for layer in network if isinstance(layer, PartialResidualBlock)]
