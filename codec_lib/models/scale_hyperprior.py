r"""The scale hyperprior codec: GDN transforms, and a second latent that says how large the first one is.

         x --> g_a --> y --*m--> Q --> y_hat --*m'--> g_s --> x_hat
                           |           ^  N(0, sigma^2)
                          |.|          |
                           v           |
                          h_a --> z --> Q --> z_hat --> h_s --> sigma

m and m' are the gain vectors of the quality. What z is for, and how both are coded, is in `HyperPrior`.

Source: Balle, Minnen, Singh, Hwang, Johnston, "Variational image compression with a scale hyperprior",
ICLR 2018, figure 4. Gain units: Cui et al., CVPR 2021.
"""

from torch import nn

from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.gdn import GDN
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.hyper import HyperPrior


def gdn_transforms(N: int, M: int) -> tuple[nn.Sequential, nn.Sequential]:
    """g_a and g_s with N channels inside and M channels of latents at a sixteenth of the size."""
    g_a = nn.Sequential(
        conv(3, N), GDN(N),  # (B, N, H/2, W/2)
        conv(N, N), GDN(N),  # (B, N, H/4, W/4)
        conv(N, N), GDN(N),  # (B, N, H/8, W/8)
        conv(N, M),  # (B, M, H/16, W/16)
    )  # fmt: skip
    g_s = nn.Sequential(
        deconv(M, N), GDN(N, inverse=True),
        deconv(N, N), GDN(N, inverse=True),
        deconv(N, N), GDN(N, inverse=True),
        deconv(N, 3),
    )  # fmt: skip
    return g_a, g_s


class ScaleHyperprior(TransformCodec):
    """Balle 2018 with N channels inside, M channels of latents, and gain units."""

    def __init__(self, N: int = 64, M: int = 256):
        g_a, g_s = gdn_transforms(N, M)
        super().__init__(g_a, HyperPrior(N, M), g_s, initial_gain=4.0, N=N, M=M)
