r"""Symbols that say most about a block, one after the other: where transforms with learned centres begin.

A symbol is what a quantizer q makes of one coefficient, shifted and scaled. Of all such symbols

    s = q((h_k / sigma_k - t) g),    coefficient k, shift t, gain g

the one is taken that explains most of what is left of all coefficients, r, by d = E[r s] / E[s^2]; then r
becomes r - d s, and the next one is looked for. Any number of first symbols is a code by itself.

Source: Mallat and Zhang, "Matching pursuits with time-frequency dictionaries", IEEE Transactions on Signal
Processing 1993.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from codec_lib.layers.convolution import weight_and_bias

SHIFTS = 0.0, 0.5, -0.5  # in standard deviations
GAINS = 0.4, 0.7, 1.2, 2.0, 4.0, 8.0
SEEN = 16384  # places at most
LEAST = 1e-3  # standard deviation
RANDOM = 0.1  # of what the layers began with is left


@torch.no_grad()
def start(encoder: nn.Sequential, decoder: nn.Sequential, x: Tensor, q: Callable, count: int) -> None:
    """Let two transforms of `block_transform` begin with the best `count` symbols of the blocks of x.

    q maps a tensor to the values of its symbols. Of the encoder's outputs the first `count` are shifted
    and scaled coefficients.
    """
    h = encoder[:-1](x).movedim(1, -1).flatten(0, 2)
    h = h[torch.randperm(len(h), device=h.device)[:SEEN]]
    into, shift = weight_and_bias(encoder[-1])
    out = weight_and_bias(decoder[0])[0]
    for weight in (into, out):
        weight.mul_(RANDOM)
        weight[:, :, 1, 1] = 0.0
    for j, (k, gain, offset, d) in enumerate(pursue(h, q, count)):
        into[j, k, 1, 1], shift[j] = gain, offset
        out[:, j, 1, 1] = d


def pursue(h: Tensor, q: Callable[[Tensor], Tensor], count: int) -> list[tuple[int, float, float, Tensor]]:
    """For each symbol q(gain h_k + offset) of h (S, K): k, gain, offset, and d (K,)."""
    sigma = h.std(0).clamp(min=LEAST)  # grey pictures have no colours
    choices = [(gain, -gain * shift) for gain in GAINS for shift in SHIFTS]
    symbols = torch.cat([q(h / sigma * gain + offset) for gain, offset in choices], 1)  # (S, choices K)
    energy = symbols.square().sum(0).clamp(min=1.0)
    left, chosen = h.clone(), []
    for _ in range(count):
        alike = left.T @ symbols
        best = int((alike.square().sum(0) / energy).argmax())
        d = alike[:, best] / energy[best]
        left -= symbols[:, best, None] * d
        (gain, offset), k = choices[best // h.shape[1]], best % h.shape[1]
        chosen.append((k, gain / sigma[k].item(), offset, d))
    return chosen
