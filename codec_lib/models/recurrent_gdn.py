r"""The recurrent codec of Islam et al.: divisive normalization at the outer end of each network.

    E:  conv 3 -> N, GDN, three cells, B              D:  conv 32 -> M, inverse GDN, four cells, conv, tanh

The article has one of each, where `Recurrent` has tanh. Without one of them nothing stands in its place, as
in the code that the authors began with. (Parts of the article speak of a "pixel RNN" and of 38 bits a tile.
Its code has no pixel RNN and 32 bits.)

Source: Islam, Dang, Lee, Moon, "Image compression with recurrent neural network and generalized divisive
normalization", CVPR Workshops 2021.
"""

from torch import nn

from codec_lib.layers.gdn import GDN
from codec_lib.models.iterative import IterativeCodec
from codec_lib.models.recurrent import Gain, networks


class RecurrentGDN(IterativeCodec):
    """gdn, igdn, 0 or 1: which of the two normalizations it has.

    The article's cells are LSTMs, cell 0; those of the default learn faster.
    """

    def __init__(self, N: int = 12, M: int = 272, K: int = 64, gdn: int = 1, igdn: int = 1, cell: int = 1):
        of_encoder = GDN(N) if gdn else nn.Identity()
        of_decoder = GDN(M, inverse=True) if igdn else nn.Identity()
        encoder, decoder = networks(N, M, cell, of_encoder, of_decoder)
        super().__init__(
            {"N": N, "M": M, "K": K, "gdn": gdn, "igdn": igdn, "cell": cell},
            encoder,
            decoder,
            scheme="scaled",
            gain=Gain(N),
        )
