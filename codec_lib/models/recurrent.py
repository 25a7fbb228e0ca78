r"""The recurrent residual codec, and the networks that others of its family share with it.

                   E                                              D
    conv   3 -> N     1/2                        conv 1x1  32 -> M             1/16
    cell   N -> 4N    1/4    hidden 1x1          cell   M -> M, shuffle   1/8    all 1x1
    cell  4N -> 8N    1/8    hidden 1x1          cell M/4 -> 8N, shuffle  1/4    hidden 1x1
    cell  8N -> M     1/16   hidden 1x1          cell  2N -> 4N, shuffle  1/2    hidden 3x3
    B: conv 1x1  M -> 32                         cell   N -> 2N, shuffle  1      hidden 3x3
                                                 conv 1x1  N/2 -> 3, tanh

The paper has N = 64, M = 512, and 3x3 taps for the input of D's first cell, too. A tile of 16 x 16 pixels
has 768 samples, of which M numbers are left in the middle: a narrow codec had better save elsewhere. The
two convolutions 1x1 next to the bits are the only ones of which each iteration has its own: what is sent
first is another thing than what is sent last. (In the paper all iterations share them.) How iterations make
a picture and a file, `IterativeCodec` knows.

Training begins with a code that works: E is Haar's transform, iteration t sends the signs of those 32
coefficients of which most is still missing of some pictures, and D adds their mean size
(`IterativeCodec.start`).

Source: Toderici et al., "Full resolution image compression with recurrent neural networks", CVPR 2017.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.binarizer import Binarizer
from codec_lib.layers.convolution import weight_and_bias
from codec_lib.layers.dct import COLOURS
from codec_lib.layers.haar import haar_packet
from codec_lib.layers.recurrent import CELLS, START, Cell, State
from codec_lib.models.iterative import (
    BITS,
    SCHEMES,
    IterationGain,
    IterativeCodec,
    RecurrentDecoder,
    RecurrentEncoder,
    RecurrentNetwork,
    T,
)

SIZE = 0.25  # of pictures inside of both networks where training begins: tanh is nearly straight there
MAX_LOG_GAIN = 2.0  # logarithm of the largest G
MISSING = 0.5  # root mean square of what E sees from the second iteration on, if factors are those measured


class EncoderNetwork(RecurrentEncoder):
    """E and B: what is missing, (B, 3, H, W) to bits -1 or 1, (B, BITS, H/16, W/16).

    `activation` follows the first convolution, on N channels.
    """

    def __init__(self, N: int, M: int, cell: type[Cell], activation: nn.Module):
        super().__init__()
        self.first, self.activation = nn.Conv2d(3, N, 3, 2, 1), activation
        sizes = (N, 4 * N, 8 * N, M)
        self.cells = nn.ModuleList(cell(a, b, stride=2) for a, b in pairwise(sizes))
        self.binarizers = nn.ModuleList(Binarizer(M, BITS) for _ in range(T))

    def forward(self, x: Tensor, states: list[State], t: int) -> Tensor:
        return self.binarizers[t](self.features(x, states))

    def features(self, x: Tensor, states: list[State]) -> Tensor:
        """What bits are decided by, (B, M, H/16, W/16)."""
        x = self.activation(self.first(x))
        for k, cell in enumerate(self.cells):
            x, states[k] = cell(x, states[k])
        return x

    def start(self, x: Tensor, states: list[State], t: int) -> tuple[Tensor, Tensor]:
        size = self.features(x, states).abs().mean((0, 2, 3))
        sent = size.topk(BITS).indices
        shrink(self.binarizers[t].get_submodule("project"))[range(BITS), sent, 0, 0] += 1
        return sent, size[sent]


class DecoderNetwork(RecurrentDecoder):
    """D: bits (B, BITS, H/16, W/16) to (B, 3, H, W) in (-1, 1).

    `activation` follows the first convolution, on M channels.
    """

    def __init__(self, N: int, M: int, cell: type[Cell], activation: nn.Module):
        super().__init__()
        self.firsts = nn.ModuleList(nn.Conv2d(BITS, M, 1) for _ in range(T))
        self.activation = activation
        outputs, kernels = (M, 8 * N, 4 * N, 2 * N), ((1, 1), (3, 1), (3, 3), (3, 3))
        inputs = (M, *(n // 4 for n in outputs[:-1]))
        self.cells = nn.ModuleList(
            cell(a, b, 1, *sides) for a, b, sides in zip(inputs, outputs, kernels, strict=True)
        )
        self.last = nn.Conv2d(outputs[-1] // 4, 3, 1)

    def forward(self, x: Tensor, states: list[State], t: int) -> Tensor:
        x = self.activation(self.firsts[t](x))
        for k, cell in enumerate(self.cells):
            x, states[k] = cell(x, states[k])
            x = F.pixel_shuffle(x, 2)
        return torch.tanh(self.last(x).float())

    def start(self, t: int, sent: Tensor, size: Tensor) -> None:
        shrink(self.firsts[t])[sent, range(BITS), 0, 0] += size


class StepGain(IterationGain):
    """One factor above 0 for each iteration after the first; where training begins, those measured."""

    def __init__(self):
        super().__init__()
        self.log_factor = nn.Parameter(torch.arange(1.0, T) / 8)

    def forward(self, x_hat: Tensor, t: int) -> Tensor:
        return self.log_factor[t - 1].exp()

    def start(self, missing: Tensor, t: int) -> None:
        self.log_factor[t - 1] = math.log(MISSING) - missing.square().mean().log() / 2


class Gain(StepGain):
    """The same, times G(x_hat) for each 8 x 8 pixels: less is missing of a wall than of leaves.

    Training begins with G = 1. (In the paper G alone is the factor, ELU + 2.)
    """

    def __init__(self, N: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, N, 3, 2, 1), nn.ELU(), nn.Conv2d(N, N, 3, 2, 1), nn.ELU(),
            nn.Conv2d(N, 1, 3, 2, 1),
        )  # fmt: skip
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, x_hat: Tensor, t: int) -> Tensor:
        log_g = MAX_LOG_GAIN * torch.tanh(self.layers(x_hat - 0.5).float())
        return super().forward(x_hat, t) * log_g.exp().repeat_interleave(8, -1).repeat_interleave(8, -2)


def networks(
    N: int, M: int, cell: int, of_encoder: nn.Module, of_decoder: nn.Module
) -> tuple[EncoderNetwork, DecoderNetwork]:
    """E with B, and D, where training begins; cell is a place in `CELLS`, the last two are activations."""
    kind = list(CELLS.values())[cell]
    encoder, decoder = EncoderNetwork(N, M, kind, of_encoder), DecoderNetwork(N, M, kind, of_decoder)
    start_as_transform(encoder, decoder)
    return encoder, decoder


@torch.no_grad()
def start_as_transform(encoder: EncoderNetwork, decoder: DecoderNetwork) -> None:
    """Let E begin as Haar's transform of 16 x 16 pixels, and D as the way back.

    In each layer of E four places become one, and the lowest frequencies are kept.
    """
    widths = encoder.first.out_channels, *(cell.outputs for cell in cells_of(encoder))
    rows = haar_packet(widths)
    colours = SIZE * COLOURS / COLOURS.abs().sum(1, keepdim=True)
    shrink(encoder.first)[: len(rows[0]), :, 1:, 1:] += torch.einsum("keij,ec->kcij", rows[0], colours)
    for cell, forth in zip(cells_of(encoder), rows[1:], strict=True):
        cell.start_as(F.pad(forth, (1, 0, 1, 0)))  # of 3 x 3 taps the four that do not overlap

    rows[0] = torch.einsum("keij,ce->kcij", rows[0], SIZE * torch.linalg.inv(colours))
    for cell, forth in zip(cells_of(decoder), rows[::-1], strict=True):
        back = 4 * forth[: cell.inputs, : cell.outputs // 4]
        cell.start_as(back.flatten(1).T[:, :, None, None])
    shrink(decoder.last)[:, :, 0, 0] += torch.eye(3, decoder.last.in_channels) / (2 * SIZE)


def cells_of(network: RecurrentNetwork) -> list[Cell]:
    """The cells, first to last."""
    return [cell for cell in network.cells if isinstance(cell, Cell)]


def shrink(layer: nn.Module) -> Tensor:
    """The weight of a convolution, made small, without a bias."""
    weight, bias = weight_and_bias(layer)
    bias.zero_()
    return weight.mul_(START / 10)


class Recurrent(IterativeCodec):
    """Toderici 2017, and K channels in the prior of bits.

    scheme and cell are places in `SCHEMES` and in `CELLS`.
    """

    def __init__(self, N: int = 12, M: int = 272, K: int = 64, scheme: int = 2, cell: int = 1):
        gains = {"scaled": lambda: Gain(N), "stepped": StepGain}
        gain = gains[SCHEMES[scheme]]() if SCHEMES[scheme] in gains else None
        encoder, decoder = networks(N, M, cell, nn.Tanh(), nn.Tanh())
        super().__init__(
            {"N": N, "M": M, "K": K, "scheme": scheme, "cell": cell},
            encoder,
            decoder,
            scheme=SCHEMES[scheme],
            gain=gain,
        )
