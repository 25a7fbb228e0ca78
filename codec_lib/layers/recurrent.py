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

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...] | None
RESIDUAL_SHARE = 0.1  # a


class Cell(nn.Module, ABC):
    """Maps x (B, inputs, H, W) and a state to an output (B, outputs, H / stride, W / stride) and a state.

    Args:
        inputs, outputs: channels.
        stride: of the convolution of x.
        kernel, hidden_kernel: sides of the convolutions of x and of the state, odd.
    """

    gates: int  # how many maps W * x gives

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3, hidden_kernel: int = 1):
        super().__init__()
        self.outputs = outputs
        self.of_input = nn.Conv2d(inputs, self.gates * outputs, kernel, stride, kernel // 2)
        self.of_state = nn.Conv2d(
            outputs, self.gates * outputs, hidden_kernel, padding=hidden_kernel // 2, bias=False
        )

    @abstractmethod
    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """The output, and the state for the next iteration."""

    def sums(self, x: Tensor, h: Tensor) -> Tensor:
        """W * x + U * h: where both are convolutions of one kind, as one, which is faster."""
        W, U = self.of_input, self.of_state
        if W.stride == U.stride and W.kernel_size == U.kernel_size:
            both = torch.cat((W.weight, U.weight), 1)
            return nn.functional.conv2d(torch.cat((x, h), 1), both, W.bias, padding=W.padding)
        return W(x) + U(h)


class ConvLSTM(Cell):
    """Long short-term memory; it forgets little to begin with: the bias of f is 1."""

    gates = 4

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3, hidden_kernel: int = 1):
        super().__init__(inputs, outputs, stride, kernel, hidden_kernel)
        nn.init.ones_(self.of_input.bias[outputs : 2 * outputs])  # type: ignore[index]  # it has one

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        sums = self.of_input(x) if state is None else self.sums(x, state[0])
        i, f, g, o = sums.float().chunk(4, 1)
        c = torch.sigmoid(i) * torch.tanh(g)
        if state is not None:
            c = c + torch.sigmoid(f) * state[1]
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class ConvGRU(Cell):
    """The gated recurrent unit."""

    gates = 3

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self._next(x, state)
        return h, (h,)

    def _next(self, x: Tensor, state: State) -> Tensor:
        z, r, g = self.of_input(x).float().chunk(3, 1)
        if state is None:
            return torch.sigmoid(z) * torch.tanh(g)
        (h,) = state
        of_gates, of_candidate = self.of_state.weight.split((2 * self.outputs, self.outputs))
        padding = self.of_state.padding
        u_z, u_r = nn.functional.conv2d(h, of_gates, padding=padding).float().chunk(2, 1)
        z, r = torch.sigmoid(z + u_z), torch.sigmoid(r + u_r)
        g = torch.tanh(g + nn.functional.conv2d(r * h, of_candidate, padding=padding))
        return (1 - z) * h + z * g


class ResidualGRU(ConvGRU):
    """The same with shortcuts for state and input."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3, hidden_kernel: int = 1):
        super().__init__(inputs, outputs, stride, kernel, hidden_kernel)
        self.state_shortcut = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.input_shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        h = self._next(x, state)
        if state is not None:
            h = h + RESIDUAL_SHARE * self.state_shortcut(state[0])
        return h + RESIDUAL_SHARE * self.input_shortcut(x), (h,)


CELLS: dict[str, type[Cell]] = {"lstm": ConvLSTM, "gru": ConvGRU, "residual-gru": ResidualGRU}
