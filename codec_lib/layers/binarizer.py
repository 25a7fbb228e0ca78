r"""The binarizer: one bit for each number, and a gradient all the same.

    b = 1 where e >= 0, else -1                                 (sign(0) would be a third symbol)
    training:  the gradient of b is that of  a = tanh(1.5 e / rms(e)),  rms of a channel over the batch

The papers have a = tanh(e), and in training they draw b, 1 with probability (1 + a) / 2, so that E[b] = a.
Drawing finds its way from a bad start, and its noise is in the way of a good one: `is_drawn` chooses. The
division keeps a between sure and undecided whatever the size of e; signs do not change by it.

Source: Raiko et al., ICLR 2015; Toderici et al., "Variable rate image compression with recurrent neural
networks", ICLR 2016, section 3.1.
"""

import torch
from torch import Tensor, nn

SLOPE = 1.5
LEAST = 1e-12  # of a mean square


class Binarizer(nn.Module):
    """Maps (B, inputs, h, w) to `bits` channels of -1 and 1, of the same height and width."""

    is_drawn = False

    def __init__(self, inputs: int, bits: int):
        super().__init__()
        self.project = nn.Conv2d(inputs, bits, 1)

    def forward(self, x: Tensor) -> Tensor:
        e = self.project(x).float()
        b = torch.where(e >= 0, 1.0, -1.0)
        if not self.training:
            return b
        a = torch.tanh(SLOPE * e / (e.square().mean((0, 2, 3), keepdim=True) + LEAST).sqrt())
        if self.is_drawn:
            b = torch.where(torch.rand_like(a) < (1 + a) / 2, 1.0, -1.0)
        return a + (b - a).detach()
