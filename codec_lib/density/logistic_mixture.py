r"""Mixtures of logistic distributions for the residual of three colours.

Each pixel has K components, each with a mean and a scale per colour and three coefficients that predict
a colour from the colours before it:

    mu_1,   mu_2 + beta_1 r_1,   mu_3 + beta_2 r_1 + beta_3 r_2            beta = tanh(.)
    F(t) = sum_k pi_k S((t - mu_k) / sigma_k)                              S(t) = 1 / (1 + exp(-t))

A quantized residual v is the bin from v - 1/2 - tau to v + 1/2 + tau, so its probability is one
difference of F, for every tau:

    P(v) = F(v + 1/2 + tau) - F(v - 1/2 - tau)

Source: Bai et al., "Learning scalable l-infinity-constrained near-lossless image compression via joint
lossy image and residual compression", CVPR 2021; Salimans et al., ICLR 2017 (the
mixture and its colours).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from codec_lib.entropy.mixture_density import LOG_SIGMA, OUTPUTS, K
from codec_lib.entropy.units import FRACTION_BITS, LEVEL_BITS
from codec_lib.layers.lower_bound import lower_bound

COMPONENTS = K
MEAN_UNIT = 2.0 ** (FRACTION_BITS - LEVEL_BITS)  # a network's output of 1 means so many levels
MASS_MIN = 2.0**-16  # of a bin: the least that a table of 16 bits gives
LARGEST = 255
BETA = 0.9  # in an untrained network: how much of a colour's residual the next one shares


@dataclass
class Mixture:
    """mu, log_sigma, beta (B, 3, K, H, W) and logits (B, K, H, W).

    mu is in levels of 1/255, log_sigma the logarithm of levels; beta and logits are numbers.
    """

    mu: Tensor
    log_sigma: Tensor
    beta: Tensor
    logits: Tensor

    @classmethod
    def from_outputs(cls, outputs: Tensor) -> "Mixture":
        """From what a parameter network gives, (B, OUTPUTS, H, W)."""
        batch, _, height, width = outputs.shape
        groups = outputs.float().view(batch, OUTPUTS // COMPONENTS, COMPONENTS, height, width)
        mu, log_sigma, beta, logits = groups.split((3, 3, 3, 1), dim=1)
        return cls(mu * MEAN_UNIT, log_sigma.clamp(*LOG_SIGMA), beta.tanh(), logits.squeeze(1))


def initial_bias() -> Tensor:
    """Biases (OUTPUTS,) of a parameter network's last layer: scales apart, colours alike."""
    mu, logits = torch.zeros(3 * COMPONENTS), torch.zeros(COMPONENTS)
    beta = torch.tensor([BETA, 0.0, BETA]).atanh().repeat_interleave(COMPONENTS)
    log_sigma = torch.linspace(-0.5, 2.5, COMPONENTS).repeat(3)
    return torch.cat((mu, log_sigma, beta, logits))


def bits(r: Tensor, x_tilde: Tensor, mixture: Mixture, tau: int = 0, known: Tensor | None = None) -> Tensor:
    """Bits to code each picture's residual, shape (B,): the sum of -log2 P, 16 at most for each sample.

    r and x_tilde (B, 3, H, W) in levels; `known`, the residual that later colours are predicted from, is
    r itself unless given. A picture's values end at 0 and 255: bins that reach there are open.
    """
    known = r if known is None else known
    first, second = known[:, :1], known[:, 1:2]
    ahead = (mixture.beta[:, 0] * first, mixture.beta[:, 1] * first + mixture.beta[:, 2] * second)
    shift = torch.stack((torch.zeros_like(ahead[0]), *ahead), 1)
    distance = r[:, :, None] - mixture.mu - shift  # (B, 3, K, H, W)
    rate, half = (-mixture.log_sigma).exp(), 0.5 + tau
    upper, lower = torch.sigmoid((distance + half) * rate), torch.sigmoid((distance - half) * rate)
    x = (r + x_tilde)[:, :, None]
    upper = torch.where(x + tau >= LARGEST, 1.0, upper)
    lower = torch.where(x - tau <= 0, 0.0, lower)
    mass = (mixture.logits.softmax(1)[:, None] * (upper - lower)).sum(2)
    return -lower_bound(mass, MASS_MIN).log2().flatten(1).sum(1)
