"""One file for each published system, in the letters of its paper."""


def architectures() -> dict[str, type]:
    """The models that can be trained and coded with, by the name they have in a file's header."""
    from codec_lib.models.near_lossless import NearLossless

    return lossy_architectures() | {"near-lossless": NearLossless}


def lossy_architectures() -> dict[str, type]:
    """Those of them that take a quality."""
    from codec_lib.models.compressive_autoencoder import CompressiveAutoencoder
    from codec_lib.models.context import Checkerboard, Context
    from codec_lib.models.factorized_prior import FactorizedPrior
    from codec_lib.models.flagship import Flagship
    from codec_lib.models.scale_hyperprior import ScaleHyperprior

    return {
        "flagship": Flagship,
        "hyperprior": ScaleHyperprior,
        "context": Context,
        "checkerboard": Checkerboard,
        "factorized": FactorizedPrior,
        "autoencoder": CompressiveAutoencoder,
    }
