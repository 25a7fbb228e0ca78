r"""The prior of a volume: symbols (C, h, w), each from those in earlier planes i + j + k.

    symbols so far --> trimmed conv 5^3 --(+)--> res(two trimmed conv 3^3) --> trimmed conv 3^3
    side, channel k ---------------------^                                       L - 1 logits

A convolution in three dimensions treats the channels of a latent like rows and columns: what lies nearby in
any of the three is seen, once it is decoded. Symbols enter as odd numbers around zero (of an odd number of
levels as even ones), zero is what is not known: a place that is decoded later, one outside, one where
nothing is sent. `side`, maps that the decoder has before, and the number of the channel say what to expect
anyway. The logits are those of `codec_lib.priors.decisions`.

In training all planes are computed at once. When coding, the same layers run in fixed point, plane after
plane: what a layer gave for earlier planes is kept (`VolumeWalk`), so that each place is computed once.

Sources: Mentzer et al., "Conditional probability models for deep image compression", CVPR 2018 (the
network); Li et al., IEEE Transactions on Image Processing 2020 (planes).
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from codec_lib.entropy import rans
from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.errors import BitstreamError, section
from codec_lib.exact import diagonal
from codec_lib.exact.canvas import Canvas
from codec_lib.exact.fixed_point import convert, to_int32
from codec_lib.exact.frozen import Frozen
from codec_lib.exact.integer_layer import activate_integers
from codec_lib.layers.convolution import activate, of_row
from codec_lib.layers.masked import MaskedConv3d
from codec_lib.priors import decisions

FIRST, WINDOW = 5, 3  # sides of the windows of the first layer and of the others
LARGEST_LOGIT = 11.0  # what is certain is most of a volume
COUNT = 4  # bytes in front of a section: how many decisions it has
CHUNK = 1024  # places of a plane that go through a layer at once
BLOCK_SIDE = 128  # rows and columns of a volume that are decoded together: larger ones are cut


class VolumePrior(nn.Module):
    """p of L symbols in C channels, from K channels inside and S maps `side`.

    The parts of a section are named by `name`; `frozen` is that of the codec.
    """

    def __init__(self, name: str, C: int, L: int, K: int, S: int, frozen: Frozen):
        super().__init__()
        self.name, self.C, self.L, self.frozen = name, C, L, frozen
        inner = diagonal.taps(WINDOW, strict=False)
        self.first = MaskedConv3d(1, K, FIRST, diagonal.taps(FIRST, strict=True), bias=False)
        self.side = nn.Conv2d(S, K, 1, bias=False) if S else None
        self.of_channel = nn.Parameter(torch.zeros(K, C))
        self.second, self.third = (MaskedConv3d(K, K, WINDOW, inner) for _ in range(2))
        self.last = MaskedConv3d(K, L - 1, WINDOW, inner)

    def forward(self, symbols: Tensor, sent: Tensor | None = None, side: Tensor | None = None) -> Tensor:
        """Bits of each symbol, (B, C, h, w); symbols 0 to L - 1, no gradient reaches them.

        sent, bool (B, C, h, w): which are sent, all unless given; what is not costs nothing. side is
        (B, S, h, w).
        """
        symbols = symbols.detach()
        seen = odd(symbols, self.L)
        if sent is not None:
            seen = seen * sent
        psi = self.of_channel[:, :, None, None]
        if self.side is not None:
            psi = psi + self.side(side)[:, :, None]
        h = activate(self.first(seen[:, None].float()) + psi)
        h = activate(h + self.third(activate(self.second(h))))
        bits = decisions.bits(self.last(h), symbols, self.L)
        return bits if sent is None else torch.where(sent, bits, 0.0)

    @torch.no_grad()
    def freeze(self) -> None:
        """Make the tables, and the networks of gathered neighbours."""
        parts = {
            "first": convert(_gathered(self.first)),
            "channel": convert(nn.Sequential(of_row(self.of_channel))),
            "second": convert(_gathered(self.second), fraction=FRACTION_BITS),
            "third": convert(_gathered(self.third), fraction=FRACTION_BITS),
            "last": convert(_gathered(self.last), decisions.thresholds(LARGEST_LOGIT), FRACTION_BITS),
        }
        if self.side is not None:
            parts["side"] = convert(nn.Sequential(self.side))
        self.frozen.update({f"{self.name} {part}": network for part, network in parts.items()})
        self.frozen[self.name] = decisions.tables(LARGEST_LOGIT)

    @torch.inference_mode()
    def encode(self, symbols: Tensor, sent: Tensor | None = None, side: Tensor | None = None) -> bytes:
        """The bytes of symbols, integers (C, h, w); side are integers (S, h, w)."""
        decided, indexes = [torch.empty(0, dtype=torch.int32)], [torch.empty(0, dtype=torch.uint8)]
        for walk, rows, columns in self._walks(symbols, sent, side):
            block = symbols[:, rows, columns].flatten()
            for places in walk.steps():
                chosen = walk.indexes(places)
                walk.put(places, block[places])
                coded = walk.sent[places]
                now = decisions.write(block[places][coded], chosen[:, coded], self.L)
                decided.append(now[0].cpu())
                indexes.append(now[1].cpu())
            del walk  # before the next one is made
        message = torch.cat(decided).numpy(), torch.cat(indexes).numpy()
        return len(message[0]).to_bytes(COUNT, "little") + rans.encode(
            *message, self.frozen.tables(self.name)
        )

    @torch.inference_mode()
    def decode(
        self, data: bytes, size: tuple[int, int], sent: Tensor | None = None, side: Tensor | None = None
    ) -> Tensor:
        """The symbols, int64 (C, h, w), 0 where none is sent. Raises SectionError for what does not fit."""
        device = self.of_channel.device
        symbols_sent = self.C * math.prod(size) if sent is None else int(sent.sum())
        least, most = (symbols_sent * depth for depth in decisions.depths(self.L))
        with section(self.name):
            count = int.from_bytes(data[:COUNT], "little")
            if len(data) < COUNT:
                raise BitstreamError(f"decisions: {len(data)} bytes, expected at least {COUNT}")
            if not least <= count <= most:
                raise BitstreamError(f"decisions: {count}, expected {least} to {most}")
            decoder = rans.Decoder(data[COUNT:], count, self.frozen.tables(self.name))
            symbols = torch.zeros(self.C, *size, dtype=torch.int64, device=device)

            def decide(tables: Tensor) -> Tensor:
                if decoder.done + len(tables) > count:
                    raise BitstreamError(f"decisions: {count}, expected more")
                bits = torch.from_numpy(decoder.read(tables.cpu().numpy()))
                if bits.min() < 0 or bits.max() > 1:
                    raise BitstreamError("decisions: a symbol that is neither 0 nor 1")
                return bits.to(device)

            for walk, rows, columns in self._walks(symbols, sent, side):
                block = torch.zeros_like(symbols[:, rows, columns]).flatten()
                for places in walk.steps():
                    coded = walk.sent[places]
                    block[places[coded]] = decisions.read(decide, walk.indexes(places)[:, coded], self.L)
                    walk.put(places, block[places])
                symbols[:, rows, columns] = block.view(symbols[:, rows, columns].shape)
                del walk
            decoder.complete()
        return symbols

    def _walks(
        self, symbols: Tensor, sent: Tensor | None, side: Tensor | None
    ) -> Iterator[tuple["VolumeWalk", slice, slice]]:
        """A walk for each block of a volume of which anything is sent, and its rows and columns."""
        height, width = symbols.shape[1:]
        if sent is None:
            sent = torch.ones_like(symbols, dtype=torch.bool)
        for top in range(0, height, BLOCK_SIDE):
            for left in range(0, width, BLOCK_SIDE):
                rows, columns = (
                    slice(top, min(top + BLOCK_SIDE, height)),
                    slice(left, min(left + BLOCK_SIDE, width)),
                )
                if not sent[:, rows, columns].any():
                    continue
                of_block = None if side is None else side[:, rows, columns]
                yield VolumeWalk(self, sent[:, rows, columns], of_block), rows, columns


class VolumeWalk:
    """The planes of a block that encoder and decoder go through; sent is bool (C, h, w), side (S, h, w)."""

    def __init__(self, prior: VolumePrior, sent: Tensor, side: Tensor | None):
        self.frozen, self.name, self.L = prior.frozen, prior.name, prior.L
        depth, height, width = sent.shape
        self.size, self.sent, self.device = (depth, height, width), sent.flatten(), sent.device
        K = len(prior.of_channel)
        self.symbols = Canvas(1, self.size, FIRST // 2, torch.int16, self.device)
        self.inner = [
            Canvas(K, self.size, WINDOW // 2, torch.int32, self.device, channels_last=True)
            for _ in range(3)
        ]
        self.strict = self.symbols.distances(prior.first.taps)[:, None]
        self.near = self.inner[0].distances(prior.last.taps)[:, None]
        self.of_channel = self._network("channel", torch.eye(self.size[0], device=self.device))
        self.of_side = None if side is None else self._network("side", side.flatten(1).T)

    def steps(self) -> list[Tensor]:
        """The places of each plane."""
        return [places.to(self.device) for places in diagonal.steps(self.size)]

    def indexes(self, places: Tensor) -> Tensor:
        """The tables of the decisions at the places of a plane, uint8 (L - 1, P).

        A layer sees what the one before it gave in the same plane, so it waits for all of that.
        """
        chunks = places.split(CHUNK)
        for layer in (self._first, self._second, self._third):
            for chunk in chunks:
                layer(chunk, self.inner[0].bases(chunk))
        return torch.cat([self._last(self.inner[0].bases(chunk)) for chunk in chunks]).T

    def _first(self, places: Tensor, bases: Tensor) -> None:
        area = self.size[1] * self.size[2]
        psi = self.of_channel[places // area]
        if self.of_side is not None:
            psi = psi + self.of_side[places % area]
        around = self.symbols.bases(places) + self.strict
        self.inner[0].rows[bases] = to_int32(
            activate_integers(self._gathered("first", self.symbols, around) + psi)
        )

    def _second(self, _: Tensor, bases: Tensor) -> None:
        h = activate_integers(self._gathered("second", self.inner[0], bases + self.near))
        self.inner[1].rows[bases] = to_int32(h)

    def _third(self, _: Tensor, bases: Tensor) -> None:
        h = self.inner[0].rows[bases] + self._gathered("third", self.inner[1], bases + self.near)
        self.inner[2].rows[bases] = to_int32(activate_integers(h))

    def _last(self, bases: Tensor) -> Tensor:
        return self._gathered("last", self.inner[2], bases + self.near)

    def put(self, places: Tensor, symbols: Tensor) -> None:
        """Enter what is decoded at some places; what is not sent stays unknown."""
        self.symbols.put(places, (odd(symbols, self.L) * self.sent[places])[None])

    def _gathered(self, part: str, canvas: Canvas, around: Tensor) -> Tensor:
        """A layer (P, outputs) of what lies around each place, positions (T, P)."""
        return self._network(part, canvas.rows[around.T].flatten(1))

    def _network(self, part: str, rows: Tensor) -> Tensor:
        return self.frozen.network(f"{self.name} {part}").of_rows(rows)


def odd(symbols: Tensor, levels: int) -> Tensor:
    """Symbols as odd numbers (or, of an odd number of levels, even ones) around zero.

    >>> odd(torch.arange(4), 4)
    tensor([-3, -1,  1,  3])
    """
    return 2 * symbols - (levels - 1)


def _gathered(layer: MaskedConv3d) -> nn.Sequential:
    """The same layer on neighbours that lie in a row."""
    return nn.Sequential(of_row(layer.gathered_weight(), layer.bias))
