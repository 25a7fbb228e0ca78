r"""Quantization, and what stands in for it while a network is trained.

Rounding has gradient zero almost everywhere. Three ways around that, all of them here:

* `noise`: y + u with u uniform on [-1/2, 1/2]. The density of y + u, read at the integers, *is* the
  probability of each rounded value, so the rate measured on noise is the rate of rounding.
* `straight_through`: really round, and pretend in the backward pass that nothing happened.
* `soft`: a differentiable mixture of the integers nearby that hardens as the temperature falls.

An encoder need not round to the nearest: `RateDistortionQuantizer` takes the integer that is worth its
bits, and no decoder has to know.

Sources: Balle et al., ICLR 2017 (noise); Theis et al., ICLR 2017 (straight through); Agustsson et al.,
NeurIPS 2017 (soft-to-hard); Sullivan and Wiegand, IEEE Signal Processing Magazine 1998 (rate-distortion
decisions).
"""

import torch
from torch import Tensor, nn


def noise(y: Tensor) -> Tensor:
    """Add uniform noise from [-1/2, 1/2], independently to every element of y."""
    return y + torch.empty_like(y).uniform_(-0.5, 0.5)


def straight_through(y: Tensor) -> Tensor:
    """Round to the nearest integer; the gradient is that of the identity.

    >>> y = torch.tensor([0.4, 1.6], requires_grad=True)
    >>> straight_through(y).sum().backward(); y.grad
    tensor([1., 1.])
    """
    return y + (y.round() - y).detach()


def soft(y: Tensor, temperature: float, reach: int = 2) -> Tensor:
    """The mean of the integers within `reach` of y, weighted by exp(-(y - k)^2 / temperature).

    Approaches rounding as `temperature` (in squared units of y, positive) goes to zero.

    >>> soft(torch.tensor([0.3, 0.45]), temperature=0.05)
    tensor([0.0003, 0.1192])
    """
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}; it must be positive")
    candidates = y.detach().round()[..., None] + torch.arange(-reach, reach + 1).to(y)
    weights = torch.softmax(-((y[..., None] - candidates) ** 2) / temperature, dim=-1)
    return (weights * candidates).sum(-1)


class Rounding(nn.Module):
    """The nearest integer, whatever it costs."""

    def forward(self, y: Tensor, index: Tensor) -> Tensor:
        """Symbols for y, of the same shape."""
        return y.round()


class RateDistortionQuantizer(Rounding):
    """The nearest integer s or its neighbour towards zero: that of smaller bits + weight (y - shown(s))^2.

    `costs[i, reach + s]` are the bits of s in table i, from -reach to reach; other symbols are rounded.
    The `weight` is in bits. shown(s) = s - shrinkage sign(s): small values are more frequent than large
    ones, so a decoder has learned to show the mean of what was rounded to s, which is closer to zero.
    Source: decisions by rate and distortion, Sullivan and Wiegand 1998; means of bins, Lloyd 1982.
    """

    costs: Tensor

    def __init__(self, costs: Tensor, weight: float, shrinkage: float = 0.0):
        super().__init__()
        self.weight, self.shrinkage = weight, shrinkage
        self.register_buffer("costs", costs, persistent=False)

    def forward(self, y: Tensor, index: Tensor) -> Tensor:
        """Symbols for y, each coded with the table of its index; same shapes."""
        symbols = y.round()
        reach = self.costs.shape[1] // 2
        in_question = (symbols != 0) & (symbols.abs() <= reach)
        y, table, nearest = y[in_question], index[in_question].long(), symbols[in_question]

        def cost(s: Tensor) -> Tensor:
            shown = s - self.shrinkage * s.sign()
            return self.costs[table, s.long() + reach] + self.weight * (y - shown) ** 2

        smaller = nearest - nearest.sign()
        symbols[in_question] = torch.where(cost(smaller) < cost(nearest), smaller, nearest)
        return symbols


def near_lossless(r: Tensor, tau: int) -> Tensor:
    """Round integers to the nearest multiple of 2 tau + 1: at most tau away, and never a tie.

    >>> near_lossless(torch.tensor([-4, -1, 0, 1, 2, 5]), tau=1)
    tensor([-3,  0,  0,  0,  3,  6])

    Source: Bai et al., CVPR 2021 (the quantizer of the residual).
    """
    if tau < 0:
        raise ValueError(f"tau is {tau}; it must not be negative")
    step = 2 * tau + 1
    return r.sign() * step * torch.div(r.abs() + tau, step, rounding_mode="floor")
