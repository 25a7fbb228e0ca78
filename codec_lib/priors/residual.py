r"""The prior of a residual's pixels: mixtures of logistics, given a lossy layer and the pixels before.

The residual r = x - x_tilde, or r_hat, quantized within tau, is coded pixel by pixel. What a pixel's
mixture is follows from u, what the lossy layer says about it, and from the residuals around that are
decoded already, C(r_hat), through a network that works on each pixel alone:

    u + C(r_hat) --+--> lossless   --> mu, sigma, beta, pi      tau = 0
                   +--> corrected  --> the same, given tau      tau > 0, the bias correction

One set of weights serves every tau: P(r_hat) is a sum of P(r), the difference of two values of one
cumulative function. But C has learned from exact residuals and reads quantized ones when tau > 0; so a
second network has learned to predict the exact residual from them.

Source: Bai et al., "Learning scalable l-infinity-constrained near-lossless image compression via joint
lossy image and residual compression", CVPR 2021; pixel-wise network and slanted order of its successor,
TPAMI 2024.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.density import logistic_mixture
from codec_lib.density.logistic_mixture import Mixture
from codec_lib.entropy import rans_entries
from codec_lib.entropy.mixture_density import OUTPUTS, MixtureTables
from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.errors import section
from codec_lib.exact.fixed_point import convert
from codec_lib.exact.frozen import Frozen
from codec_lib.exact.order import SLANTED
from codec_lib.layers.conditional import ConditionalConv2d
from codec_lib.layers.convolution import activate, activation, conv, of_row, weight_and_bias
from codec_lib.layers.masked import MaskedConv2d
from codec_lib.priors import residual_coder
from codec_lib.priors.residual_coder import CENTRE, SURROUND, WINDOW
from codec_lib.quantize import near_lossless

LINEAR = 3 * logistic_mixture.COMPONENTS  # means also get a linear prediction
TRAINED_TAU = 5  # the correction has parameters for tau = 1 to 5; beyond, those of 5
RESIDUAL_UNIT = 16.0  # levels that count as 1 where residuals enter a network
PICTURE_UNIT = 64.0  # the same for x_tilde


def full_precision(x: Tensor) -> torch.autocast:
    """Context in which mixed precision is off: half a level is much where a residual is predicted."""
    return torch.autocast(x.device.type, enabled=False)


class PixelNetwork(nn.ModuleList):
    """1x1 convolutions with leaky ReLUs before and between: (B, C, H, W) to (B, OUTPUTS, H, W)."""

    def chain(self, *setting: int) -> nn.Sequential:
        """The plain convolutions and what is between them; the leaky ReLU before them is left out."""
        layers = [layer.at(*setting) if isinstance(layer, ConditionalConv2d) else layer for layer in self]
        between = [module for layer in layers for module in (activation(), layer)]
        return nn.Sequential(*between[1:])

    def forward(self, h: Tensor, *setting: int) -> Tensor:
        for layer in self[:-1]:
            h = layer(activate(h), *setting)
        with full_precision(h):
            return self[-1](activate(h.float()), *setting)


class ResidualPrior(nn.Module):
    """p(r) of three colours, given x_tilde and features with N channels at half the size; C a pixel.

    The four verbs of every prior, on a residual instead of latents. `frozen` is that of the codec.
    """

    name = "r"  # of the section

    def __init__(self, N: int, C: int, frozen: Frozen):
        super().__init__()
        self.C, self.frozen = C, frozen
        self.features = nn.Conv2d(N, 4 * C, 1)  # at half the size: (B, 4 C, H/2, W/2)
        self.surround = conv(3, C + LINEAR, SURROUND, 1)  # what x_tilde looks like around the pixel
        self.context = MaskedConv2d(3, C + LINEAR, WINDOW, SLANTED.taps(WINDOW))
        sizes = [(C, C), (C, C), (C, C), (C, OUTPUTS)]
        self.lossless = PixelNetwork(nn.Conv2d(*size, 1) for size in sizes)
        self.corrected = PixelNetwork(ConditionalConv2d(*size, TRAINED_TAU) for size in sizes)
        self._start_with_a_linear_predictor()

    def forward(self, r: Tensor, x_tilde: Tensor, features: Tensor, tau: int = 0) -> Tensor:
        """Bits of the residual of each picture, (B,); r and x_tilde (B, 3, H, W) in levels.

        In training, tau > 0 means the cost of the exact residual where the context is quantized: what
        the correction learns.
        """
        u = self.surroundings(x_tilde, features)
        if tau == 0:
            return logistic_mixture.bits(r, x_tilde, self.mixture(u, r))
        r_hat = near_lossless(r.detach().round(), tau)
        coded = (r.detach(), 0) if self.training else (r_hat, tau)
        mixture = self.mixture(u, r_hat, tau)
        return logistic_mixture.bits(coded[0], x_tilde, mixture, coded[1], known=r_hat)

    def surroundings(self, x_tilde: Tensor, features: Tensor) -> Tensor:
        """u (B, C + LINEAR, H, W): all that is known before the residual."""
        phases = F.pixel_shuffle(self.features(features), 2)
        with full_precision(x_tilde):
            u = self.surround((x_tilde - CENTRE) / PICTURE_UNIT)
        return torch.cat((u[:, : self.C] + phases, u[:, self.C :]), 1)

    def mixture(self, u: Tensor, r_hat: Tensor, tau: int = 0, correct: bool = True) -> Mixture:
        """The distribution of every pixel's residual, given u and the residuals before it."""
        with full_precision(u):
            h = u + self.context(r_hat / RESIDUAL_UNIT)
        if tau and correct:
            h = h.detach()  # the correction adapts to the context, not the context to it
            outputs = self.corrected(h[:, : self.C], min(tau, TRAINED_TAU) - 1)
        else:
            outputs = self.lossless(h[:, : self.C])
        means = outputs[:, :LINEAR] + h[:, self.C :]
        return Mixture.from_outputs(torch.cat((means, outputs[:, LINEAR:]), 1))

    @torch.no_grad()
    def _start_with_a_linear_predictor(self) -> None:
        """Begin near the plane a + b - c of JPEG-LS, of the left, the upper and the upper left neighbour.

        Its factors are made smaller, since the whole plane adds up the noise of all three. In terms of the
        residual r = x - x_tilde: add what the neighbours predict of r to what the neighbours in x_tilde
        predict, minus x_tilde. Colours after the first predict their difference.
        """
        neighbours = {(0, -1): 0.7, (-1, 0): 0.7, (-1, -1): -0.4}
        r_taps, x_taps = torch.zeros(WINDOW, WINDOW), torch.zeros(SURROUND, SURROUND)
        for (i, j), share in neighbours.items():
            r_taps[WINDOW // 2 + i, WINDOW // 2 + j] = share
            x_taps[SURROUND // 2 + i, SURROUND // 2 + j] = (
                share * PICTURE_UNIT / logistic_mixture.MEAN_UNIT / 2
            )
        x_taps[SURROUND // 2, SURROUND // 2] = -x_taps.sum()
        colours = torch.eye(3) - logistic_mixture.BETA * torch.eye(3).roll(1, 0).tril()
        colours = colours.repeat_interleave(logistic_mixture.COMPONENTS, 0)[:, :, None, None]
        self.context.weight[self.C :] = colours * r_taps
        self.surround.weight[self.C :] = colours * x_taps
        for layer in (self.surround, self.context):
            weight_and_bias(layer)[1][self.C :] = 0
        for network in (self.lossless, self.corrected):
            weight, bias = (getattr(network[-1], name) for name in ("weight", "bias"))
            weight.mul_(0.1)
            bias.copy_(logistic_mixture.initial_bias())

    def start_correction(self) -> None:
        """Let a correction that has not been trained yet begin as the network for exact residuals."""
        layers = [layer for layer in self.corrected if isinstance(layer, ConditionalConv2d)]
        if all(layer.is_new() for layer in layers):
            for layer, plain in zip(layers, self.lossless, strict=True):
                layer.start_from(plain)

    def is_correction_alone(self) -> bool:
        """Whether of both networks only the correction is trained."""
        return not any(p.requires_grad for p in self.lossless.parameters())

    @torch.no_grad()
    def freeze(self) -> None:
        """Make tables and networks: what features say, what gathered neighbours say, what follows."""
        by_phase = copy.deepcopy(self.features)  # outputs ordered by phase, then channel
        for values in weight_and_bias(by_phase):
            values.copy_(values.unflatten(0, (self.C, 4)).transpose(0, 1).flatten(0, 1).clone())
        causal = self.context.gathered_weight() / RESIDUAL_UNIT
        around = self.surround.weight.flatten(1) / PICTURE_UNIT
        bias = weight_and_bias(self.context)[1] + weight_and_bias(self.surround)[1]
        gathered = of_row(torch.cat((causal, around), 1), bias)
        networks = {
            "features": convert(nn.Sequential(by_phase), fraction=FRACTION_BITS),
            "neighbours": convert(nn.Sequential(gathered)),
            "lossless": convert(self.lossless.chain(), fraction=FRACTION_BITS),
        }
        for tau in range(1, TRAINED_TAU + 1):
            networks[f"corrected.{tau}"] = convert(self.corrected.chain(tau - 1), fraction=FRACTION_BITS)
        self.frozen |= {"r": MixtureTables.make(), **networks}

    def encode(self, r_hat: Tensor, x_tilde: Tensor, features: Tensor, tau: int, colours: int) -> bytes:
        """The section of quantized residuals int32 (3, H, W), of which the first `colours` count.

        x_tilde uint8 (3, H', W') and features int32 (N, H'/2, W'/2) are the integers of the lossy layer.
        """
        return residual_coder.encode(r_hat, self.frozen, x_tilde, features, tau, colours)

    def check(self, data: bytes) -> int:
        """How many colours a section holds: 1 for grey, else 3.

        Raises SectionError where it does not begin as one does, and its stream as a stream.
        """
        with section(self.name):
            rans_entries.Decoder(data[residual_coder.HEAD_BYTES :])
            return residual_coder.read_head(data, tau=0).colours

    def decode(
        self, data: bytes, x_tilde: Tensor, features: Tensor, tau: int, size: tuple[int, int]
    ) -> Tensor:
        """Quantized residuals int32 (3, rows, columns) from a section; SectionError unless it fits."""
        with section(self.name):
            head = residual_coder.read_head(data, tau)
            coder = residual_coder.ResidualCoder(self.frozen, x_tilde, features, size, head.alphabet)
            return coder.decode(data[residual_coder.HEAD_BYTES :], head.colours, head.learns)
