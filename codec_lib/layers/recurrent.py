r"""Recurrent convolutional cells: what a network remembers from one iteration to the next.

A codec that looks at the residual again and again has to know what it has sent already. Its layers keep
a state, maps of the size of their output, which each iteration changes through gates. Here * is a
convolution, . a product of elements, s the sigmoid:

    ConvLSTM      i, f, o = s(W * x + U * h),  each with a W and U of its own
                  c' = f . c + i . tanh(W * x + U * h)
                  h' = o . tanh(c')                             output h', state (h', c')

    ConvGRU       z, r = s(W * x + U * h)
                  h' = (1 - z) . h + z . tanh(W * x + U * (r . h))      output and state h'

    ResidualGRU   h' = that of ConvGRU + a W_h * h,  a = 0.1            state h'
                  output h' + a W_x * x

Before the first iteration the state is None, which stands for zeros.

Sources: Shi et al., "Convolutional LSTM network", NIPS 2015; Toderici et al., "Full resolution image
compression with recurrent neural networks", CVPR 2017, section 2 (GRU, residual GRU).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.layers.convolution import weight_and_bias

State = tuple[Tensor, ...] | None
RESIDUAL_SHARE = 0.1  # a
# Where training may begin: all W but one small, U smaller than by chance, and some gates open.
START, FADING, OPEN = 0.002, 0.1, 4.0


class Cell(nn.Module, ABC):
    """Maps x (B, inputs, H, W) and a state to an output (B, outputs, H / stride, W / stride) and a state.

    Args:
        inputs, outputs: channels.
        stride: of the convolution of x.
        kernel, hidden_kernel: sides of the convolutions of x and of the state, odd.
    """

    gates: tuple[str, ...]  # each has a W and a U, which are matrices of their own to an optimizer
    candidate: str  # the one that brings something new
    opened: tuple[str, ...]  # those that let it through
    closed: tuple[str, ...] = ()  # those that keep what was

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3, hidden_kernel: int = 1):
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        pads = kernel // 2, hidden_kernel // 2
        self.W = nn.ModuleDict(
            {gate: nn.Conv2d(inputs, outputs, kernel, stride, pads[0]) for gate in self.gates}
        )
        self.U = nn.ModuleDict(
            {
                gate: nn.Conv2d(outputs, outputs, hidden_kernel, 1, pads[1], bias=False)
                for gate in self.gates
            }
        )

    @abstractmethod
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """The output, and the state for the next iteration."""

    @torch.no_grad()
    def start_as(self, weight: Tensor) -> None:
        """Begin training close to a convolution of x alone: of small x, with a memory that fades quickly.

        weight is (up to outputs, up to inputs, side, side), in the middle of the kernel.
        """
        for name, parameter in self.named_parameters():
            parameter.mul_(0.0 if parameter.ndim == 1 else FADING if name.startswith("U") else START)
        passed = torch.sigmoid(torch.tensor(OPEN)) ** len(self.opened)
        for gates, bias in ((self.opened, OPEN), (self.closed, -OPEN)):
            for gate in gates:
                self.W[gate].bias.fill_(bias)  # type: ignore[operator]  # it has one
        own, _ = weight_and_bias(self.W[self.candidate])
        margin = [(own.shape[-1] - weight.shape[-1]) // 2] * 4
        own[: len(weight), : weight.shape[1]] += F.pad(weight / passed, margin)


def convolve(layers: nn.ModuleDict, gates: Sequence[str], x: Tensor) -> Sequence[Tensor]:
    """x convolved with the weights of some gates, float32 each: as one convolution, which is faster."""
    chosen = [layer for gate in gates if isinstance(layer := layers[gate], nn.Conv2d)]
    weight = torch.cat([layer.weight for layer in chosen])
    biases = [layer.bias for layer in chosen if layer.bias is not None]
    bias = torch.cat(biases) if biases else None
    y = F.conv2d(x, weight, bias, chosen[0].stride, chosen[0].padding)
    return y.float().chunk(len(chosen), 1)


class ConvLSTM(Cell):
    """Long short-term memory."""

    gates = ("i", "f", "g", "o")
    candidate, opened, closed = "g", ("i", "o"), ("f",)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        i, f, g, o = convolve(self.W, self.gates, x)
        if state is None:
            c = torch.sigmoid(i) * torch.tanh(g)
        else:
            of_state = convolve(self.U, self.gates, state[0])
            i, f, g, o = (a + b for a, b in zip((i, f, g, o), of_state, strict=True))
            c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ConvGRU(Cell):
    """The gated recurrent unit; "h" is the candidate W * x + U * (r . h)."""

    gates = ("z", "r", "h")
    candidate, opened = "h", ("z",)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self._next(x, state)
        return h, (h,)

    def _next(self, x: Tensor, state: State) -> Tensor:
        if state is None:  # r has nothing to let through
            z, g = convolve(self.W, ("z", "h"), x)
            return torch.sigmoid(z) * torch.tanh(g)
        (h,) = state
        z, r, g = convolve(self.W, self.gates, x)
        u_z, u_r = convolve(self.U, ("z", "r"), h)
        z, r = torch.sigmoid(z + u_z), torch.sigmoid(r + u_r)
        g = torch.tanh(g + self.U["h"](r * h))
        return (1 - z) * h + z * g


class ResidualGRU(ConvGRU):
    """The same with shortcuts for state and input."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3, hidden_kernel: int = 1):
        super().__init__(inputs, outputs, stride, kernel, hidden_kernel)
        self.W_h = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.W_x = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self._next(x, state)
        if state is not None:
            h = h + RESIDUAL_SHARE * self.W_h(state[0])
        return h + RESIDUAL_SHARE * self.W_x(x), (h,)


CELLS: dict[str, type[Cell]] = {"lstm": ConvLSTM, "gru": ConvGRU, "residual-gru": ResidualGRU}
