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
ReLU and leaky ReLU with slope 2^-k are exact. So is inverse GDN, X sqrt(beta + sum gamma X^2): the sum is
an integer, and IEEE 754 prescribes every bit of a square root and of a product. The last layer's A is
compared with integer thresholds, which gives the index of a table, or shifted like any other, where
integers are wanted. No exp, no sigmoid.

>>> network = convert(nn.Sequential(nn.Conv2d(1, 1, 1)), thresholds=torch.tensor([0.5, 1.5]))
>>> network(torch.zeros(1, 1, 2, 2, dtype=torch.float64)).shape
torch.Size([1, 1, 2, 2])

Source: Balle, Johnston, Minnen, "Integer networks for data compression with latent-variable models",
ICLR 2019, has the idea; there the network is trained with integers, here it is converted.
"""

from collections.abc import Callable
from dataclasses import astuple

import numpy as np
import torch
from torch import Tensor, nn

from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.exact.integer_layer import (
    ACTIVATION_LIMIT,
    NORM_FRACTION_BITS,
    NORM_LIMIT,
    Geometry,
    Layer,
    LayerOnDevice,
    Norm,
    leaky,
)
from codec_lib.layers.bands import in_bands
from codec_lib.layers.gdn import GDN

__all__ = ["ACTIVATION_LIMIT", "FixedPointNetwork", "convert", "largest_sum", "leaky", "to_int32"]

EXACT = 2**53  # float64 holds every integer up to here
WEIGHT_BITS = 15  # |W| <= 2**15 - 1
INPUT_LIMIT = 2**12  # inputs are clamped to +-2**12
MOST_THRESHOLDS = 255  # an index is uint8


def to_int32(x: Tensor) -> Tensor:
    """Integers in float64 as int32, which holds all that activations are clamped to."""
    return x.to(torch.int32)


class FixedPointNetwork:
    """Layers, and thresholds if the result is to be a table's index; called with integers (B, C, H, W).

    Raises ValueError when a partial sum could leave the exact range, or an index could be above 255.
    """

    def __init__(self, layers: list[Layer], thresholds: np.ndarray | None, limit: int = INPUT_LIMIT):
        self.layers, self.thresholds, self.limit = layers, thresholds, limit
        if thresholds is not None and len(thresholds) > MOST_THRESHOLDS:
            raise ValueError(f"thresholds: {len(thresholds)}, allowed are up to {MOST_THRESHOLDS}")
        self._on_device: dict[torch.device, tuple[list[LayerOnDevice], Tensor | None]] = {}
        for number, layer in enumerate(layers):
            bound = largest_sum(layer, limit)
            if bound >= EXACT:
                raise ValueError(f"layer {number}: sums up to {bound:.3g}, allowed are less than 2**53")
            limit = ACTIVATION_LIMIT

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """Table index of each output, how many thresholds are not above it: uint8, on x's device.

        Without thresholds the outputs themselves: integers in float64 that stand for 2**-12 each.
        """
        return self._run(x, LayerOnDevice.sums)

    @torch.inference_mode()
    def of_rows(self, x: Tensor) -> Tensor:
        """The same for places that lie in rows, (P, C): of a network of 1 x 1 convolutions without GDN."""
        return self._run(x, LayerOnDevice.products)

    def _run(self, x: Tensor, sums: Callable[[LayerOnDevice, Tensor], Tensor]) -> Tensor:
        layers, thresholds = self._parameters(x.device)
        limits = -self.limit, self.limit
        x = x.clamp(*limits) if x.dtype == torch.float64 else x.double().clamp_(*limits)
        for layer in layers:
            x = sums(layer, x)
            if layer is not layers[-1] or thresholds is None:
                x = layer.activate(x)
        if thresholds is None:
            return x
        return torch.bucketize(x.contiguous(), thresholds, right=True, out_int32=True).to(torch.uint8)

    def in_bands(self, x: Tensor, band: int, after: Callable[[Tensor], Tensor] = to_int32) -> Tensor:
        """The same, for large x: `band` rows of the larger side at a time, which go through `after`."""
        geometry = nn.Sequential(
            *(_without_weights(layer.geometry, layer.weight.shape) for layer in self.layers)
        )
        # Also on a GPU, where a convolution without cuDNN unfolds its whole input.
        return in_bands(geometry, x, lambda rows: after(self(rows)), band, on_gpu=True)

    @property
    def inputs(self) -> int:
        """Channels that the first layer takes."""
        first = self.layers[0]
        return first.weight.shape[0 if first.geometry.transposed else 1]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All integers, by name, for saving beside the weights."""
        arrays = {} if self.thresholds is None else {"thresholds": self.thresholds}
        if self.limit != INPUT_LIMIT:
            arrays["limit"] = np.array([self.limit])
        for number, layer in enumerate(self.layers):
            arrays[f"{number}.shape"] = np.array(astuple(layer.geometry), dtype=np.int32)
            arrays[f"{number}.weight"], arrays[f"{number}.bias"] = layer.weight, layer.bias
            if layer.norm is not None:
                arrays |= {f"{number}.norm.{name}": value for name, value in vars(layer.norm).items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FixedPointNetwork":
        """Rebuild what `to_arrays` returned; KeyError, TypeError or ValueError for anything else."""
        layers = []
        for n in range(sum(name.endswith(".shape") for name in arrays)):
            norm = None
            if f"{n}.norm.gamma" in arrays:
                norm = Norm(*(arrays[f"{n}.norm.{name}"] for name in ("gamma", "beta", "shift")))
            geometry = Geometry(*map(int, arrays[f"{n}.shape"]))
            layers.append(Layer(geometry, arrays[f"{n}.weight"], arrays[f"{n}.bias"], norm))
        return cls(
            layers, arrays.get("thresholds"), int(arrays["limit"][0]) if "limit" in arrays else INPUT_LIMIT
        )

    def _parameters(self, device: torch.device) -> tuple[list[LayerOnDevice], Tensor | None]:
        if device not in self._on_device:
            thresholds = None
            if self.thresholds is not None:
                thresholds = torch.from_numpy(self.thresholds).double().to(device)
            self._on_device[device] = [layer.on(device) for layer in self.layers], thresholds
        return self._on_device[device]


def largest_sum(layer: Layer, limit: float) -> float:
    """Bound on every partial sum of a layer when inputs are at most `limit` in size."""
    outputs = 1 if layer.geometry.transposed else 0
    sizes = np.abs(layer.weight.astype(np.float64)).swapaxes(0, outputs)
    largest = float((sizes.sum((1, 2, 3)) * limit + np.abs(layer.bias.astype(np.float64))).max())
    if layer.norm is None:
        return largest
    energy = layer.norm.gamma.sum(1) * float(NORM_LIMIT**2) + layer.norm.beta
    return max(largest, float(energy.max()))


@torch.no_grad()
def convert(
    network: nn.Sequential, thresholds: Tensor | None = None, fraction: int = 0, scale: Tensor | float = 1.0
) -> FixedPointNetwork:
    """The fixed-point form of a trained network; a pure function of its weights.

    Args:
        network: Conv2d and ConvTranspose2d, all but the last followed by ReLU, by LeakyReLU with a slope
            that is a power of two, or by inverse GDN; without thresholds the last one may be, too.
        thresholds: float64 (T,), T up to 255, ascending, in units of the network's output; None for integer
            outputs.
        fraction: an input X stands for X 2**-fraction times `scale`, a number or one for each input (C,).
    Raises:
        ValueError: another kind of layer, too many thresholds, or sums that could leave the exact range.
    """
    modules, layers = list(network), []
    limit = ACTIVATION_LIMIT if fraction else INPUT_LIMIT
    while modules:
        convolution = _as_convolution(modules.pop(0))
        activation = modules.pop(0) if modules and not _is_convolution(modules[0]) else None
        weight = convolution.weight.detach().double().cpu()
        if not layers:
            axis = (-1, 1, 1, 1) if isinstance(convolution, nn.ConvTranspose2d) else (1, -1, 1, 1)
            weight = weight * torch.as_tensor(scale, dtype=torch.float64).cpu().view(axis)
        bits = WEIGHT_BITS - int(np.frexp(float(weight.abs().max()))[1])  # |w| 2**bits < 2**15
        weight = (weight * 2.0**bits).round().clamp(1 - 2**WEIGHT_BITS, 2**WEIGHT_BITS - 1)
        fraction += bits
        bias = torch.zeros(convolution.out_channels) if convolution.bias is None else convolution.bias
        bias = (bias.detach().double().cpu() * 2.0**fraction).round()
        is_last = not modules and thresholds is not None
        norm = _norm(activation)
        shift = 0 if is_last else fraction - (FRACTION_BITS if norm is None else NORM_FRACTION_BITS)
        geometry = Geometry(
            transposed=int(isinstance(convolution, nn.ConvTranspose2d)),
            stride=convolution.stride[0],
            padding=int(convolution.padding[0]),
            output_padding=convolution.output_padding[0],
            shift=shift,
            slope=-1 if is_last else _slope(activation),
        )
        layers.append(Layer(geometry, weight.numpy().astype(np.int16), bias.numpy().astype(np.int64), norm))
        fraction = fraction if is_last else FRACTION_BITS
    if thresholds is None:
        return FixedPointNetwork(layers, None, limit)
    integers = (thresholds.detach().double().cpu() * 2.0**fraction).ceil()
    return FixedPointNetwork(layers, integers.numpy().astype(np.int64), limit)


def _without_weights(geometry: Geometry, size: tuple[int, ...]) -> nn.Module:
    """A layer of this kernel and stride, without weights."""
    kind = nn.ConvTranspose2d if geometry.transposed else nn.Conv2d
    return kind(1, 1, size[2], geometry.stride, device="meta")


def _as_convolution(module: nn.Module) -> nn.Conv2d | nn.ConvTranspose2d:
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        raise ValueError(f"layer: {module}, allowed are Conv2d and ConvTranspose2d")
    return module


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.ConvTranspose2d)


def _slope(activation: nn.Module | None) -> int:
    """k of the slope 2**-k of what follows a convolution: -1 for ReLU, 0 for nothing and for GDN."""
    if isinstance(activation, nn.ReLU):
        return -1
    if activation is None or isinstance(activation, GDN):
        return 0
    mantissa, exponent = np.frexp(getattr(activation, "negative_slope", 0.0))
    if mantissa != 0.5 or exponent > 1:
        raise ValueError(f"activation: {activation}, allowed are ReLU, LeakyReLU(2**-k), inverse GDN")
    return 1 - int(exponent)


def _norm(activation: nn.Module | None) -> Norm | None:
    """The integers of inverse GDN; None for another activation."""
    if not isinstance(activation, GDN):
        return None
    if not activation.inverse:
        raise ValueError("activation: GDN, allowed is inverse GDN")
    gamma, beta = activation.gamma.detach().double().cpu(), activation.beta.detach().double().cpu()
    bits = WEIGHT_BITS - int(np.frexp(float(gamma.max()))[1])
    bits -= bits % 2  # the square root halves it
    energy_bits = bits + 2 * NORM_FRACTION_BITS
    shift = NORM_FRACTION_BITS + energy_bits // 2 - FRACTION_BITS
    gamma, beta = (gamma * 2.0**bits).round(), (beta * 2.0**energy_bits).round()
    return Norm(gamma.numpy().astype(np.int64), beta.numpy().astype(np.int64), np.array([shift]))
