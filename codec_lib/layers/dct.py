r"""The discrete cosine transform as the weights of convolutions: where several codecs begin training.

A convolution whose kernel and stride are 8, or pixel unshuffling by 8 and a 1x1 convolution, is a block
transform. With random weights it has to find out first that pictures are smooth. With those of a DCT it
starts as JPEG: three colours of 8x8 cosines, of which the lowest frequencies are kept.

>>> weight = dct(8)
>>> bool((weight @ weight.T - torch.eye(8)).abs().max() < 1e-6)
True

Source: Ahmed, Natarajan, Rao, "Discrete cosine transform", IEEE Trans. Computers, 1974.
"""

import math

import torch
from torch import Tensor

BLOCK = 8
# This library's choices. Frequencies of colour differences count so many times, and so much more:
OF_COLOURS = 1.8, 1.5
# Differences of two blocks, and of both pairs of four, add so much to a frequency:
OF_PAIRS = 0.45, 0.6
COLOURS = torch.tensor([[1.0, 1, 1], [1, 0, -1], [-0.5, 1, -0.5]])  # brightness and two differences


def dct(size: int) -> Tensor:
    """Orthonormal DCT-II (size, size): row k is the cosine of frequency k."""
    k, i = torch.arange(size)[:, None], torch.arange(size)
    rows = torch.cos(math.pi * (2 * i + 1) * k / (2 * size)) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


def block_transform(outputs: int) -> tuple[Tensor, Tensor]:
    """Orthonormal rows (outputs, 192) for pixel-unshuffled 8x8 blocks of RGB, and their frequencies.

    The lowest frequencies come first; those of colour differences count as higher than they are.
    """
    colours = COLOURS / COLOURS.norm(dim=1, keepdim=True)
    cosines = dct(BLOCK)
    rows = torch.einsum("ec,ui,vj->euvcij", colours, cosines, cosines).flatten(0, 2).flatten(1)
    u = torch.arange(float(BLOCK))
    frequency = (u[:, None] ** 2 + u**2).sqrt()
    times, more = OF_COLOURS
    frequency = torch.stack((frequency, *[times * frequency + more] * 2)).flatten()
    order = frequency.argsort(stable=True)[:outputs]
    return rows[order], frequency[order]


def pair_transform(frequency: Tensor, outputs: int) -> Tensor:
    """Orthonormal rows (outputs, 4 n) for pixel-unshuffled 2x2 blocks of n channels: Haar's transform.

    It takes four blocks together and keeps what is lowest, given the channels' frequencies (n,).
    """
    haar = torch.tensor([[1.0, 1], [1, -1]]) / math.sqrt(2)
    count = len(frequency)
    rows = torch.einsum("ab,ui,vj->auvbij", torch.eye(count), haar, haar).reshape(4 * count, 4 * count)
    one, both = OF_PAIRS
    whole = (frequency[:, None, None] + torch.tensor([[0.0, one], [one, both]])).flatten()
    return rows[whole.argsort(stable=True)[:outputs]]
