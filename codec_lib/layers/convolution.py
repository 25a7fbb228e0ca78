"""Strided convolutions in the two shapes every transform here is made of."""

from torch import nn


def conv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2, bias: bool = True):
    """Convolution that maps (B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=bias)


def deconv(inputs: int, outputs: int, kernel: int = 5, stride: int = 2, bias: bool = True):
    """Transposed convolution that maps (B, inputs, H, W) to (B, outputs, H * stride, W * stride)."""
    return nn.ConvTranspose2d(
        inputs, outputs, kernel, stride, kernel // 2, output_padding=stride - 1, bias=bias
    )
