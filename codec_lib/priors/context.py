r"""A prior of latents that looks at what is decoded already: mean and scale from z and from neighbours.

    y --> h_a --> z --> Q --> z_hat --> h_s --> psi
                                                 |
    y_hat so far --> context ------------------->+--> entropy parameters --> mu, sigma of the next places

Every latent is y_hat = Q(y - mu) + mu: its symbol is what the mean missed, coded under N(0, sigma^2) or
another `Shape` of that scale.
The places of an `Order` are decoded step by step; each step sees the latents of the steps before.

In training all of this is floats, and the rate is that of noise, or of the symbols that the encoder decides
for: of these more are zero, which a prior that is trained on them in the end has learned. `freeze` turns it
into networks in fixed point, and mu into multiples of 2^-12. Encoder and decoder walk through the same
steps with them (`ContextWalk`).

Sources: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for learned image
compression", NeurIPS 2018; He et al., CVPR 2021 (two steps).
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.density.shapes import NORMAL, Shape
from codec_lib.entropy import pmf, rans
from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.errors import BitstreamError, section
from codec_lib.exact.canvas import Canvas
from codec_lib.exact.fixed_point import convert
from codec_lib.exact.frozen import Frozen
from codec_lib.exact.integer_layer import activate_integers
from codec_lib.exact.order import Order
from codec_lib.layers.convolution import activate, activation, conv, deconv, of_row, weight_and_bias
from codec_lib.layers.gain import GainUnit
from codec_lib.layers.masked import MaskedConv2d
from codec_lib.priors.base import Choice, Prior, Sections
from codec_lib.priors.symbols import channel_indexes, read_symbols, write_symbols
from codec_lib.quantize import Rounding, noise, straight_through

WINDOW = 5  # side of what a place sees
CHUNK = 1024  # places whose distributions are computed at once: symbols are in this order in the stream
PSI_ROWS = 64  # rows of psi that are computed at once
SYMBOL_LIMIT = 2**13  # symbols and means are clamped, so that y_hat stays below ACTIVATION_LIMIT
LATENT_LIMIT = SYMBOL_LIMIT << FRACTION_BITS
LOG_SIGMA_BOUNDS = -3.0, 6.0  # what networks can ask for; the tables go from 0.11 to 256


class ContextPrior(Prior):
    """p(y) of M channels, with H channels of hyper-latents at a quarter of y's size and K inside.

    Of what is decoded, contexts show the first `seen` channels, or all. `shape` is that of the symbols'
    distributions, and `quantizer` makes the symbols, once the network is trained.
    """

    order: Order  # of the places
    sections = ("z", "y")
    reduction = 4
    rates = ("noise", "symbols")
    unit = 2.0**-FRACTION_BITS

    def __init__(
        self,
        M: int,
        H: int = 96,
        K: int = 128,
        seen: int | None = None,
        shape: Shape = NORMAL,
        quantizer: Rounding | None = None,
    ):
        super().__init__()
        self.M, self.H, self.seen, self.shape = M, H, seen or M, shape
        self.quantizer = quantizer or Rounding()
        self.h_a = nn.Sequential(
            nn.Conv2d(M, H, 1), activation(),
            conv(H, H, kernel=3), activation(),
            conv(H, H, kernel=3),
        )  # fmt: skip
        self.h_s = nn.Sequential(deconv(H, H), activation(), deconv(H, K))
        self.context = MaskedConv2d(self.seen, K, WINDOW, self.order.taps(WINDOW), bias=False)
        self.entropy_parameters = nn.Sequential(
            nn.Conv2d(K, K, 1), activation(), nn.Conv2d(K, K, 1), activation()
        )
        self.mean, self.log_sigma = nn.Conv2d(K, M, 1), nn.Conv2d(K, M, 1)
        self.density_z = FactorizedDensity(H)
        with torch.no_grad():
            for head, start in ((self.mean, 0.0), (self.log_sigma, 1.0)):
                weight, bias = weight_and_bias(head)
                weight.mul_(0.3)
                bias.fill_(start)

    def forward(self, y: Tensor, gain: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        z = self.h_a(y).float()
        z_hat = noise(z) if self.training else z.round()
        psi = self.h_s(straight_through(z) if self.training and self.rate == "symbols" else z_hat)
        mu, sigma = self.means_and_scales(y, psi)
        symbols = self.quantized(y - mu, sigma)
        if self.training:  # pixels see symbols, the rate sees either
            bits = gaussian.bits(symbols if self.rate == "symbols" else noise(y - mu), sigma, self.shape)
        else:
            bits = gaussian.bits(symbols, gaussian.tabled(sigma), self.shape)
        return symbols + mu, {"z": self.density_z.bits(z_hat), "y": bits}

    @abstractmethod
    def means_and_scales(self, y: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of every place (B, M, h, w), as far as a pass over all of them can tell."""

    def distribution(self, psi: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of every place (B, M, h, w), from psi and what is decoded; zero is not."""
        h = self.entropy_parameters(activate(psi + self.context(seen[:, : self.seen])))
        return self.mean(h).float(), self.log_sigma(h).float().clamp(*LOG_SIGMA_BOUNDS).exp()

    def quantized(self, residual: Tensor, sigma: Tensor) -> Tensor:
        """What is coded of the latents minus their means; in training with the gradient of the identity."""
        if self.training and self.rate == "noise":
            return straight_through(residual)
        symbols = self.quantizer(residual.detach(), gaussian.indexes(sigma.detach()))
        return residual + (symbols - residual).detach() if self.training else symbols

    @abstractmethod
    def symbols_of(self, chosen: Tensor, mu: Tensor) -> Tensor:
        """The symbols of what was chosen for some places, with integers mu; (M, P) each."""

    @torch.no_grad()
    def freeze(self, gains: GainUnit) -> None:
        borders = gaussian.scale_borders().log()
        context = of_row(self.context.gathered_weight())
        self.frozen.update({
            "z": self.density_z.tables(torch.ones(1, self.H)),
            "y": gaussian.tables(self.shape),
            "h_s": convert(self.h_s),
            "context": convert(nn.Sequential(context), fraction=FRACTION_BITS),
            "parameters": convert(self.entropy_parameters, fraction=FRACTION_BITS),
            "mean": convert(nn.Sequential(self.mean), fraction=FRACTION_BITS),
            "index": convert(nn.Sequential(self.log_sigma), borders, fraction=FRACTION_BITS),
        })  # fmt: skip

    @torch.inference_mode()
    def encode(self, y: Tensor, quality: float, choice: Choice | None = None) -> Sections:
        z_hat, chosen = choice or (self.h_a(y).round_(), None)
        assert z_hat is not None
        walk = ContextWalk(self.order, self.frozen, z_hat, y.shape[1:])
        if chosen is None:
            message = walk.through(y[0], lambda y, mu, index: self.quantizer(y - mu * self.unit, index))
        else:
            message = walk.through(chosen[0], lambda chosen, mu, _: self.symbols_of(chosen, mu))
        z_indexes = channel_indexes(z_hat.shape, z_hat.device)
        return {
            "z": write_symbols(z_hat, z_indexes, self.frozen.tables("z")),
            "y": rans.encode(*message, self.frozen.tables("y")),
        }

    @torch.inference_mode()
    def decode(self, sections: Sections, quality: float, size: tuple[int, int]) -> dict[str, Tensor]:
        device = self.mean.weight.device
        z_shape = 1, self.H, size[0] // self.reduction, size[1] // self.reduction
        z_hat = read_symbols("z", sections, channel_indexes(z_shape, device), self.frozen.tables("z"))
        with section("y"):  # before there is anything of its size
            decoder = rans.Decoder(sections["y"], self.M * math.prod(size), self.frozen.tables("y"))
        walk = ContextWalk(self.order, self.frozen, z_hat, (self.M, *size))
        with section("y"):
            for places in walk.places():
                mu, index = walk.distribution(places)
                symbol = torch.from_numpy(decoder.read(index.flatten().cpu().numpy())).to(device)
                if symbol.min() < -SYMBOL_LIMIT or symbol.max() > SYMBOL_LIMIT:
                    raise BitstreamError(f"latents: a symbol above {SYMBOL_LIMIT}")
                walk.put(places, symbol.view(index.shape), mu)
            decoder.complete()
        return {"z": z_hat, "y": walk.latents()}

    def bit_map(self, decoded: dict[str, Tensor]) -> np.ndarray:
        latents, tables = decoded["y"][0], self.frozen.tables("y")
        walk = ContextWalk(self.order, self.frozen, decoded["z"], tuple(latents.shape))
        flat, bits = latents.flatten(1), np.zeros(latents[0].numel())
        for places in walk.places():
            mu, index = walk.distribution(places)
            symbol = (flat[:, places] - mu.to(torch.int32)) >> FRACTION_BITS
            walk.put(places, symbol, mu)
            cost = pmf.surprise(symbol.flatten().cpu().numpy(), index.flatten().cpu().numpy(), tables)
            bits[places.cpu().numpy()] = cost.reshape(symbol.shape).sum(0)
        return bits.reshape(latents.shape[1:])


class ContextWalk:
    """The steps that encoder and decoder take through latents (M, h, w), and what follows from each.

    Args:
        order: of the steps.
        frozen: the integers of a `ContextPrior`.
        z_hat: integers (1, H, h / 4, w / 4).
        shape: M, h, w.
    """

    def __init__(self, order: Order, frozen: Frozen, z_hat: Tensor, shape: tuple[int, ...]):
        self.order, self.frozen = order, frozen
        self.psi = frozen.network("h_s").in_bands(z_hat, PSI_ROWS)[0].flatten(1)
        self.canvas = Canvas(shape[0], shape[1:], margin=WINDOW // 2, device=z_hat.device)
        self.neighbours = self.canvas.distances(order.taps(WINDOW))

    def places(self) -> Iterator[Tensor]:
        """Positions in the raster, in the order in which they are coded, a batch at a time."""
        height, width = self.canvas.size
        for step in self.order.steps(height, width):
            yield from step.to(self.psi.device).split(CHUNK)

    @torch.inference_mode()
    def distribution(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """mu, float64 multiples of 2^-12 as integers, and the table's index, uint8; (M, P) each."""
        h = self.psi[None, :, None, places].double()
        if self._have_context(places):
            network = self.frozen.network("context")
            channels = network.inputs // len(self.neighbours)
            around = self.canvas.bases(places) + self.neighbours[:, None]
            seen = self.canvas.planes[:channels, around]  # (C, T, P)
            h += network(seen.flatten(0, 1)[None, :, None])
        h = self.frozen.network("parameters")(activate_integers(h))
        mu, index = (self.frozen.network(name)(h)[0, :, 0] for name in ("mean", "index"))
        return mu.clamp_(-LATENT_LIMIT, LATENT_LIMIT), index

    def _have_context(self, places: Tensor) -> bool:
        """Whether any of them is of a later step than the first, which sees nothing."""
        width = self.canvas.size[1]
        return bool((self.order.step_of(places // width, places % width) > 0).any())

    def through(
        self, latents: Tensor, symbols_of: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Symbols int32 and tables' indexes uint8 of all places, in the order in which they are coded.

        symbols_of makes symbols of some places' latents, means and indexes, (M, P) each; latents (M, h, w).
        """
        symbols, indexes = np.empty(latents.numel(), np.int32), np.empty(latents.numel(), np.uint8)
        latents, done = latents.flatten(1), 0
        for places in self.places():
            mu, index = self.distribution(places)
            symbol = symbols_of(latents[:, places], mu, index)
            symbol = symbol.clamp_(-SYMBOL_LIMIT, SYMBOL_LIMIT).to(torch.int32)
            self.put(places, symbol, mu)
            now = slice(done, done := done + symbol.numel())
            symbols[now], indexes[now] = symbol.flatten().cpu().numpy(), index.flatten().cpu().numpy()
        return symbols, indexes

    def put(self, places: Tensor, symbol: Tensor, mu: Tensor) -> None:
        """Enter what is decoded at some places."""
        self.canvas.put(places, (symbol << FRACTION_BITS) + mu.to(torch.int32))

    def latents(self) -> Tensor:
        """y_hat (1, M, h, w) in multiples of 2^-12, int32."""
        return self.canvas.whole()[None].contiguous()
