r"""Latents predicted from their neighbours: the hyperprior with means and a context model.

    x --> g_a --> y --*m--> prior --> y_hat --*m'--> g_s --> x_hat

The hyperprior says how large a latent is; neighbours that are decoded already also say, better, what it
is. `Context` decodes on slanted lines, as a raster scan would, but many places at a time; `Checkerboard`
in two steps. The transforms are those of `ScaleHyperprior`. All that a prior does is in `codec_lib.priors`.

Sources: Minnen, Balle, Toderici, NeurIPS 2018 (table 1); He et al., CVPR 2021.
"""

from torch import nn

from codec_lib.models.scale_hyperprior import ScaleHyperprior, gdn_transforms
from codec_lib.models.transform import TransformCodec
from codec_lib.priors.checkerboard import CheckerboardPrior
from codec_lib.priors.context import ContextPrior
from codec_lib.priors.slanted import SlantedPrior


class ContextCodec(TransformCodec):
    """The hyperprior's transforms with N channels inside and M of latents; subclasses say which prior."""

    prior_of: type[ContextPrior]

    def __init__(self, N: int = 64, M: int = 256):
        g_a, g_s = gdn_transforms(N, M)
        super().__init__(g_a, self.prior_of(M), g_s, initial_gain=4.0, N=N, M=M)

    def start_from(self, other: nn.Module) -> None:
        """Begin with another such model, or with the transforms and gains of a `ScaleHyperprior`."""
        if not isinstance(other, ScaleHyperprior):
            return super().start_from(other)
        for part in ("g_a", "g_s", "gain"):
            getattr(self, part).load_state_dict(getattr(other, part).state_dict())


class Context(ContextCodec):
    """Minnen 2018: contexts as in a raster scan."""

    prior_of = SlantedPrior


class Checkerboard(ContextCodec):
    """He 2021: two steps."""

    prior_of = CheckerboardPrior
