r"""A prior of latents that looks at what is decoded already: mean and scale from z and from neighbours.

    y --> h_a --> z --> Q --> z_hat --> h_s --> psi
                                                 |
    y_hat so far --> context ------------------->+--> parameters --> mu, sigma of the next places

Every latent is y_hat = Q(y - mu) + mu: its symbol is what the mean missed, coded under N(0, sigma^2) or
a `Shape` of that scale.
The places of an `Order` are decoded step by step; each step sees the latents of the steps before.

In training all of this is floats; `freeze` turns it into networks in fixed point, and mu into multiples
of 2^-12. Encoder and decoder walk through the same steps with them.

Sources: Minnen, Balle, Toderici, "Joint autoregressive and hierarchical priors for learned image
compression", NeurIPS 2018; He et al., CVPR 2021 (two steps).
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import BitstreamError, section
from codec_lib.fixed_point import ACTIVATION_LIMIT, FRACTION_BITS, FixedPointNetwork, convert, leaky
from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.order import CHECKERBOARD, WINDOW, ContextConv2d, Order
from codec_lib.models.base import Streams, channel_indexes, read_symbols, write_symbols
from codec_lib.quantize import Rounding, noise, straight_through

LEAK = 3  # leaky ReLU has slope 2**-3
CHUNK = 1024  # places whose distributions are computed at once: symbols are in this order in the stream
BAND = 64  # rows of psi that are computed at once
MARGIN = WINDOW // 2
SYMBOL_LIMIT = 2**13  # symbols and means are clamped, so that y_hat stays below ACTIVATION_LIMIT
LIMIT = SYMBOL_LIMIT << FRACTION_BITS
LOG_SIGMA = -3.0, 6.0  # what networks can ask for; the tables go from 0.11 to 256


def activation() -> nn.LeakyReLU:
    """The one that networks in fixed point can have."""
    return nn.LeakyReLU(2.0**-LEAK)


class ContextPrior(nn.Module):
    """p(y) of M channels, with H channels of hyper-latents at a quarter of y's size and K inside.

    Of what is decoded, contexts show the first `seen` channels, or all. `shape` is that of the symbols'
    distributions, and `quantizer` makes the symbols, once the network is trained.
    """

    def __init__(
        self,
        M: int,
        H: int = 96,
        K: int = 128,
        order: Order = CHECKERBOARD,
        seen: int | None = None,
        shape: gaussian.Shape = gaussian.NORMAL,
        quantizer: Rounding | None = None,
    ):
        super().__init__()
        self.M, self.H, self.order, self.seen, self.shape = M, H, order, seen or M, shape
        self.quantizer = quantizer or Rounding()
        self.has_two_steps = order is CHECKERBOARD
        self.h_a = nn.Sequential(
            nn.Conv2d(M, H, 1), activation(),
            conv(H, H, kernel=3), activation(),
            conv(H, H, kernel=3),
        )  # fmt: skip
        self.h_s = nn.Sequential(deconv(H, H), activation(), deconv(H, K))
        self.context = ContextConv2d(self.seen, K, order)
        self.parameters_of = nn.Sequential(
            nn.Conv2d(K, K, 1), activation(), nn.Conv2d(K, K, 1), activation()
        )
        self.mean, self.log_sigma = nn.Conv2d(K, M, 1), nn.Conv2d(K, M, 1)
        self.density_z = FactorizedDensity(H)
        with torch.no_grad():
            for head, start in ((self.mean, 0.0), (self.log_sigma, 1.0)):
                head.weight.mul_(0.3)
                head.bias.fill_(start)

    def forward(self, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """y_hat, like y (B, M, h, w), and the bits of the streams z and y, (B,) each."""
        z = self.h_a(y).float()
        z_hat = noise(z) if self.training else z.round()
        psi = self.h_s(z_hat)
        mu, log_sigma = self._in_two_steps(y, psi) if self.has_two_steps else self._at_once(y, psi)
        sigma = log_sigma.clamp(*LOG_SIGMA).exp()
        symbols = self._symbols(y - mu, sigma)  # pixels see rounding, the rate sees noise
        if self.training:
            bits = gaussian.bits(noise(y - mu), sigma, self.shape)
        else:
            table = gaussian.scale_table().to(sigma)[gaussian.indexes(sigma).long()]
            bits = gaussian.bits(symbols, table, self.shape)
        return symbols + mu, {"z": self.density_z.bits(z_hat), "y": bits}

    def distribution(self, psi: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma of every place (B, M, h, w), from psi and what is decoded; zero is not."""
        h = self.parameters_of(
            nn.functional.leaky_relu(psi + self.context(seen[:, : self.seen]), 2.0**-LEAK)
        )
        return self.mean(h).float(), self.log_sigma(h).float()

    def _in_two_steps(self, y: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        """Checkerboard: what the first places get from nothing, and the others from those."""
        first = (torch.arange(y.shape[2])[:, None] + torch.arange(y.shape[3])) % 2 == 0
        first = first.to(y.device)
        before = mu, log_sigma = self.distribution(psi, torch.zeros_like(y))
        symbols = self._symbols(y - mu, log_sigma.clamp(*LOG_SIGMA).exp())
        seen = torch.where(first, symbols + mu, 0.0)
        after = self.distribution(psi, seen)
        return tuple(torch.where(first, a, b) for a, b in zip(before, after, strict=True))

    def _symbols(self, residual: Tensor, sigma: Tensor) -> Tensor:
        """What is coded of the latents minus their means: rounded in training, with gradients."""
        if self.training:
            return straight_through(residual)
        return self.quantizer(residual, gaussian.indexes(sigma))

    def _at_once(self, y: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        """All places at once, from latents that are rounded without their mean: an estimate.

        What a decoder sees, Q(y - mu) + mu, would take as many passes as there are steps.
        """
        return self.distribution(psi, noise(y) if self.training else y.round())

    @torch.no_grad()
    def freeze(self) -> tuple[dict[str, Tables], dict[str, FixedPointNetwork]]:
        """The integer tables of streams z and y, and the networks that choose among them."""
        tables = {"z": self.density_z.tables(torch.ones(1, self.H)), "y": gaussian.tables(self.shape)}
        borders = gaussian.scale_borders().log()
        networks = {
            "h_s": convert(self.h_s),
            "context": convert(nn.Sequential(self.context.gathered()), fraction=FRACTION_BITS),
            "parameters": convert(self.parameters_of, fraction=FRACTION_BITS),
            "mean": convert(nn.Sequential(self.mean), fraction=FRACTION_BITS),
            "index": convert(nn.Sequential(self.log_sigma), borders, fraction=FRACTION_BITS),
        }
        return tables, networks


class ContextCoder:
    """Codes latents with the integers of a `ContextPrior`, step by step."""

    def __init__(
        self,
        order: Order,
        tables: dict[str, Tables],
        networks: dict[str, FixedPointNetwork],
        quantizer: Rounding | None = None,
    ):
        self.order, self.tables, self.networks = order, tables, networks
        self.quantizer = quantizer or Rounding()

    @torch.inference_mode()
    def encode(self, y: Tensor, z_hat: Tensor) -> Streams:
        """Streams z and y of latents y (1, M, h, w) and of z_hat (1, H, h / 4, w / 4), integers."""
        walk = Walk(self.order, self.networks, z_hat, y.shape[1:])
        symbols, indexes = np.empty(y.numel(), np.int32), np.empty(y.numel(), np.uint8)
        y, done = y[0].flatten(1), 0
        for places in walk.places():
            mu, index = walk.distribution(places)
            symbol = self.quantizer(y[:, places] - mu * 2.0**-FRACTION_BITS, index)
            symbol = symbol.clamp_(-SYMBOL_LIMIT, SYMBOL_LIMIT).to(torch.int32)
            walk.put(places, symbol, mu)
            now = slice(done, done := done + symbol.numel())
            symbols[now], indexes[now] = symbol.flatten().cpu().numpy(), index.flatten().cpu().numpy()
        return {
            "z": write_symbols(z_hat, channel_indexes(z_hat.shape, z_hat.device), self.tables["z"]),
            "y": rans.encode(symbols, indexes, self.tables["y"]),
        }

    @torch.inference_mode()
    def decode(self, streams: Streams, z_shape: tuple[int, ...], device: torch.device) -> dict[str, Tensor]:
        """z_hat of shape (1, H, h / 4, w / 4) and y_hat (1, M, h, w) in multiples of 2^-12, int32.

        Raises BitstreamError unless the streams fit.
        """
        z_hat = read_symbols("z", streams, channel_indexes(z_shape, device), self.tables["z"])
        M = len(self.networks["mean"].layers[-1].bias)
        walk = Walk(self.order, self.networks, z_hat, (M, 4 * z_shape[2], 4 * z_shape[3]))
        with section("y"):
            decoder = rans.Decoder(streams["y"], math.prod(walk.shape), self.tables["y"])
            for places in walk.places():
                mu, index = walk.distribution(places)
                symbol = torch.from_numpy(decoder.read(index.flatten().cpu().numpy())).to(device)
                if symbol.min() < -SYMBOL_LIMIT or symbol.max() > SYMBOL_LIMIT:
                    raise BitstreamError(f"latents: a symbol above {SYMBOL_LIMIT}")
                walk.put(places, symbol.view(index.shape), mu)
            if decoder.finish() != len(streams["y"]):
                raise BitstreamError(f"rans: {len(streams['y'])} bytes, expected {decoder.finish()}")
        return {"z": z_hat, "y": walk.latents()}


class Walk:
    """Latents (M, h, w) in the making: what is decoded so far, and what follows for other places."""

    def __init__(
        self,
        order: Order,
        networks: dict[str, FixedPointNetwork],
        z_hat: Tensor,
        shape: tuple[int, int, int],
    ):
        self.order, self.networks, self.shape = order, networks, tuple(shape)
        M, height, width = shape
        self.psi = networks["h_s"].in_bands(z_hat, BAND)[0].flatten(1)
        self.row = width + 2 * MARGIN
        self.seen = torch.zeros(M, (height + 2 * MARGIN) * self.row, dtype=torch.int32, device=z_hat.device)
        self.neighbours = (order.taps @ torch.tensor([self.row, 1])).to(z_hat.device)
        self.has_context = True

    def places(self) -> Iterator[Tensor]:
        """Positions in the raster, in the order in which they are coded, a batch at a time."""
        for number, step in enumerate(self.order.steps(*self.shape[1:])):
            self.has_context = number > 0  # places of one step do not see each other
            yield from step.to(self.seen.device).split(CHUNK)

    @torch.inference_mode()
    def distribution(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """mu, float64 multiples of 2^-12 as integers, and the table's index, uint8; (M, P) each."""
        h = self.psi[None, :, None, places].double()
        if self.has_context:
            network = self.networks["context"]
            channels = network.inputs // len(self.neighbours)
            seen = self.seen[:channels, self._inside(places) + self.neighbours[:, None]]  # (C, T, P)
            h += network(seen.flatten(0, 1)[None, :, None])
        h = self.networks["parameters"](leaky(h.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT), LEAK))
        mu, index = (self.networks[name](h)[0, :, 0] for name in ("mean", "index"))
        return mu.clamp_(-LIMIT, LIMIT), index

    def put(self, places: Tensor, symbol: Tensor, mu: Tensor) -> None:
        """Enter what is decoded at some places."""
        self.seen[:, self._inside(places)] = (symbol << FRACTION_BITS) + mu.to(torch.int32)

    def latents(self) -> Tensor:
        """y_hat (1, M, h, w) in multiples of 2^-12, int32."""
        M, height, _ = self.shape
        seen = self.seen.view(1, M, height + 2 * MARGIN, self.row)
        return seen[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()

    def _inside(self, places: Tensor) -> Tensor:
        """Where in the rows of `seen`, which have a margin, some places are."""
        width = self.shape[2]
        return (places // width + MARGIN) * self.row + places % width + MARGIN
