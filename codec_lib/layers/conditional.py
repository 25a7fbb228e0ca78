r"""Convolutions that a condition adjusts: one network, a few settings.

The outputs of a 1x1 convolution are scaled and shifted by numbers learned for each setting t:

    y = softplus(s_t) * (W x) + b_t

For one setting that is a plain convolution with weights softplus(s_t) W and bias b_t: `at` returns it.

Source: Choi et al., "Variable rate deep image compression with a conditional autoencoder", ICCV 2019;
used for the bias correction by Bai et al., CVPR 2021.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.convolution import weight_and_bias

ONE = math.log(math.e - 1)  # softplus of this is 1


class ConditionalConv2d(nn.Module):
    """Maps (B, inputs, H, W) to (B, outputs, H, W) under one of `settings` settings, 0, 1, ..."""

    def __init__(self, inputs: int, outputs: int, settings: int):
        super().__init__()
        self.weight = nn.Parameter(nn.Conv2d(inputs, outputs, 1).weight.detach())
        self.scale = nn.Parameter(torch.full((settings, outputs), ONE))
        self.bias = nn.Parameter(torch.zeros(settings, outputs))

    def folded(self, setting: int) -> tuple[Tensor, Tensor]:
        """Weight (outputs, inputs, 1, 1) and bias (outputs,) of one setting."""
        return self.weight * F.softplus(self.scale[setting])[:, None, None, None], self.bias[setting]

    def forward(self, x: Tensor, setting: int) -> Tensor:
        return F.conv2d(x, *self.folded(setting))

    def is_new(self) -> bool:
        """Whether no setting differs from another yet."""
        return bool((self.scale == ONE).all() and (self.bias == self.bias[:1]).all())

    @torch.no_grad()
    def start_from(self, plain: nn.Module) -> None:
        """Begin training as a plain convolution under every setting."""
        weight, bias = weight_and_bias(plain)
        self.weight.copy_(weight)
        self.bias.copy_(bias.expand_as(self.bias))

    @torch.no_grad()
    def at(self, setting: int) -> nn.Conv2d:
        """The plain convolution that this is under one setting."""
        plain = nn.Conv2d(self.weight.shape[1], self.weight.shape[0], 1)
        for parameter, value in zip(weight_and_bias(plain), self.folded(setting), strict=True):
            parameter.copy_(value)
        return plain
