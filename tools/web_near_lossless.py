"""Weights of the near-lossless codec for the page: what its decoder needs, all of it integers.

The file is like those of `tools.web_weights`, which also writes it; its magic is "CLN3", its sizes are N,
M, channels of z, and those of the network that looks at a pixel alone. `web/src/weights.c` reads it in the
order of `decoder`.
"""

import numpy as np

from codec_lib import weights
from codec_lib.entropy.mixture_density import MixtureTables
from codec_lib.exact.order import SLANTED
from codec_lib.priors.residual import TRAINED_TAU
from codec_lib.priors.residual_coder import SURROUND, WINDOW
from tools.web_weights import Arrays, function, integers, pointwise, raw, whole

NAME = "near-lossless"
N, M, C = 64, 256, 96
UPS = "inner.0", "inner.1", "outer.0", "picture.0"  # the layers that double both sides
PIXELWISE = 4  # layers of what looks at a pixel alone


def decoder(arrays: Arrays) -> bytes:
    """All arrays, in the order of `load_near_lossless`."""
    parts = [arrays.tables("z"), arrays.tables("y"), arrays.transposed("h_s.0"), arrays.transposed("h_s.1")]
    parts += [arrays.window("h_s.2"), raw(np.append(arrays.frozen("h_s.thresholds"), np.inf), "<f8")]
    for layer in UPS[:-1]:
        parts += [arrays.transposed(layer), norm(arrays, layer)]
    parts += [arrays.transposed(UPS[-1])]
    parts += [phase(arrays, k) for k in range(4)] + [neighbours(arrays)]
    for network in ("lossless", *(f"corrected.{tau}" for tau in range(1, TRAINED_TAU + 1))):
        parts += [arrays.exact(f"{network}.{k}") for k in range(PIXELWISE)]
    parts += [function(arrays, f"r.{name}") for name in MixtureTables._fields]
    return b"".join(parts)


def norm(arrays: Arrays, layer: str) -> bytes:
    """Inverse GDN as a layer: gamma its weight, beta its bias."""
    gamma, beta, shift = (arrays.frozen(f"{layer}.norm.{part}") for part in ("gamma", "beta", "shift"))
    return integers(gamma.T[None], beta, np.array([0, 1, 0, 0, shift[0], 0]))


def phase(arrays: Arrays, k: int) -> bytes:
    """What features say of one of four pixels."""
    weight, bias, shape = (arrays.frozen(f"features.0.{part}") for part in ("weight", "bias", "shape"))
    mine = slice(k * C, (k + 1) * C)
    return integers(pointwise(weight[mine], 1), bias[mine], shape)


def neighbours(arrays: Arrays) -> bytes:
    """What residuals before a pixel, and x_tilde around it, say: taps first, and colours side by side.

    The library has colour after colour. `gather` in residual.c knows which columns of which rows are seen.
    """
    taps = SLANTED.taps(WINDOW).tolist()
    runs = [[column for row, column in taps if row == k] for k in (-3, -2, -1, 0)]
    assert runs == [list(range(-3, end + 1)) for end in (3, 3, 1, -1)]
    around = 3 * len(taps) + np.arange(3 * SURROUND**2).reshape(3, -1)
    order = np.concatenate((np.arange(3 * len(taps)).reshape(3, -1).T.ravel(), around.T.ravel()))
    weight, bias, shape = (arrays.frozen(f"neighbours.0.{part}") for part in ("weight", "bias", "shape"))
    return integers(pointwise(weight[:, order], 1), bias, shape)


def files() -> dict[str, bytes]:
    """The file, by what it is for."""
    assert weights.load(NAME).model.widths == {"N": N, "M": M, "C": C}
    return {NAME: whole(b"CLN3", NAME, (N, M, N, C), decoder(Arrays(weights.find(NAME))))}
