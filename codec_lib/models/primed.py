r"""The recurrent codec of Johnston et al.: memory that is not empty at first, bits where they are missed.

Priming: before the first iteration counts, both networks run k times on its input: the encoder on the
picture, the decoder on the first bits. What they put out is thrown away, what they remember is kept. It
costs time and no bits. Diffusion does the same before every iteration.

    iteration 1    E(r_0) k + 1 times   -->  b_1   -->  D(b_1) k + 1 times
    iteration t    E(r_(t-1)) once, with diffusion k + 1 times  -->  b_t  -->  D(b_t) as often

Spatially adaptive bit rate: a tile that is good enough sends no more bits. A map, coded in the first
stage, says how many iterations each tile has. (The paper stops tiles after training. Here both networks are
trained with tiles that stop, so that they know what 0 instead of a bit means.)

Loss: |x - x_hat|, weighted by how little the structure of each 8 x 8 tile is preserved (`structure_error`).

Source: Johnston et al., "Improved lossy image compression with priming and spatially adaptive bit rates for
recurrent networks", CVPR 2018.
"""

from torch import nn

from codec_lib.models.iterative import IterativeCodec
from codec_lib.models.recurrent import Gain, networks


class Primed(IterativeCodec):
    """Networks as in `Recurrent`, of convolutional GRU unless `cell` says otherwise.

    k: how often both run beforehand; diffusion, 0 or 1: whether they do so in every iteration.
    """

    def __init__(
        self, N: int = 12, M: int = 272, K: int = 64, k: int = 3, diffusion: int = 0, cell: int = 1
    ):
        encoder, decoder = networks(N, M, cell, nn.Tanh(), nn.Tanh())
        super().__init__(
            {"N": N, "M": M, "K": K, "k": k, "diffusion": diffusion, "cell": cell},
            encoder,
            decoder,
            scheme="scaled",
            gain=Gain(N),
            repeats=(k, k * diffusion),
            has_tile_map=True,
            error="structure",
        )
