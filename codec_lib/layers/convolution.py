"""Strided convolutions in the two shapes every transform here is made of."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 3
SLOPE = 2.0**-LEAK  # of leaky ReLUs, unless a paper has another; integers are shifted by LEAK
FEW_OUTPUTS = 8  # with so few a transposed convolution keeps most of a processor's lanes idle


def conv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2, bias: bool = True) -> nn.Conv2d:
    """Convolution that maps (B, inputs, H, W) to (B, outputs, H / stride, W / stride); kernel is odd."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)


def deconv(
    inputs: int, outputs: int, kernel: int = 5, stride: int = 2, bias: bool = True
) -> "Deconvolution":
    """Transposed convolution that maps (B, inputs, H, W) to (B, outputs, H * stride, W * stride).

    kernel is odd.
    """
    return Deconvolution(inputs, outputs, kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias)


class Deconvolution(nn.ConvTranspose2d):
    """nn.ConvTranspose2d that, for few outputs and outside of training, is a sub-pixel convolution.

    Output pixel (s i + a, s j + c) sees the same neighbours of input pixel (i, j) whatever i and j
    are, so every phase (a, c) is an output channel of one ordinary convolution on the input's grid.
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # no other size than the usual one
        if self.out_channels > FEW_OUTPUTS or torch.is_grad_enabled():
            return super().forward(x)
        weight, radius = subpixel_weight(self.weight, self.stride[0])
        phases = F.conv2d(x, weight, padding=radius)
        x = F.pixel_shuffle(phases, self.stride[0])
        return x if self.bias is None else x.add_(self.bias[:, None, None])


def weight_and_bias(layer: object) -> tuple[Tensor, Tensor]:
    """The parameters of a convolution that has a bias; TypeError for anything else."""
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) or layer.bias is None:
        raise TypeError(f"layer: {layer}, allowed is a convolution with a bias")
    return layer.weight, layer.bias


def activation() -> nn.LeakyReLU:
    """The leaky ReLU of networks that become integers (`codec_lib.exact`), and of most others here."""
    return nn.LeakyReLU(SLOPE)


def activate(x: Tensor) -> Tensor:
    """The same of a tensor, where it follows a sum."""
    return F.leaky_relu(x, SLOPE)


@torch.no_grad()
def of_row(weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """A 1 x 1 convolution with weights (outputs, ...) for inputs that were gathered into a row."""
    weight = weight.flatten(1)[:, :, None, None]
    layer = nn.Conv2d(weight.shape[1], len(weight), 1, bias=bias is not None)
    layer.weight.copy_(weight)
    if layer.bias is not None and bias is not None:
        layer.bias.copy_(bias)
    return layer


@torch.no_grad()
def start_small(layer: nn.Module) -> None:
    """Let a branch that ends in this layer begin close to doing nothing."""
    for parameter in layer.parameters():
        parameter.mul_(0.1)


def subpixel_weight(weight: Tensor, stride: int) -> tuple[Tensor, int]:
    """Weights (outputs * stride^2, inputs, 2r + 1, 2r + 1) of the equal convolution, and its r.

    weight is (inputs, outputs, k, k) of a transposed convolution with padding k // 2, k odd. Its tap t
    takes input i to output s i + t - k // 2, so output s i + a takes input i + d with t = a + k // 2 - s d.
    """
    inputs, outputs, kernel, _ = weight.shape
    radius = -(-(kernel // 2) // stride)
    taps = torch.arange(stride)[:, None] + kernel // 2 - stride * torch.arange(-radius, radius + 1)
    inside = (taps >= 0) & (taps < kernel)  # (a, d)
    chosen = weight[:, :, taps.clamp(0, kernel - 1)] * inside[:, :, None].to(weight)  # (i, o, a, d, k)
    chosen = chosen[..., taps.clamp(0, kernel - 1)] * inside.to(weight)  # (i, o, a, d, c, e)
    phases = chosen.permute(1, 2, 4, 0, 3, 5)  # (o, a, c, i, d, e)
    return phases.reshape(outputs * stride**2, inputs, 2 * radius + 1, 2 * radius + 1), radius
