r"""The recurrent residual codec, and the networks that others of its family share with it.

                   E                                              D
    conv   3 -> N     1/2                        conv 1x1  32 -> M             1/16
    cell   N -> 4N    1/4    hidden 1x1          cell   M -> M, shuffle   1/8    hidden 1x1
    cell  4N -> 8N    1/8    hidden 1x1          cell M/4 -> 8N, shuffle  1/4    hidden 1x1
    cell  8N -> M     1/16   hidden 1x1          cell  2N -> 4N, shuffle  1/2    hidden 3x3
    B: conv 1x1  M -> 32                         cell   N -> 2N, shuffle  1      hidden 3x3
                                                 conv 1x1  N/2 -> 3, tanh

The paper has N = 64, M = 512. A tile of 16 x 16 pixels has 768 samples, of which M numbers are left in the
middle: a narrow codec had better save elsewhere. How iterations make a picture and a file, `IterativeCodec`
knows.

Source: Toderici et al., "Full resolution image compression with recurrent neural networks", CVPR 2017.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.binarizer import Binarizer
from codec_lib.layers.recurrent import CELLS, Cell, State
from codec_lib.models.iterative import BITS, SCHEMES, IterativeCodec, RecurrentNetwork


class EncoderNetwork(RecurrentNetwork):
    """E and B: what is missing, (B, 3, H, W) to bits -1 or 1, (B, BITS, H/16, W/16).

    `activation` follows the first convolution, on N channels.
    """

    def __init__(self, N: int, M: int, cell: type[Cell], activation: nn.Module):
        super().__init__()
        self.first, self.activation = nn.Conv2d(3, N, 3, 2, 1), activation
        sizes = (N, 4 * N, 8 * N, M)
        self.cells = nn.ModuleList(cell(a, b, stride=2) for a, b in pairwise(sizes))
        self.binarizer = Binarizer(M, BITS)

    def forward(self, x: Tensor, states: list[State]) -> Tensor:
        x = self.activation(self.first(x))
        for k, cell in enumerate(self.cells):
            x, states[k] = cell(x, states[k])
        return self.binarizer(x)


class DecoderNetwork(RecurrentNetwork):
    """D: bits (B, BITS, H/16, W/16) to (B, 3, H, W) in (-1, 1).

    `activation` follows the first convolution, on M channels.
    """

    def __init__(self, N: int, M: int, cell: type[Cell], activation: nn.Module):
        super().__init__()
        self.first, self.activation = nn.Conv2d(BITS, M, 1), activation
        outputs, kernels = (M, 8 * N, 4 * N, 2 * N), (1, 1, 3, 3)
        inputs = (M, *(n // 4 for n in outputs[:-1]))
        self.cells = nn.ModuleList(
            cell(*sizes, hidden_kernel=kernel)
            for *sizes, kernel in zip(inputs, outputs, kernels, strict=True)
        )
        self.last = nn.Conv2d(outputs[-1] // 4, 3, 1)
        for parameter in self.last.parameters():
            parameter.data.mul_(0.1)  # iterations add up, and begin with small steps

    def forward(self, x: Tensor, states: list[State]) -> Tensor:
        x = self.activation(self.first(x))
        for k, cell in enumerate(self.cells):
            x, states[k] = cell(x, states[k])
            x = F.pixel_shuffle(x, 2)
        return torch.tanh(self.last(x).float())


class Gain(nn.Module):
    """G: how much to enlarge what is missing of x_hat (B, 3, H, W): one factor above 0 for 8 x 8 pixels."""

    def __init__(self, N: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, N, 3, 2, 1), nn.ELU(), nn.Conv2d(N, N, 3, 2, 1), nn.ELU(),
            nn.Conv2d(N, 1, 3, 2, 1), nn.ELU(),
        )  # fmt: skip

    def forward(self, x_hat: Tensor) -> Tensor:
        factor = self.layers(x_hat - 0.5).float() + 2  # ELU is above -1
        return factor.repeat_interleave(8, -1).repeat_interleave(8, -2)


class Recurrent(IterativeCodec):
    """Toderici 2017, and K channels in the prior of bits.

    scheme and cell are places in `SCHEMES` and in `CELLS`.
    """

    def __init__(self, N: int = 12, M: int = 192, K: int = 64, scheme: int = 0, cell: int = 1):
        kind = list(CELLS.values())[cell]
        super().__init__(
            {"N": N, "M": M, "K": K, "scheme": scheme, "cell": cell},
            encoder=EncoderNetwork(N, M, kind, nn.Tanh()),
            decoder=DecoderNetwork(N, M, kind, nn.Tanh()),
            scheme=SCHEMES[scheme],
            gain=Gain(N) if SCHEMES[scheme] == "scaled" else None,
        )
