"""One layer of a network in integers: a convolution, what follows it, and how both are applied exactly.

The numbers are integers, held in float64 while they are computed with; `codec_lib.exact.fixed_point` has
the equations, and the proof that no sum leaves the range in which float64 is exact.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from codec_lib.layers.convolution import LEAK

ACTIVATION_LIMIT = 2**26  # activations to +-2**26, which stands for +-2**14
NORM_FRACTION_BITS = 8  # of what enters inverse GDN, which squares it
NORM_LIMIT = 2**15  # that stands for +-2**7


@dataclass(frozen=True)
class Geometry:
    """How a layer is applied: integers only, so that it can be saved beside the weights.

    `shift` is s of `fixed_point`, or 0 before thresholds; a negative sum is divided by 2**`slope` first, or
    becomes zero if `slope` is -1.
    """

    transposed: int
    stride: int
    padding: int
    output_padding: int
    shift: int
    slope: int


POINTWISE = Geometry(transposed=0, stride=1, padding=0, output_padding=0, shift=0, slope=0)


@dataclass(frozen=True)
class Norm:
    """Inverse GDN: int64 `gamma` (C, C) and `beta` (C,), and the shift of its outputs, int64 (1,)."""

    gamma: np.ndarray
    beta: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Layer:
    """A convolution with integer `weight` int16 (as in torch) and `bias` int64 (outputs,)."""

    geometry: Geometry
    weight: np.ndarray
    bias: np.ndarray
    norm: Norm | None = None

    def on(self, device: torch.device) -> "LayerOnDevice":
        """The same integers as float64 tensors."""

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).double().to(device)

        bias = tensor(self.bias)[:, None, None]
        norm = None
        if self.norm is not None:
            scale = 2.0 ** -int(self.norm.shift[0])
            norm = tensor(self.norm.gamma)[:, :, None, None], tensor(self.norm.beta), scale
        return LayerOnDevice(self.geometry, tensor(self.weight), bias, norm)


@dataclass(frozen=True)
class LayerOnDevice:
    """A layer ready to be applied; its methods take and return exact integers in float64."""

    geometry: Geometry
    weight: Tensor
    bias: Tensor
    norm: tuple[Tensor, Tensor, float] | None

    def sums(self, x: Tensor) -> Tensor:
        """A of the equations of `fixed_point`."""
        x = _convolve(x, self.weight, self.geometry)
        return x.round_().add_(self.bias)

    def products(self, rows: Tensor) -> Tensor:
        """The same for a 1 x 1 convolution of places that lie in rows, (P, inputs) to (P, outputs)."""
        if self.weight.shape[2:] != (1, 1):
            raise ValueError(f"layer: kernel {tuple(self.weight.shape[2:])}, rows need (1, 1)")
        return (rows @ self.weight[:, :, 0, 0].T).round_().add_(self.bias[:, 0, 0])

    def activate(self, x: Tensor) -> Tensor:
        """The next layer's X: slope, shift with rounding, clamp, inverse GDN; overwrites x."""
        if self.geometry.slope < 0:
            x.clamp_(min=0)
        elif self.geometry.slope > 0:
            x = leaky(x, self.geometry.slope)
        x = x.mul_(2.0**-self.geometry.shift).add_(0.5).floor_()
        if self.norm is None:
            return x.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)
        gamma, beta, scale = self.norm
        x.clamp_(-NORM_LIMIT, NORM_LIMIT)
        energy = _convolve(x * x, gamma, POINTWISE).round_().add_(beta[:, None, None])
        x = energy.sqrt_().mul_(x).mul_(scale).add_(0.5).floor_()
        return x.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT)


def _convolve(x: Tensor, weight: Tensor, g: Geometry) -> Tensor:
    """A convolution, on a GPU as a plain product of matrices: cuDNN might take an FFT, which needs a proof.

    There it is called by its operator: the switch for cuDNN is one for the whole process and all threads.
    """
    if not x.is_cuda:
        if g.transposed:
            return F.conv_transpose2d(x, weight, None, g.stride, g.padding, g.output_padding)
        return F.conv2d(x, weight, None, g.stride, g.padding)
    kernel, stride, padding = list(weight.shape[2:]), [g.stride] * 2, [g.padding] * 2
    if g.transposed:
        extra = [g.output_padding] * 2
        return torch.ops.aten.slow_conv_transpose2d(x, weight, kernel, None, stride, padding, extra)
    return torch.ops.aten.thnn_conv2d(x, weight, kernel, None, stride, padding)


def leaky(x: Tensor, slope: int) -> Tensor:
    """Leaky ReLU with slope 2**-slope on integers in float64, rounded."""
    return torch.maximum(x, (x * 2.0**-slope).round_())


def activate_integers(x: Tensor) -> Tensor:
    """`layers.convolution.activate` of a sum of activations, clamped to what one of them can be."""
    return leaky(x.clamp(-ACTIVATION_LIMIT, ACTIVATION_LIMIT), LEAK)
