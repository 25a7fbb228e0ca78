r"""Codecs that send a picture again and again, each time what is still missing.

    r_(t-1) = x - x_hat_(t-1)  --> E --> B --> b_t      BITS bits at each 16 x 16 pixels: 1/8 bit a pixel
    b_t --> D --> x_hat_t                           from b_1 to b_t, by one of four schemes

Both networks remember: their layers are recurrent cells. A file holds the bits of each iteration in a
section of its own and may be cut behind any of them: every iteration is a stage. How bits are coded,
`BitsPrior` knows. The encoder runs the decoder to find r_(t-1). Should another machine's floats differ, it
shows other pixels, but it reads the same bits. A large picture is coded window by window, so that memory
does not grow with it.

Schemes: "additive", x_hat_t = x_hat_(t-1) + D_t; "one-shot", x_hat_t = D_t; "stepped", additive, with
residuals that a factor for each iteration has enlarged; "scaled", the same times a network G(x_hat). A
residual that shrinks from iteration to iteration would end as bits that are drawn like coins: factors keep
it at one size.

Subclasses give the parts. Two of these may be left out: `gain` makes the factors of the last two schemes.
With a `tile_map`, a tile of 16 x 16 pixels that is good enough stops early when the encoder is asked for
effort 1: later iterations leave out its bits, which the decoder takes for 0.

Source: Toderici et al., "Full resolution image compression with recurrent neural networks", CVPR 2017.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib import picture
from codec_lib.layers.recurrent import State
from codec_lib.layers.windows import windows
from codec_lib.models.base import Model, crop, pad, samples
from codec_lib.priors.base import Sections
from codec_lib.priors.bits import BitsPrior
from codec_lib.priors.coarse_to_fine import CoarseToFine
from codec_lib.setting import Setting

if TYPE_CHECKING:
    from codec_lib.training.objectives import Objective
    from codec_lib.training.settings import Settings

BITS = 32  # at each place of a sixteenth of the size
ITERATIONS = Setting("iterations", coarsest=1, finest=16, default=8, step=1)
SCHEMES = ("additive", "one-shot", "scaled", "stepped")
STRIDE = 16
T = int(ITERATIONS.finest)  # as many as there can be
WINDOW_TILES, MARGIN_TILES = 128, 4  # a large picture is coded in windows of that side, one by one


class RecurrentNetwork(nn.Module, ABC):
    """A network with `cells`, which changes the state of each of them."""

    cells: nn.ModuleList

    @abstractmethod
    def forward(self, x: Tensor, states: list[State], t: int) -> Tensor:
        """The output in iteration t, from 0; states[k] is that of cells[k], before and after."""


class RecurrentEncoder(RecurrentNetwork):
    """E and B."""

    @abstractmethod
    def start(self, x: Tensor, states: list[State], t: int) -> tuple[Tensor, Tensor]:
        """Where training begins: which of its channels iteration t sends, (BITS,), and their mean sizes."""


class RecurrentDecoder(RecurrentNetwork):
    """D."""

    @abstractmethod
    def start(self, t: int, sent: Tensor, size: Tensor) -> None:
        """Where training begins: add such sizes of such channels, (BITS,) both, in iteration t."""


class IterationGain(nn.Module, ABC):
    """How much to enlarge what is missing before it is sent."""

    @abstractmethod
    def forward(self, x_hat: Tensor, t: int) -> Tensor:
        """Factors above 0 for iteration t, 1 or more: a scalar, or (B, 1, H, W)."""

    def start(self, missing: Tensor, t: int) -> None:
        """Where training begins: suit what is missing of some pictures, (B, 3, H, W)."""


class IterativeCodec(Model):
    """E with B, D, the prior of bits, and what may be left out: G, and the map of tiles that stop early.

    encoder maps (B, 3, H, W) to bits -1 or 1 (B, BITS, H/16, W/16), decoder maps these back. Among the
    widths, K is that of the prior.

    repeats: how many times more both networks run, on the same input, in the first iteration and in any
    later one, so that their memory has something in it (see `Primed`). error: what training makes small,
    one of `codec_lib.training.iterations.ERRORS`.
    """

    setting = ITERATIONS
    stride = STRIDE

    def __init__(
        self,
        widths: dict[str, int],
        encoder: RecurrentEncoder,
        decoder: RecurrentDecoder,
        scheme: str = "additive",
        gain: IterationGain | None = None,
        repeats: tuple[int, int] = (0, 0),
        has_tile_map: bool = False,
        error: str = "absolute",
    ):
        super().__init__(**widths)
        self.encoder, self.decoder, self.scheme, self.gain = encoder, decoder, scheme, gain
        self.repeats, self.error = repeats, error
        self.prior = BitsPrior(BITS, int(ITERATIONS.finest), widths["K"], self.frozen)
        self.tile_map = CoarseToFine(int(ITERATIONS.finest), self.frozen) if has_tile_map else None
        self.best_effort = int(has_tile_map)

    def stages(self, setting: float) -> tuple[tuple[str, ...], ...]:
        first, *later = ((f"bits {t}",) for t in range(1, int(setting) + 1))
        return (("map", *first) if self.tile_map else first, *later)

    def forward(
        self, x: Tensor, iterations: int, enough: Tensor | None = None, is_rate_wanted: bool = False
    ) -> tuple[list[Tensor], Tensor]:
        """x_hat after each iteration, (B, 3, H, W), and all bits (B, t, BITS, H/16, W/16).

        Or, where the rate is wanted, instead of bits the share (B,) of them that a file takes; gradients
        then reach the prior alone. x is in [0, 1], its sides divide by 16. In training bits are drawn, else
        decided. A tile stops once its mean squared error is `enough`, (B,): from then on its bits are 0.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not is_rate_wanted):
            sent, pictures = zip(*self.iterate(x, iterations, enough), strict=True)
            bits = torch.stack(sent, 1)
        if is_rate_wanted:
            return list(pictures), self.prior(bits).sum(1) / bits.abs().flatten(1).sum(1)
        return list(pictures), bits

    def iterate(
        self, x: Tensor, iterations: int, enough: Tensor | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The same, one iteration after the other: bits and x_hat."""
        unfolding = Unfolding(self, x)
        goes_on = x.new_ones(len(x), 1, x.shape[2] // STRIDE, x.shape[3] // STRIDE)
        for t in range(iterations):
            if enough is not None and t:
                error = tile_errors(x, unfolding.x_hat.detach())
                goes_on = goes_on * (error > enough[:, None, None, None])
            bits = unfolding.send(x) * goes_on
            yield bits, unfolding.add(bits)

    def start_from(self, other: nn.Module) -> None:
        """The same, of any iterative codec of these widths; what that one lacks stays as it is."""
        self.take_from(other.state_dict())

    @torch.no_grad()
    def start(self, x: Tensor) -> None:
        """Before training: measure with pictures x (B, 3, H, W) what each iteration had better send."""
        unfolding = Unfolding(self, x)
        for t in range(T):
            if self.gain is not None and t:
                self.gain.start(2 * (x - unfolding.x_hat), t)
                unfolding.factor = self.gain(unfolding.x_hat, t)
            self.decoder.start(t, *self.encoder.start(unfolding.missing(x), list(unfolding.of_encoder), t))
            unfolding.add(unfolding.send(x))

    def freeze(self) -> "IterativeCodec":
        self.prior.freeze()
        if self.tile_map:
            self.tile_map.freeze()
        return self

    @torch.inference_mode()
    def compress(self, levels: Tensor, setting: float, effort: int = 0) -> Sections:
        """With effort 1 a tile stops once it is as good as the picture would be after all iterations."""
        x, iterations, enough = pad(levels, self.stride), int(setting), None
        h, w = x.shape[-2] // STRIDE, x.shape[-1] // STRIDE
        parts = windows(h, w, WINDOW_TILES, MARGIN_TILES)
        if effort:
            errors = torch.empty(1, 1, h, w, device=x.device)
            for part in parts:
                seen = samples(part.of(x, STRIDE))
                *_, (_, x_hat) = self.iterate(seen, iterations)
                part.put(errors, tile_errors(seen, x_hat))
            enough = errors.mean()[None]
        bits = torch.empty(iterations, BITS, h, w, dtype=torch.int8, device=x.device)
        for part in parts:
            for t, (sent, _) in enumerate(self.iterate(samples(part.of(x, STRIDE)), iterations, enough)):
                part.put(bits[t], sent[0].to(torch.int8))
        sections = Sections()
        if self.tile_map:
            sections["map"] = self.tile_map.encode(bits.any(1).sum(0), iterations)
        names = (group[-1] for group in self.stages(setting))
        return sections | dict(zip(names, self.prior.encode(bits), strict=True))

    @torch.inference_mode()
    def read(self, sections: Sections, setting: float, height: int, width: int) -> dict[str, Tensor]:
        """The bits of each section that is there, int8 (BITS, h, w): exact on every machine.

        A bit that was left out is 0. "map", where there is one: int64 (h, w), how many iterations each
        tile has. Raises SectionError when a section does not fit the declared size.
        """
        h, w = -(-height // STRIDE), -(-width // STRIDE)
        streams, found = dict(sections), {}
        counts = torch.full((h, w), int(setting))
        if self.tile_map:
            counts = found["map"] = self.tile_map.decode(streams.pop("map"), h, w, int(setting))
        return found | dict(zip(streams, self.prior.decode(streams, counts), strict=True))

    @torch.inference_mode()
    def decompress(self, sections: Sections, setting: float, height: int, width: int) -> Tensor:
        found = self.read(sections, setting, height, width)
        found.pop("map", None)
        bits = torch.stack(list(found.values()))
        h, w = bits.shape[-2:]
        levels = torch.empty(1, 3, h * STRIDE, w * STRIDE, dtype=torch.uint8, device=bits.device)
        for part in windows(h, w, WINDOW_TILES, MARGIN_TILES):
            *_, last = self.pictures(part.of(bits))
            part.put(levels, last, STRIDE)
        return crop(levels, height, width)

    @torch.inference_mode()
    def pictures(self, bits: Tensor) -> Iterator[Tensor]:
        """Levels after each iteration, uint8 (1, 3, 16 h, 16 w), from bits (t, BITS, h, w) as read."""
        h, w = bits.shape[-2:]
        unfolding = Unfolding(self, torch.empty(1, 3, h * STRIDE, w * STRIDE, device=bits.device))
        for iteration in bits:
            signs = iteration[None].to(torch.float32).contiguous(memory_format=torch.channels_last)
            yield picture.round_to_levels(unfolding.add(signs).clone())

    def objective(self, settings: "Settings") -> "Objective":
        from codec_lib.training.iterations import IterationsObjective

        return IterationsObjective(self, settings)


class Unfolding:
    """A picture in the making: x_hat, and the states of both networks; it begins grey."""

    def __init__(self, codec: IterativeCodec, like: Tensor):
        self.codec, self.x_hat = codec, torch.full_like(like, 0.5)
        self.of_encoder: list[State] = [None] * len(codec.encoder.cells)
        self.of_decoder: list[State] = [None] * len(codec.decoder.cells)
        self.factor: Tensor | float = 1.0
        self.iteration = 0

    def missing(self, x: Tensor) -> Tensor:
        """What the encoder sees: of one-shot codecs the residual, too, as the paper has it."""
        return 2 * (x - self.x_hat) * self.factor

    def send(self, x: Tensor) -> Tensor:
        """The bits of this iteration, -1 or 1, (B, BITS, H/16, W/16)."""
        return self._run(self.codec.encoder, self.missing(x), self.of_encoder)

    def add(self, bits: Tensor) -> Tensor:
        """The next x_hat, from an iteration's bits -1 or 1, and 0 where there is none."""
        decoded = self._run(self.codec.decoder, bits, self.of_decoder)
        self.iteration += 1
        if self.codec.scheme == "one-shot":
            self.x_hat = 0.5 + decoded
        else:
            self.x_hat = self.x_hat + decoded / self.factor
        if self.codec.gain is not None and self.iteration < T:
            self.factor = self.codec.gain(self.x_hat, self.iteration)
        return self.x_hat

    def _run(self, network: RecurrentNetwork, x: Tensor, states: list[State]) -> Tensor:
        """The output of the last of one or several runs on the same input."""
        for _ in range(self.codec.repeats[min(self.iteration, 1)]):
            network(x, states, self.iteration)
        return network(x, states, self.iteration)


def tile_errors(x: Tensor, x_hat: Tensor) -> Tensor:
    """The mean squared error of each tile of 16 x 16 pixels, (B, 1, H/16, W/16)."""
    return F.avg_pool2d((x_hat - x).square().mean(1, keepdim=True), STRIDE)
