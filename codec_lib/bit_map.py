"""Where in a picture the bytes of its file went.

    bits = bit_map(cl.encode(photo, quality=4))  # (H / 16, W / 16), a sum for each place

A place is what all channels hold of one square of pixels. Its bits follow from the file alone: the latents
are decoded, and the walk that decoded them is taken once more, now with the price of each symbol.
"""

import numpy as np
import torch

from codec_lib import stages
from codec_lib.entropy import pmf
from codec_lib.exact.fixed_point import FRACTION_BITS
from codec_lib.models.base import TransformCodec
from codec_lib.priors.context import ContextPrior, ContextWalk


@torch.inference_mode()
def bit_map(data: bytes) -> np.ndarray:
    """Return -log2 p of the latents of a file, summed over the channels, float64 (h, w).

    The sum of all places is the length of section "y" in bits, but for what the coder adds.

    Args:
        data: a file of a model whose prior is a `ContextPrior`, such as the flagship.

    Raises:
        ValueError: a file of another model. BitstreamError: as `codec_lib.decode` does.
    """
    staged = stages.read(data)
    codec, header = staged.trained.model, staged.header
    if not (isinstance(codec, TransformCodec) and isinstance(codec.prior, ContextPrior)):
        raise ValueError(f"model: {header.model}; allowed are those whose prior is a ContextPrior")
    prior, sections = codec.prior, staged.take(staged.check(None))
    decoded = codec.read(sections, header.value, header.height, header.width)
    latents, tables = decoded["y"][0], prior.frozen.tables("y")
    walk = ContextWalk(prior.order, prior.frozen, decoded["z"], latents.shape)
    flat = latents.flatten(1)
    bits = np.zeros(flat.shape[1])
    for places in walk.places():
        mu, index = walk.distribution(places)
        symbol = (flat[:, places] - mu.to(torch.int32)) >> FRACTION_BITS
        walk.put(places, symbol, mu)
        cost = pmf.surprise(symbol.flatten().numpy(), index.flatten().numpy(), tables)
        bits[places.numpy()] = cost.reshape(symbol.shape).sum(0)
    return bits.reshape(latents.shape[1:])
