r"""The binarizer: one bit for each number, and a gradient all the same.

    a = tanh(W * e)                 in (-1, 1)
    training:   b = 1 with probability (1 + a) / 2, else -1, so that E[b] = a
    coding:     b = 1 where a >= 0, else -1                     (sign(0) would be a third symbol)

The gradient of b is that of a: it passes straight through. On average it is right for losses that are
linear in b, and an approximation for others.

Source: Raiko et al., ICLR 2015; Toderici et al., "Variable rate image compression with recurrent neural
networks", ICLR 2016, section 3.1.
"""

import torch
from torch import Tensor, nn


class Binarizer(nn.Module):
    """Maps (B, inputs, h, w) to `bits` channels of -1 and 1, of the same height and width."""

    def __init__(self, inputs: int, bits: int):
        super().__init__()
        self.project = nn.Conv2d(inputs, bits, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = torch.tanh(self.project(x).float())
        if not self.training:
            return torch.where(a >= 0, 1.0, -1.0)
        b = torch.where(torch.rand_like(a) < (1 + a) / 2, 1.0, -1.0)
        return a + (b - a).detach()
