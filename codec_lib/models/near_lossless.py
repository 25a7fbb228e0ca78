r"""Near-lossless coding: a lossy layer, and a residual that bounds the error of every pixel.

    x --> lossy layer --+--> x_tilde, 8 bits       r = x - x_tilde,  r_hat = quantize(r, tau)
                        +--> u, features           x_hat = clip(x_tilde + r_hat),  |x - x_hat| <= tau

r_hat is coded pixel by pixel under mixtures of logistics. Their parameters come from u and from
the residuals around that are decoded already, C(r_hat), through a network that works on each pixel alone:

    u + C(r_hat) --+--> lossless   --> mu, sigma, beta, pi      tau = 0
                   +--> corrected  --> the same, given tau      tau > 0, the bias correction

One set of weights serves every tau: P(r_hat) is a sum of P(r), the difference of two values of one
cumulative function. But C has learned from exact residuals and reads quantized ones when tau > 0; so a
second network has learned to predict the exact residual from them.

The lossy layer is a hyperprior codec at one quality, with a second head.

Source: Bai et al., "Learning scalable l-infinity-constrained near-lossless image compression via joint
lossy image and residual compression", CVPR 2021; pixel-wise network and slanted order of its successor,
TPAMI 2024.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.density import logistic_mixture
from codec_lib.density.logistic_mixture import Mixture
from codec_lib.entropy.mixture import Alphabet, MixtureTables
from codec_lib.errors import section
from codec_lib.layers.conditional import ConditionalConv2d
from codec_lib.layers.convolution import conv
from codec_lib.layers.masked import CausalConv2d
from codec_lib.models.base import Output, Streams
from codec_lib.models.integer_near_lossless import (
    PICTURE_UNIT,
    QUALITY,
    RESIDUAL_UNIT,
    TRAINED_TAU,
    integer_networks,
    reconstruct,
)
from codec_lib.models.residual_coder import (
    CENTRE,
    HEAD,
    LEAK,
    SURROUND,
    WINDOW,
    ResidualCoder,
    read_head,
    write_head,
)
from codec_lib.models.scale_hyperprior import ScaleHyperprior
from codec_lib.quantize import near_lossless, straight_through

LINEAR = 3 * logistic_mixture.COMPONENTS  # means also get a linear prediction
SLOPE = 2.0**-LEAK


def add(x_tilde: Tensor, r_hat: Tensor) -> Tensor:
    """x_hat in levels, int32 (3, H, W); clipping cannot lead away from x, which is in [0, 255]."""
    _, height, width = r_hat.shape
    return (x_tilde[:, :height, :width].int() + r_hat).clamp_(0, 255)


def full_precision(x: Tensor) -> torch.autocast:
    """Context in which mixed precision is off: half a level is much where a residual is predicted."""
    return torch.autocast(x.device.type, enabled=False)


class PixelNetwork(nn.ModuleList):
    """1x1 convolutions with leaky ReLUs before and between: (B, C, H, W) to (B, OUTPUTS, H, W)."""

    def chain(self, *setting: int) -> nn.Sequential:
        """The plain convolutions and what is between them; the leaky ReLU before them is left out."""
        layers = [layer.at(*setting) if setting else layer for layer in self]
        between = [module for layer in layers for module in (nn.LeakyReLU(SLOPE), layer)]
        return nn.Sequential(*between[1:])

    def forward(self, h: Tensor, *setting: int) -> Tensor:
        for layer in self[:-1]:
            h = layer(F.leaky_relu(h, SLOPE), *setting)
        with full_precision(h):
            return self[-1](F.leaky_relu(h.float(), SLOPE), *setting)


class NearLossless(nn.Module):
    """The codec of Bai et al. on a hyperprior codec with N and M, and C channels for each pixel."""

    stride = ScaleHyperprior.stride

    def __init__(self, N: int = 64, M: int = 256, C: int = 96):
        super().__init__()
        self.widths = {"N": N, "M": M, "C": C}
        self.C = C
        self.lossy = ScaleHyperprior(N, M)
        self.features = nn.Conv2d(N, 4 * C, 1)  # at half the size: (B, 4 C, H/2, W/2)
        self.surround = conv(3, C + LINEAR, SURROUND, 1)  # what x_tilde looks like around the pixel
        self.context = CausalConv2d(3, C + LINEAR, WINDOW)
        sizes = [(C, C), (C, C), (C, C), (C, logistic_mixture.OUTPUTS)]
        self.lossless = PixelNetwork(nn.Conv2d(*size, 1) for size in sizes)
        self.corrected = PixelNetwork(ConditionalConv2d(*size, TRAINED_TAU) for size in sizes)
        self._start_with_a_linear_predictor()
        self.tables, self.networks = self.lossy.tables, self.lossy.networks  # the layer reads its own there

    def start_from(self, other: nn.Module) -> None:
        """Begin training with the parameters of another such model, or of its lossy layer.

        A correction that has not been trained yet begins as the network for exact residuals.
        """
        if isinstance(other, ScaleHyperprior):
            self.lossy.load_state_dict(other.state_dict())
            return
        self.load_state_dict(other.state_dict())
        if all(layer.is_new() for layer in self.corrected):
            for layer, plain in zip(self.corrected, self.lossless, strict=True):
                layer.start_from(plain)

    @torch.no_grad()
    def freeze(self) -> "NearLossless":
        """Make the integer tables and networks from the trained parameters, and return the model."""
        self.lossy.freeze()
        self.tables, self.networks = self.lossy.tables, self.lossy.networks
        self.tables["r"] = MixtureTables.make()
        self.networks |= integer_networks(self)
        return self

    @torch.inference_mode()
    def compress(self, x: Tensor, tau: int) -> Streams:
        """Real bytes for one picture x (1, 3, H, W) of levels, uint8, or multiples of 1/255, of any size.

        Three equal colours are coded as one.
        """
        levels = (x if x.dtype == torch.uint8 else (x * 255).round())[0].to(torch.int32)
        colours = 1 if (levels == levels[:1]).all() else 3
        streams = self.lossy.compress(x, QUALITY)
        height, width = levels.shape[1:]
        y_hat = self.lossy.read(streams, QUALITY, height, width)["y"]
        x_tilde, features = reconstruct(self.networks, y_hat, colours)
        r_hat = near_lossless(levels - x_tilde[:, :height, :width].int(), tau)
        symbols = (r_hat // (2 * tau + 1)).flatten(1)
        ends = torch.stack((symbols.amin(1).clamp(max=0), symbols.amax(1).clamp(min=0)), 1)
        alphabet = Alphabet(tau, ends.long().cpu().numpy())
        coder = self._coder(x_tilde, features, (height, width), alphabet)
        streams["r"] = write_head(alphabet, colours) + coder.encode(r_hat, colours)
        worst = (add(x_tilde, r_hat) - levels).abs().max().item()
        if worst > tau:
            raise RuntimeError(f"near-lossless: a sample is off by {worst}, allowed is {tau}")
        return streams

    @torch.inference_mode()
    def read(self, streams: Streams, quality: float, height: int, width: int) -> dict[str, Tensor]:
        """The integers of every stream, residuals in levels, and x_tilde, to which they are added.

        There is but one `quality`. Raises BitstreamError when a stream does not fit the declared size.
        """
        found = self.lossy.read(streams, QUALITY, height, width)
        with section("r"):
            alphabet, colours = read_head(streams["r"])
            x_tilde, features = reconstruct(self.networks, found["y"], colours)
            coder = self._coder(x_tilde, features, (height, width), alphabet)
            return found | {"r": coder.decode(streams["r"][HEAD:], colours), "x_tilde": x_tilde}

    @torch.inference_mode()
    def decompress(self, streams: Streams, quality: float, height: int, width: int) -> Tensor:
        """The picture (1, 3, height, width), multiples of 1/255; BitstreamError as `read` raises it."""
        return self.decompress_levels(streams, quality, height, width).float() / 255

    @torch.inference_mode()
    def decompress_levels(self, streams: Streams, quality: float, height: int, width: int) -> Tensor:
        """The same as levels, uint8."""
        found = self.read(streams, quality, height, width)
        return add(found["x_tilde"], found["r"])[None].to(torch.uint8)

    @torch.inference_mode()
    def preview(self, streams: Streams, height: int, width: int) -> Tensor:
        """x_tilde uint8 (1, 3, height, width): the lossy layer alone, without a look at the residual."""
        y_hat = self.lossy.read(streams, QUALITY, height, width)["y"]
        return reconstruct(self.networks, y_hat, 3)[0][None, :, :height, :width]

    def _coder(self, x_tilde, features, size, alphabet) -> ResidualCoder:
        return ResidualCoder(self.networks, self.tables["r"], x_tilde, features, size, alphabet)

    def forward(self, x: Tensor, tau: int = 0) -> Output:
        """Training pass: x_hat is x_tilde; bits of y, z and of the residual r, exact or within tau.

        x (B, 3, H, W) holds multiples of 1/255, or levels if it is uint8; its sides divide by `stride`. In
        training, tau > 0 means the cost of the exact residual where the context is quantized: what
        the correction learns.
        """
        x = x.float() / 255 if x.dtype == torch.uint8 else x
        x_tilde, features, bits = self.layer(x)
        r = 255 * x - x_tilde
        h = self.surroundings(x_tilde, features)
        if tau == 0:
            bits["r"] = logistic_mixture.bits(r, x_tilde, self.mixture(h, r))
        else:
            r_hat = near_lossless(r.detach().round(), tau)
            mixture = self.mixture(h, r_hat, tau)
            coded = (r.detach(), 0) if self.training else (r_hat, tau)
            bits["r"] = logistic_mixture.bits(coded[0], x_tilde, mixture, coded[1], known=r_hat)
        return Output(x_tilde / 255, bits)

    def layer(self, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The lossy layer: x_tilde (B, 3, H, W) in levels, features at half the size, bits of y and z."""
        is_trained = next(self.lossy.parameters()).requires_grad
        quality = torch.full((len(x),), QUALITY, device=x.device)
        with full_precision(x), torch.set_grad_enabled(is_trained and torch.is_grad_enabled()):
            y_hat, bits = self.lossy.latents(x, quality)
            features = self.lossy.g_s[:-1](y_hat)
            x_tilde = (self.lossy.g_s[-1](features) * 255).clamp(0, 255)
        return straight_through(x_tilde), features, bits

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
        """Begin where JPEG-LS is: predict x from the left, the upper and the upper left neighbour.

        In terms of the residual r = x - x_tilde: add what the neighbours predict of r to what the
        neighbours in x_tilde predict, minus x_tilde. Colours after the first predict their difference.
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
        self.surround.bias[self.C :] = 0
        self.context.bias[self.C :] = 0
        for network in (self.lossless, self.corrected):
            network[-1].weight.mul_(0.1)
            network[-1].bias.copy_(logistic_mixture.initial_bias())
