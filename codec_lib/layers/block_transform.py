"""Transforms at an eighth of the size: 8 x 8 pixels become channels, plain residual blocks do the rest.

Training begins with a DCT and with blocks that do next to nothing. Codecs that differ in what they do with
a latent, not in how they make it, have these transforms, which makes them easy to compare.
"""

import torch
from torch import nn

from codec_lib.layers.affine import UNIT, Affine
from codec_lib.layers.convolution import weight_and_bias
from codec_lib.layers.dct import BLOCK, block_transform
from codec_lib.layers.residual import PartialResidualBlock

BLOCKS = 4
ROWS = 512  # of a picture that are transformed at once: a band needs 40 more on either side


@torch.no_grad()
def analysis(N: int, outputs: int) -> nn.Sequential:
    """Maps x (B, 3, H, W) to (B, outputs, H/8, W/8), with N channels inside.

    At first the outputs are cosines' coefficients, of which that of the mean goes to +-28.
    """
    network = nn.Sequential(
        Affine(UNIT, -UNIT / 2),
        nn.PixelUnshuffle(BLOCK), nn.Conv2d(3 * BLOCK**2, N, 1),
        *(PartialResidualBlock(N) for _ in range(BLOCKS)),
        nn.Conv2d(N, outputs, 3, padding=1),
    )  # fmt: skip
    _start(network[2], block_transform(N)[0])
    _start(network[-1], torch.eye(outputs, N))
    return network


@torch.no_grad()
def synthesis(inputs: int, N: int) -> nn.Sequential:
    """Maps (B, inputs, H/8, W/8) back to (B, 3, H, W)."""
    network = nn.Sequential(
        nn.Conv2d(inputs, N, 3, padding=1),
        *(PartialResidualBlock(N) for _ in range(BLOCKS)),
        nn.Conv2d(N, 3 * BLOCK**2, 3, padding=1), nn.PixelShuffle(BLOCK),
        Affine(1 / UNIT, 0.5),
    )  # fmt: skip
    _start(network[0], torch.eye(N, inputs))
    _start(network[-3], block_transform(N)[0].T)
    return network


def _start(layer: nn.Module, matrix: torch.Tensor) -> None:
    """Let a convolution begin close to a matrix on each place alone."""
    weight, bias = weight_and_bias(layer)
    centre = weight.shape[2] // 2
    weight.mul_(0.1)
    weight[:, :, centre, centre] += matrix
    bias.zero_()
