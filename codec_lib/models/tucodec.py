r"""The CLIC 2018 winner: a Laplace hyperprior, features of three sizes, a filter behind the decoder.

    x --> 1/4 --> 1/8 --> 1/16
           |       |        v                           all three brought to 1/16 and added
           '-------+-------(+)--> y --> HyperPrior, Laplace --> y_hat --> g_s --> filter --> x_hat

Little of that system is public: an abstract, and four phrases of a talk. What they say is here; the rest is
that of the scale hyperprior. Its fourth part, settings for a set of pictures that has a budget, is
`codec_lib.search.allocate`.

Source: Zhou, Cai, Gao, Su, Wu, "Variational autoencoder for low bit-rate image compression", CVPR Workshops
2018.
"""

import torch
from torch import Tensor, nn

from codec_lib.density.shapes import LAPLACE
from codec_lib.layers.convolution import SLOPE, conv, deconv, start_small
from codec_lib.layers.gdn import GDN
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.hyper import HyperPrior

PLACES = {  # of a scale hyperprior's layers in here
    "g_a.4.": "g_a.4.halve.0.",
    "g_a.5.": "g_a.4.halve.1.",
    "g_a.6.": "g_a.4.again.",
}


class Fusion(nn.Module):
    """Maps features at 1/4, (B, N, H/4, W/4), to M channels at 1/16: from these and two smaller sizes."""

    def __init__(self, N: int, M: int):
        super().__init__()
        self.halve = nn.Sequential(conv(N, N), GDN(N))
        self.again = conv(N, M)
        self.from_4 = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(16 * N, N // 2, 1))
        self.from_8 = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * N, N // 2, 1))
        self.together = nn.Conv2d(N, M, 1)
        start_small(self.together)

    def forward(self, x: Tensor) -> Tensor:
        at_8 = self.halve(x)
        return self.again(at_8) + self.together(torch.cat((self.from_4(x), self.from_8(at_8)), 1))


class PostFilter(nn.Module):
    """x + what two convolutions add to a decoded picture, K channels; it begins close to doing nothing."""

    reach = 2

    def __init__(self, K: int):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(3, K, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(K, 3, 3, padding=1)
        )
        start_small(self.branch[-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class Tucodec(TransformCodec):
    """N channels inside, M channels of latents, K in the filter, and gain units."""

    outer = 4

    def __init__(self, N: int = 64, M: int = 160, K: int = 16):
        g_a = nn.Sequential(conv(3, N), GDN(N), conv(N, N), GDN(N), Fusion(N, M))
        g_s = nn.Sequential(
            deconv(M, N), GDN(N, inverse=True),
            deconv(N, N), GDN(N, inverse=True),
            deconv(N, N), GDN(N, inverse=True),
            deconv(N, 3), PostFilter(K),
        )  # fmt: skip
        super().__init__(g_a, HyperPrior(N, M, LAPLACE), g_s, initial_gain=4.0, N=N, M=M, K=K)

    def start_from(self, other: nn.Module) -> None:
        """The same, or of a scale hyperprior of these widths: all else begins close to doing nothing."""
        if isinstance(other, Tucodec):
            return super().start_from(other)
        self.take_from({place_of(name): value for name, value in other.state_dict().items()})


def place_of(name: str) -> str:
    """Where a parameter of a scale hyperprior is in this codec.

    >>> place_of("g_a.4.weight"), place_of("g_a.0.weight")
    ('g_a.4.halve.0.weight', 'g_a.0.weight')
    """
    for old, new in PLACES.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
