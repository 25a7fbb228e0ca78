r"""The codec to use: one network for every rate, made for quality per multiplication.

    x --unshuffle 8--> blocks at 1/8 --unshuffle 2--> blocks at 1/16 --> y --*m--> Q --> y_hat
    x_hat <--shuffle 8-- blocks at 1/8 <--shuffle 2-- blocks at 1/16 <--*m'-- y_hat

Convolutions at full size take most of the time of a codec like the hyperprior and hold the fewest
channels. Here 8x8 pixels become channels first, and everything happens at an eighth of the size, in plain
residual blocks without GDN: divisive normalisation costs a 1x1 convolution and a square root at each size,
and deeper networks of plain blocks do without. At 1/16 the blocks, and the context of the prior, see only
the first WIDE of M channels: the others are fine detail, which high rates need and which nothing predicts.
The prior is a `ContextPrior` in two steps; the encoder weighs the bits of each symbol against its error.

Training begins with a DCT of 8x8 blocks and Haar's transform of four of them, with blocks that do next to
nothing: as a JPEG of sorts with a learned prior.

Sources: He et al., "ELIC", CVPR 2022 (residual blocks instead of GDN); Cui et al., CVPR 2021 (gain units).
"""

import torch
from torch import nn

from codec_lib.density import gaussian
from codec_lib.density.shapes import HEAVY_TAILED
from codec_lib.layers.affine import UNIT, Affine
from codec_lib.layers.convolution import weight_and_bias
from codec_lib.layers.dct import BLOCK, block_transform, pair_transform
from codec_lib.layers.residual import PartialResidualBlock
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.checkerboard import CheckerboardPrior
from codec_lib.quantize import RateDistortionQuantizer

OUTER_BLOCKS, INNER_BLOCKS = 3, 2  # at 1/8 and at 1/16 of the size
WIDE = 192  # channels at 1/16 that blocks and contexts see, the lowest frequencies at the start
DISTORTION_WEIGHT = 15.0  # bits that a squared step of a latent is worth to the encoder
SHRINKAGE = 0.17  # steps by which what stands for a symbol, the mean of its bin, is closer to zero
INITIAL_GAIN = 1.25  # of quality 4


class Flagship(TransformCodec):
    """N channels at an eighth of the size, M of latents."""

    prior: CheckerboardPrior
    outer = None
    band_rows = 512  # each band needs 64 more on either side

    def __init__(self, N: int = 128, M: int = 320):
        wide = min(M, WIDE)
        shape = HEAVY_TAILED
        quantizer = RateDistortionQuantizer(gaussian.costs(shape), DISTORTION_WEIGHT, SHRINKAGE)
        prior = CheckerboardPrior(M, seen=wide, shape=shape, quantizer=quantizer)
        g_a = nn.Sequential(
            Affine(UNIT, -UNIT / 2),
            nn.PixelUnshuffle(BLOCK), nn.Conv2d(3 * BLOCK**2, N, 1),
            *(PartialResidualBlock(N) for _ in range(OUTER_BLOCKS)),
            nn.PixelUnshuffle(2), nn.Conv2d(4 * N, M, 1),
            *(PartialResidualBlock(wide) for _ in range(INNER_BLOCKS)),
            nn.Conv2d(M, M, 1),
        )  # fmt: skip
        g_s = nn.Sequential(
            nn.Conv2d(M, M, 1),
            *(PartialResidualBlock(wide) for _ in range(INNER_BLOCKS)),
            nn.Conv2d(M, 4 * N, 1), nn.PixelShuffle(2),
            *(PartialResidualBlock(N) for _ in range(OUTER_BLOCKS)),
            nn.Conv2d(N, 3 * BLOCK**2, 3, padding=1), nn.PixelShuffle(BLOCK),
            Affine(1 / UNIT, 0.5),
        )  # fmt: skip
        super().__init__(g_a, prior, g_s, INITIAL_GAIN, N=N, M=M)
        self._start_as_a_block_transform(N, M)

    @torch.no_grad()
    def _start_as_a_block_transform(self, N: int, M: int) -> None:
        blocks, frequency = block_transform(N)
        pairs = pair_transform(frequency, M)
        centre = torch.zeros(3, 3)
        centre[1, 1] = 1
        last = weight_and_bias(self.g_s[-3])[0] * 0.1 + blocks.T[:, :, None, None] * centre
        starts = {
            self.g_a[2]: blocks, self.g_a[OUTER_BLOCKS + 4]: pairs, self.g_a[-1]: torch.eye(M),
            self.g_s[0]: torch.eye(M), self.g_s[INNER_BLOCKS + 1]: pairs.T, self.g_s[-3]: last,
        }  # fmt: skip
        for layer, weight in starts.items():
            own, bias = weight_and_bias(layer)
            own.copy_(weight if weight.ndim == 4 else weight[:, :, None, None])
            bias.zero_()
