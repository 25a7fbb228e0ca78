"""The residual block of most codecs here: cheap, since part of the channels pass."""

import torch
from torch import Tensor, nn

from codec_lib.layers.convolution import SLOPE, start_small, weight_and_bias


class PartialResidualBlock(nn.Module):
    """x + 1x1(leaky(3x3(x))) on the first `channels` of x, at equal size; the others pass.

    It begins close to doing nothing. A row of the output depends on `reach` more rows on either side.
    """

    reach = 1

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 1),
        )
        _, bias = weight_and_bias(self.branch[-1])
        nn.init.zeros_(bias)
        start_small(self.branch[-1])

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] == self.channels:
            return x + self.branch(x)
        changed, rest = x[:, : self.channels], x[:, self.channels :]
        return torch.cat((changed + self.branch(changed), rest), 1)
