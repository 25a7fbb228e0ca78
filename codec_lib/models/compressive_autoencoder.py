r"""The compressive autoencoder: residual blocks, honest rounding, a mixture of Gaussians.

    x --> conv 5x5/2 --> conv 5x5/2 --> 3 residual blocks --> conv 5x5/2 --> y   (1/8 of the picture)
    x_hat <-- subpixel <-- subpixel <-- 3 residual blocks <-- subpixel <-- y_hat

Rounding is real in the forward pass and the identity in the backward pass. Up-sampling is by sub-pixel
convolution: a 3x3 convolution to four times the channels, which are then laid out as 2x2 pixels. The
paper's scale vectors, which give several rates from one network, are the gain units of this library.

Source: Theis, Shi, Cunningham, Huszar, "Lossy image compression with compressive autoencoders",
ICLR 2017, figure 2. Widths here are arguments; the paper's are 64, 128, 96.
"""

from torch import Tensor, nn

from codec_lib.density.scale_mixture import GaussianScaleMixture
from codec_lib.layers.convolution import conv
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.channel import ChannelPrior

SLOPE = 0.2  # of leaky ReLUs where x < 0: this library's


class ResidualBlock(nn.Module):
    """x + conv(leaky(conv(x))), 3x3, same shape."""

    reach = 2  # rows on either side that a row depends on

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(
            conv(channels, channels, kernel=3, stride=1),
            nn.LeakyReLU(SLOPE),
            conv(channels, channels, kernel=3, stride=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def subpixel(inputs: int, outputs: int) -> nn.Module:
    """Double both sides: (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
    return nn.Sequential(conv(inputs, 4 * outputs, kernel=3, stride=1), nn.PixelShuffle(2))


class CompressiveAutoencoder(TransformCodec):
    """Theis 2017 with widths N (at 1/2), 2 N (at 1/4) and M latents (at 1/8), and gain units."""

    downsampling = 8

    def __init__(self, N: int = 32, M: int = 64):
        g_a = nn.Sequential(
            conv(3, N), nn.LeakyReLU(SLOPE),  # (B, N, H/2, W/2)
            conv(N, 2 * N), nn.LeakyReLU(SLOPE),  # (B, 2N, H/4, W/4)
            *(ResidualBlock(2 * N) for _ in range(3)),
            conv(2 * N, M),  # (B, M, H/8, W/8)
        )  # fmt: skip
        g_s = nn.Sequential(
            subpixel(M, 2 * N),
            *(ResidualBlock(2 * N) for _ in range(3)),
            subpixel(2 * N, N), nn.LeakyReLU(SLOPE),
            subpixel(N, 3),
        )  # fmt: skip
        prior = ChannelPrior(M, GaussianScaleMixture(M))
        super().__init__(g_a, prior, g_s, initial_gain=4.0, N=N, M=M)
