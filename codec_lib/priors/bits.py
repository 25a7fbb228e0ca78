r"""The prior of bits: what an iteration sends, given all that has been sent before it.

A recurrent codec sends C bits at each place of a small grid, again and again. Bits near one another and
bits of the iterations before tell a lot about the next ones, most of it early on. A small network sees, in
a window of 3 x 3 around the place,

    the bits of this iteration that are decoded already (-1 or 1; 0 for the others, and where none is sent)
    those of the iteration before, and the sum of all earlier ones; for bit planes, of which a bit is worth
    `growth` = 2 of the next plane, what they are worth together
    which iteration this is

and gives for each channel the logit of "the bit is 1". An iteration is decoded in `STEPS` steps: two halves
of the places, as on a checkerboard, and within each of them groups of channels; a step sees the steps
before it.

To code, the network runs in fixed point, and its outputs are compared with thresholds: they choose tables
of two symbols (`codec_lib.priors.decisions`). An iteration that would not get shorter is packed instead,
eight bits to a byte: its length says so. So every machine decodes the same bits. What the pixels look
like plays no part: a decoder whose floats differ shows other pixels and reads the same bits.

Source: the idea is that of BinaryRNN, Toderici et al., CVPR 2017, section 3; the interleaved steps are
those of He et al., CVPR 2021.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codec_lib.entropy import rans
from codec_lib.errors import BitstreamError, section
from codec_lib.exact.canvas import Canvas
from codec_lib.exact.fixed_point import convert
from codec_lib.exact.frozen import Frozen
from codec_lib.exact.order import CHECKERBOARD
from codec_lib.layers.convolution import activation, of_row, weight_and_bias
from codec_lib.priors import decisions

WINDOW = 3
GROUPS = 2  # of channels, for each half of the places
STEPS = 2 * GROUPS
CHUNK = 4096  # places that are computed at once


class BitsPrior(nn.Module):
    """p of C bits at each place of a grid, in up to T iterations or planes, from K channels inside.

    The four verbs of every prior, on bits. `frozen` is that of the codec.
    """

    def __init__(self, C: int, T: int, K: int, frozen: Frozen, growth: int = 1):
        super().__init__()
        self.C, self.T, self.frozen, self.growth = C, T, frozen, growth
        self.network = nn.Sequential(
            nn.Conv2d(3 * C + T, K, WINDOW, padding=WINDOW // 2), activation(),
            nn.Conv2d(K, K, 1), activation(),
            nn.Conv2d(K, C, 1),
        )  # fmt: skip

    def forward(self, bits: Tensor) -> Tensor:
        """Bits to code each iteration of each picture, (B, t); bits -1, 1, or 0 for none, (B, t, C, h, w).

        In training a step is drawn for each iteration, and counts for all of them.
        """
        batch, iterations, _, height, width = bits.shape
        step_of = self.step_of(height, width).to(bits.device)
        before, costs = torch.zeros_like(bits[:, 0]), []
        for t in range(iterations):
            last = bits[:, t - 1] if t else torch.zeros_like(bits[:, 0])
            steps = [int(torch.randint(STEPS, ()))] if self.training else list(range(STEPS))
            cost = torch.zeros(batch, device=bits.device)
            for step in steps:
                seen = torch.where(step_of < step, bits[:, t], 0.0)
                logit = self.network(self.inputs(seen, last, before, t)).float()
                lost = F.softplus(-bits[:, t] * logit) / torch.log(torch.tensor(2.0))
                counts = (step_of == step) & (bits[:, t] != 0)
                cost = cost + torch.where(counts, lost, 0.0).flatten(1).sum(1)
            costs.append(cost * (STEPS / len(steps)))
            before = self.growth * before + bits[:, t]
        return torch.stack(costs, 1)

    def inputs(self, seen: Tensor, last: Tensor, before: Tensor, t: int) -> Tensor:
        """What the network sees of iteration t, (B, 3 C + T, h, w): floats, small ones."""
        before = before * self.growth ** (2.0 - self.T)
        which = torch.zeros(len(seen), self.T, *seen.shape[2:], device=seen.device)
        which[:, t] = 1
        return torch.cat((seen, last, before, which), 1)

    def step_of(self, height: int, width: int) -> Tensor:
        """In which step each bit is decoded, int64 (C, h, w)."""
        return half_of(height, width) * GROUPS + self.group_of()[:, None, None]

    def group_of(self) -> Tensor:
        """The group of each channel, int64 (C,)."""
        return torch.arange(self.C) * GROUPS // self.C

    @torch.no_grad()
    def freeze(self) -> None:
        """Make the tables of both symbols, and the network that chooses among them."""
        gathered = of_row(*weight_and_bias(self.network[0]))
        self.frozen["bits"] = decisions.tables()
        network = nn.Sequential(gathered, *self.network[1:])
        units = torch.ones(3 * self.C + self.T)
        units[2 * self.C : 3 * self.C] = self.growth ** (2.0 - self.T)
        units = units.repeat_interleave(WINDOW**2)
        self.frozen["bits network"] = convert(network, decisions.thresholds(), scale=units)

    def encode(self, bits: Tensor) -> list[bytes]:
        """One section an iteration, of bits -1 or 1, int8 (t, C, h, w); a place with zeros sends none."""
        walk = BitsWalk(self, bits.shape[2], bits.shape[3], bits.device)
        sections = []
        for iteration in bits.flatten(2):
            symbols, indexes = [], []
            for channels, places in walk.steps(iteration.any(0)):
                indexes.append(walk.indexes(channels, places).flatten())
                known = iteration[channels][:, places]
                symbols.append(((known + 1) // 2).flatten())
                walk.put(channels, places, known)
            message = symbols_of(symbols, "int32"), symbols_of(indexes, "uint8")
            coded, packed = rans.encode(*message, self.frozen.tables("bits")), np.packbits(message[0] > 0)
            sections.append(coded if len(coded) < len(packed) else packed.tobytes())
            walk.end_iteration()
        return sections

    def decode(self, sections: dict[str, bytes], counts: Tensor) -> Tensor:
        """The bits -1, 1, or 0 for none, int8 (t, C, h, w), of the first t iterations.

        sections are those of `encode` in its order, by name; counts, int64 (h, w): in how many iterations
        each place sends bits. Raises SectionError for a section that does not fit.
        """
        height, width = counts.shape
        decoders = []  # all of them first: what is too short is refused before there is a canvas
        for t, (name, data) in enumerate(sections.items()):
            with section(name):
                decoders.append(self._decoder(data, self.C * int((counts > t).sum())))
        walk = BitsWalk(self, height, width, next(self.parameters()).device)
        iterations = []
        for t, (name, decoder) in enumerate(zip(sections, decoders, strict=True)):
            with section(name):
                sends = (counts > t).flatten()
                for channels, places in walk.steps(sends):
                    index = walk.indexes(channels, places)
                    symbols = torch.from_numpy(decoder.read(index.flatten().cpu().numpy()))
                    if symbols.min() < 0 or symbols.max() > 1:
                        raise BitstreamError("bits: a symbol that is neither 0 nor 1")
                    walk.put(channels, places, (2 * symbols - 1).view(index.shape).to(index.device))
                decoder.complete()
            iterations.append(walk.current())
            walk.end_iteration()
        return torch.stack(iterations).view(len(iterations), self.C, height, width)

    def _decoder(self, data: bytes, count: int) -> "PackedBits | rans.Decoder":
        """What reads `count` bits from a section."""
        if len(data) == -(-count // 8):
            return PackedBits(data, count)
        return rans.Decoder(data, count, self.frozen.tables("bits"))


def half_of(height: int, width: int) -> Tensor:
    """The half of each place, as on a checkerboard: 0 or 1, int64 (h, w)."""
    return CHECKERBOARD.step_of(torch.arange(height)[:, None], torch.arange(width))


class PackedBits:
    """Reads bits that lie eight to a byte, as `rans.Decoder` does what is coded."""

    def __init__(self, data: bytes, count: int):
        self.bits, self.count, self.done = np.unpackbits(np.frombuffer(data, np.uint8)), count, 0

    def read(self, indexes: np.ndarray) -> np.ndarray:
        """The next bits, int32, as many as there are indexes; these say nothing here."""
        self.done += len(indexes)
        return self.bits[self.done - len(indexes) : self.done].astype(np.int32)

    def complete(self) -> None:
        """BitstreamError if a bit is set that only fills the last byte."""
        if self.bits[self.count :].any():
            raise BitstreamError("bits: the last byte is not filled with zeros")


def symbols_of(parts: list[Tensor], kind: str) -> np.ndarray:
    """One array of numbers of some kind from a list that may be empty."""
    whole = torch.cat(parts) if parts else torch.empty(0)
    return whole.cpu().numpy().astype(kind)


class BitsWalk:
    """The steps that encoder and decoder take through the bits (C, h, w) of all iterations."""

    def __init__(self, prior: BitsPrior, height: int, width: int, device: torch.device):
        self.C, self.growth, self.iteration = prior.C, prior.growth, 0
        self.network = prior.frozen.network("bits network")
        self.canvas = Canvas(3 * prior.C + prior.T, (height, width), WINDOW // 2, torch.int16, device)
        reach = torch.arange(-(WINDOW // 2), WINDOW // 2 + 1)
        self.neighbours = self.canvas.distances(torch.cartesian_prod(reach, reach))
        half_of_place, group_of_channel = half_of(height, width).flatten(), prior.group_of()
        self.order = []
        for half, group in itertools.product(range(2), range(GROUPS)):
            channels = (group_of_channel == group).nonzero()[:, 0]
            places = (half_of_place == half).nonzero()[:, 0]
            self.order.append((channels.to(device), places.to(device)))
        self._enter_iteration()

    def steps(self, sends: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """For each step with bits their channels and places; sends, bool (h w), says where they are."""
        for channels, places in self.order:
            chosen = places[sends.to(places.device)[places]]
            if len(chosen):
                yield channels, chosen

    def indexes(self, channels: Tensor, places: Tensor) -> Tensor:
        """The tables of some bits, uint8 (channels, places)."""
        return torch.cat([self._indexes(part)[channels] for part in places.split(CHUNK)], 1)

    @torch.inference_mode()
    def _indexes(self, places: Tensor) -> Tensor:
        around = self.canvas.bases(places) + self.neighbours[:, None]
        seen = self.canvas.planes[:, around]  # (3 C + T, 9, P)
        return self.network(seen.flatten(0, 1)[None, :, None])[0, :, 0]

    def put(self, channels: Tensor, places: Tensor, bits: Tensor) -> None:
        """Enter bits -1 or 1 (channels, places) of this iteration."""
        self.canvas.planes[channels[:, None], self.canvas.bases(places)] = bits.to(torch.int16)

    def current(self) -> Tensor:
        """The bits of this iteration, int8 (C, h w)."""
        return self.canvas.whole()[: self.C].flatten(1).to(torch.int8)

    def end_iteration(self) -> None:
        """What was this iteration's becomes the last one's, and is added to the sum of all."""
        planes, C = self.canvas.planes, self.C
        planes[2 * C : 3 * C] *= self.growth
        planes[2 * C : 3 * C] += planes[:C]
        planes[C : 2 * C] = planes[:C]
        planes[:C] = 0
        self.iteration += 1
        self._enter_iteration()

    def _enter_iteration(self) -> None:
        which = self.canvas.whole()[3 * self.C :]
        which.zero_()
        which[self.iteration : self.iteration + 1] = 1
