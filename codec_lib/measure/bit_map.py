"""Where in a picture the bytes of its file went.

    bits = bit_map(cl.encode(photo, quality=4))  # (H / 16, W / 16), a sum for each place

A place is what all channels hold of one square of pixels. Its bits follow from the file alone: the latents
are decoded, and the walk that decoded them is taken once more, now with the price of each symbol.
"""

import numpy as np

from codec_lib import stages
from codec_lib.torch_settings import reproducible


def bit_map(data: bytes) -> np.ndarray:
    """Return -log2 p of the latents of a file, summed over the channels, float64 (h, w).

    The sum of all places is the length of section "y" in bits, but for what the coder adds.

    Args:
        data: a file of a model whose prior can say it: the flagship and others with a context.

    Raises:
        ValueError: a file of another model. BitstreamError: as `codec_lib.decode` does.
    """
    staged = stages.read(data)
    header, sections = staged.header, staged.take(staged.check(None))
    with reproducible("cpu"):
        bits = staged.trained.model.bit_map(sections, header.value, header.height, header.width)
    if bits is None:
        raise ValueError(f"model: {header.model}; its prior knows no bits of a place")
    return bits
