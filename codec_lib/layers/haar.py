r"""Haar's transform of growing blocks as the weights of convolutions: where recurrent codecs begin.

Each layer turns four places into one, C channels into 4 C: their mean, and differences across, down and
along both. Layer upon layer this splits blocks of 2, 4, 8, 16 pixels into finer frequencies (a packet).
Of each layer's channels only those of the lowest frequencies are kept.

>>> [tuple(rows.shape) for rows in haar_packet([12, 48])]
[(12, 3, 2, 2), (48, 12, 2, 2)]

Source: Coifman and Wickerhauser, IEEE Transactions on Information Theory 1992 (packets).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

OF_COLOURS = 2.5, 3.0  # frequencies of colour differences count so many times, and so much more


def haar_packet(widths: Sequence[int]) -> list[Tensor]:
    """For each layer the rows (width, channels before, 2, 2) of its transform.

    The first layer's input is brightness and two differences of colours. A mean stays a mean, so that going
    back is 4 times the transpose. Channels are in the order of their frequencies.
    """
    sign = torch.tensor([[1.0, 1], [1, -1]]) / 2
    place, is_colour, rows = torch.zeros(3, 2), torch.tensor([0.0, 1, 1]), []
    frequency = OF_COLOURS[1] * is_colour
    for width in widths:
        count = len(place)
        turned = torch.einsum("ab,ui,vj->auvbij", torch.eye(count), sign, sign).reshape(-1, count, 2, 2)
        finer = 2 * place[:, None] + torch.cartesian_prod(torch.arange(2), torch.arange(2))
        finer, is_colour = finer.flatten(0, 1), is_colour.repeat_interleave(4)
        times, more = OF_COLOURS
        frequency = finer.norm(dim=1) * torch.where(is_colour > 0, times, 1.0) + more * is_colour
        kept = frequency.argsort(stable=True)[:width]
        rows.append(turned[kept])
        place, is_colour, frequency = finer[kept], is_colour[kept], frequency[kept]
    return rows
