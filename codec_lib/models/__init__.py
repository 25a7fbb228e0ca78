"""One file for each published system, in the letters of its paper.

`MODELS` is the register: a model that is not in it cannot be trained or loaded. The name is that of the
architecture, as weights record it; files of pictures record the name of the weights.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codec_lib.models.base import Model

DEFAULT = "flagship"  # the weights that encode unless others are asked for
MODELS = {
    "flagship": "codec_lib.models.flagship:Flagship",
    "context": "codec_lib.models.context:Context",
    "checkerboard": "codec_lib.models.context:Checkerboard",
    "hyperprior": "codec_lib.models.scale_hyperprior:ScaleHyperprior",
    "factorized": "codec_lib.models.factorized_prior:FactorizedPrior",
    "autoencoder": "codec_lib.models.compressive_autoencoder:CompressiveAutoencoder",
    "near-lossless": "codec_lib.models.near_lossless:NearLossless",
    "recurrent": "codec_lib.models.recurrent:Recurrent",
    "primed": "codec_lib.models.primed:Primed",
    "recurrent-gdn": "codec_lib.models.recurrent_gdn:RecurrentGDN",
    "importance-map": "codec_lib.models.importance_map:ImportanceMap",
    "conditional-probability": "codec_lib.models.conditional_probability:ConditionalProbability",
    "tucodec": "codec_lib.models.tucodec:Tucodec",
    "pyramid": "codec_lib.models.pyramid:Pyramid",
    "fitted": "codec_lib.models.fitted:Fitted",
    "codec-in-the-loop": "codec_lib.models.codec_in_the_loop:CodecInTheLoop",
}


def architecture(name: str) -> "type[Model]":
    """The class of an architecture; ValueError for a name that is not in `MODELS`."""
    if name not in MODELS:
        raise ValueError(f"model: {name!r}; there are {', '.join(MODELS)}")
    module, _, class_name = MODELS[name].partition(":")
    return getattr(import_module(module), class_name)
