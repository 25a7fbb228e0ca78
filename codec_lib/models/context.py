r"""Latents predicted from their neighbours: the hyperprior with means and a context model.

    x --> g_a --> y --*m--> prior --> y_hat --*m'--> g_s --> x_hat

The hyperprior says how large a latent is; neighbours that are decoded already also say, better, what it
is. `Context` decodes on slanted lines, as a raster scan would, but many places at a time; `Checkerboard`
in two steps. The transforms are those of `ScaleHyperprior`. All that a prior does is in `ContextPrior`.

Sources: Minnen, Balle, Toderici, NeurIPS 2018 (table 1); He et al., CVPR 2021.
"""

import torch
from torch import Tensor, nn

from codec_lib.fixed_point import FRACTION_BITS
from codec_lib.layers.gain import GainUnit
from codec_lib.layers.order import CHECKERBOARD, SLANTED
from codec_lib.models.base import LossyModel, Output, Streams, pad
from codec_lib.models.context_prior import ContextCoder, ContextPrior
from codec_lib.models.scale_hyperprior import ScaleHyperprior, gdn_transforms


class ContextModel(LossyModel):
    """Base: subclasses set `g_a` and `g_s`, from pictures to a sixteenth of their size and back."""

    stride = 64
    unit = 2.0**-FRACTION_BITS

    def __init__(self, prior: ContextPrior, initial_gain: float):
        super().__init__()
        self.M, self.prior = prior.M, prior
        self.gain = GainUnit(prior.M, initial_gain)

    def forward(self, x: Tensor, quality: Tensor) -> Output:
        gain, inverse = self.gain(quality)
        y_hat, bits = self.prior(self.g_a(x).float() * gain)
        if self.training and self._is_prior_alone():
            return Output(x, bits)
        return Output(self.g_s(y_hat * inverse).float(), bits)

    def _is_prior_alone(self) -> bool:
        """Whether nothing but the prior is trained: no picture depends on that, so none has to be made."""
        trained = {name.split(".")[0] for name, p in self.named_parameters() if p.requires_grad}
        return trained == {"prior"}

    def freeze(self) -> "ContextModel":
        self.tables, self.networks = self.prior.freeze()
        return self

    @torch.inference_mode()
    def compress(self, x: Tensor, quality: float) -> Streams:
        gain, _ = self.gain(self.quality_tensor(quality))
        y = self.analyze(pad(x, self.stride)) * gain
        return self._coder().encode(y, self.prior.h_a(y).round_())

    @torch.inference_mode()
    def read(self, streams: Streams, quality: float, height: int, width: int) -> dict[str, Tensor]:
        shape = (1, self.prior.H, *self.grid(height, width, 64))
        return self._coder().decode(streams, shape, self.gain.log_gain.device)

    def _coder(self) -> ContextCoder:
        return ContextCoder(self.prior.order, self.tables, self.networks, self.prior.quantizer)


class Context(ContextModel):
    """Minnen 2018 with N channels inside, M of latents: contexts as in a raster scan."""

    order = SLANTED

    def __init__(self, N: int = 64, M: int = 256):
        super().__init__(ContextPrior(M, order=self.order), 4.0)
        self.N = N
        self.g_a, self.g_s = gdn_transforms(N, M)

    def start_from(self, other: nn.Module) -> None:
        """Begin with another such model, or with the transforms and gains of a `ScaleHyperprior`."""
        if not isinstance(other, ScaleHyperprior):
            return super().start_from(other)
        for part in ("g_a", "g_s", "gain"):
            getattr(self, part).load_state_dict(getattr(other, part).state_dict())


class Checkerboard(Context):
    """The same with the two steps of He 2021."""

    order = CHECKERBOARD
