r"""The factorized prior: the first end-to-end trained codec that beat JPEG 2000.

            9x9/4        5x5/2        5x5/2
    x --> conv GDN --> conv GDN --> conv --> y      y at 1/16 of the picture, M channels
    x_hat <-- deconv <-- IGDN deconv <-- IGDN deconv <-- y_hat

Every latent is coded under the density of its channel, whatever its neighbours are.

Source: Balle, Laparra, Simoncelli, "End-to-end optimized image compression", ICLR 2017
(transforms); density: Balle et al., ICLR 2018, appendix 6.1.
"""

from torch import nn

from codec_lib.density.factorized import FactorizedDensity
from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.gdn import GDN
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.channel import ChannelPrior


class FactorizedPrior(TransformCodec):
    """Balle 2017 with N channels inside, M channels of latents, and gain units."""

    def __init__(self, N: int = 96, M: int = 256):
        g_a = nn.Sequential(
            conv(3, N, kernel=9, stride=4), GDN(N),  # (B, N, H/4, W/4)
            conv(N, N), GDN(N),  # (B, N, H/8, W/8)
            conv(N, M, bias=False),  # (B, M, H/16, W/16)
        )  # fmt: skip
        g_s = nn.Sequential(
            deconv(M, N), GDN(N, inverse=True),
            deconv(N, N), GDN(N, inverse=True),
            deconv(N, 3, kernel=9, stride=4),
        )  # fmt: skip
        prior = ChannelPrior(M, FactorizedDensity(M))
        super().__init__(g_a, prior, g_s, initial_gain=4.0, N=N, M=M)
