r"""Networks that choose probabilities, in exact integer arithmetic.

A decoder must reach the table index that the encoder used, for every symbol, on every machine. Floats
do not promise that: a + (b + c) and (a + b) + c differ in the last bit, and every processor, library
and thread count sums in an order of its own. Integers do. So a trained network becomes one of integers,
once, after training:

    weight   W = round(w 2^a)             a as large as 16 bits allow
    input    X, an integer that stands for X 2^-b
    output   A = sum W X + B              stands for A 2^-(a + b); B = round(bias 2^(a + b))
    next X   clamp(round(A 2^-s))         s = a + b - 12: activations keep 12 bits of fraction

All of them are held in float64, which is exact up to 2^53: `convert` proves, with the largest inputs
that the clamps let through, that no partial sum can get there. Then every order of summation gives the
same result, on a CPU as on a GPU, and rounding A removes what a fast algorithm (Winograd, FFT) may leave.
ReLU and leaky ReLU with slope 2^-k are exact; the last layer's A is compared with integer thresholds,
which gives the index of a table. No exp, no division, no sigmoid.

>>> network = convert(nn.Sequential(nn.Conv2d(1, 1, 1)), thresholds=torch.tensor([0.5, 1.5]))
>>> network(torch.zeros(1, 1, 2, 2, dtype=torch.float64)).shape
torch.Size([1, 1, 2, 2])

Source: Balle, Johnston, Minnen, "Integer networks for data compression with latent-variable models",
ICLR 2019, has the idea; there the network is trained with integers, here it is converted.
"""

from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

EXACT = 2**53  # float64 holds every integer up to here
WEIGHT_BITS = 15  # |W| <= 2**15 - 1
FRACTION_BITS = 12  # of activations
INPUT_LIMIT = 2**12  # inputs are clamped to +-2**12
ACTIVATION_LIMIT = 2**26  # activations to +-2**26, which stands for +-2**14


@dataclass(frozen=True)
class Shape:
    """How a layer is applied: integers only, so that it can be saved beside the weights.

    `shift` is s above, or 0 in the last layer; a negative input is divided by 2**`slope` first, or
    becomes zero if `slope` is -1.
    """

    transposed: int
    stride: int
    padding: int
    output_padding: int
    shift: int
    slope: int


@dataclass(frozen=True)
class Layer:
    """A convolution with integer `weight` int16 (as in torch) and `bias` int64 (outputs,)."""

    shape: Shape
    weight: np.ndarray
    bias: np.ndarray

    def sums(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """A: exact integers in float64."""
        s = self.shape
        if s.transposed:
            x = F.conv_transpose2d(x, weight, None, s.stride, s.padding, s.output_padding)
        else:
            x = F.conv2d(x, weight, None, s.stride, s.padding)
        return x.round_().add_(bias)


class FixedPointNetwork:
    """Layers and thresholds; called with integers (B, C, H, W), it returns uint8 table indexes.

    Raises ValueError when a partial sum could leave the exact range.
    """

    def __init__(self, layers: list[Layer], thresholds: np.ndarray):
        self.layers, self.thresholds = layers, thresholds
        self._on_device: dict[torch.device, list] = {}
        limit = INPUT_LIMIT
        for number, layer in enumerate(layers):
            bound = int(largest_sum(layer, limit))
            if bound >= EXACT:
                raise ValueError(f"layer {number}: sums up to {bound:.3g}, allowed are less than 2**53")
            limit = ACTIVATION_LIMIT

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """Table index of each output: how many thresholds are not above it; uint8, on x's device."""
        *parameters, thresholds = self._parameters(x.device)
        x = x.double().clamp(-INPUT_LIMIT, INPUT_LIMIT)
        with torch.backends.cudnn.flags(enabled=False):  # plain products: FFTs would need a proof
            for layer, (weight, bias) in zip(self.layers, parameters, strict=True):
                x = layer.sums(x, weight, bias)
                if layer is not self.layers[-1]:
                    x = activate(x, layer.shape)
        return torch.bucketize(x.contiguous(), thresholds, right=True, out_int32=True).to(torch.uint8)

    def arrays(self) -> dict[str, np.ndarray]:
        """All integers, by name, for saving beside the weights."""
        arrays = {"thresholds": self.thresholds}
        for number, layer in enumerate(self.layers):
            arrays[f"{number}.shape"] = np.array(astuple(layer.shape), dtype=np.int32)
            arrays[f"{number}.weight"], arrays[f"{number}.bias"] = layer.weight, layer.bias
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FixedPointNetwork":
        """Rebuild what `arrays` returned; KeyError, TypeError or ValueError for anything else."""
        layers = [
            Layer(Shape(*map(int, arrays[f"{n}.shape"])), arrays[f"{n}.weight"], arrays[f"{n}.bias"])
            for n in range(sum(name.endswith(".shape") for name in arrays))
        ]
        return cls(layers, arrays["thresholds"])

    def _parameters(self, device: torch.device) -> list:
        if device not in self._on_device:
            tensors = [
                (torch.from_numpy(x.weight).double(), torch.from_numpy(x.bias).double()[:, None, None])
                for x in self.layers
            ]
            tensors = [(weight.to(device), bias.to(device)) for weight, bias in tensors]
            self._on_device[device] = [*tensors, torch.from_numpy(self.thresholds).double().to(device)]
        return self._on_device[device]


def activate(x: Tensor, shape: Shape) -> Tensor:
    """The next layer's integers: slope, shift with rounding, clamp; overwrites x."""
    if shape.slope < 0:
        x.clamp_(min=0)
    else:
        x = torch.where(x < 0, (x * 2.0**-shape.slope).round_(), x)
    return x.mul_(2.0**-shape.shift).add_(0.5).floor_().clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)


def largest_sum(layer: Layer, limit: int) -> float:
    """Bound on every partial sum when inputs are at most `limit` in size."""
    outputs = 1 if layer.shape.transposed else 0
    sizes = np.abs(layer.weight.astype(np.float64)).swapaxes(0, outputs)
    return float((sizes.sum((1, 2, 3)) * limit + np.abs(layer.bias.astype(np.float64))).max())


@torch.no_grad()
def convert(network: nn.Sequential, thresholds: Tensor) -> FixedPointNetwork:
    """The fixed-point form of a trained network; a pure function of its weights.

    Args:
        network: Conv2d and ConvTranspose2d, all but the last followed by ReLU, or by LeakyReLU with
            a slope that is a power of two. Its input are integers.
        thresholds: float64 (T,), ascending, in units of the network's output.
    Raises:
        ValueError: another kind of layer, or sums that could leave the exact range.
    """
    modules = list(network)
    layers, fraction = [], 0  # the input has no fraction
    for convolution, activation in zip(modules[::2], [*modules[1::2], None], strict=True):
        weight = convolution.weight.detach().double().cpu()
        bits = WEIGHT_BITS - int(np.frexp(float(weight.abs().max()))[1])  # |w| 2**bits < 2**15
        weight = (weight * 2.0**bits).round().clamp(1 - 2**WEIGHT_BITS, 2**WEIGHT_BITS - 1)
        fraction += bits
        bias = torch.zeros(convolution.out_channels) if convolution.bias is None else convolution.bias
        bias = (bias.detach().double().cpu() * 2.0**fraction).round()
        shift = 0 if activation is None else fraction - FRACTION_BITS
        shape = Shape(
            transposed=int(isinstance(convolution, nn.ConvTranspose2d)),
            stride=convolution.stride[0],
            padding=convolution.padding[0],
            output_padding=convolution.output_padding[0],
            shift=shift,
            slope=_slope(activation),
        )
        layers.append(Layer(shape, weight.numpy().astype(np.int16), bias.numpy().astype(np.int64)))
        fraction -= shift
    integers = (thresholds.detach().double().cpu() * 2.0**fraction).ceil()
    return FixedPointNetwork(layers, integers.numpy().astype(np.int64))


def _slope(activation: nn.Module | None) -> int:
    """k of the slope 2**-k, or -1 for ReLU; the last layer has none."""
    if activation is None or isinstance(activation, nn.ReLU):
        return -1
    mantissa, exponent = np.frexp(getattr(activation, "negative_slope", 0.0))
    if mantissa != 0.5 or exponent > 1:
        raise ValueError(f"activation: {activation}, allowed are ReLU and LeakyReLU(2**-k)")
    return 1 - int(exponent)
