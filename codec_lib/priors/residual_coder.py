"""The residual of a picture, to bytes and back, pixel by pixel on slanted lines.

A picture is cut into tiles, the tiles are coded in raster order, the pixels of a tile in the steps of
`SLANTED`. Pixels of one step do not see each other: the decoder treats them as one batch, and the
encoder, which knows all residuals of a tile, takes as many at a time as it likes. Networks are exact, so
both get the same integers.

A thin picture has few pixels on a slanted line, and would take a step for nearly every pixel. Its tiles
are therefore cut into parts that go through their steps at the same time. Pixels at the border of two parts
see what the other part has decoded so far, so here the encoder goes step by step as the decoder does.

Section `r` of a file, all numbers single bytes:

    colours (1 for grey, else 3), and 4 more where the coder learns;  for each of three colours
    -smallest and largest symbol;  then the stream of `codec_lib.entropy.adaptive`, which learns, or of
    `codec_lib.entropy.mixture`

Of a small picture, in which there is little to learn from, the encoder takes the shorter stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from codec_lib.entropy import rans_entries
from codec_lib.entropy.adaptive import Adaptive
from codec_lib.entropy.mixture import Fixed
from codec_lib.entropy.mixture_density import Alphabet, MixtureTables
from codec_lib.errors import BitstreamError
from codec_lib.exact.canvas import Canvas
from codec_lib.exact.fixed_point import ACTIVATION_LIMIT, leaky
from codec_lib.exact.frozen import Frozen
from codec_lib.exact.order import SLANTED
from codec_lib.layers.convolution import LEAK

HEAD_BYTES = 7  # bytes before the stream
LEARNS = 4  # in the first of them
SMALL = 1 << 16  # pixels: with more, the coder that learns was better on every picture tried
TILE = 512, 768  # rows and columns; more take more memory and fewer steps a pixel
THIN, LONG = 64, 256  # a picture less than THIN wide or high and more than LONG the other way
PART = 64, 64  # rows and columns of the parts of its tiles
CHUNK = 4096  # pixels that the encoder treats at once
FEATURE_ROWS = 16  # rows of features at once
CENTRE = 128  # of the levels that networks see
WINDOW, SURROUND = 7, 5  # sides of what is seen of residuals and of x_tilde


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture of `width` columns: its pixels in steps, and what its features say.

    Pixels are positions in the tile's raster, places are positions in the picture's. u int32 (4 n, C): for
    each of the n squares of 2 x 2 pixels its upper left pixel, upper right, lower left, lower right.
    """

    top: int
    left: int
    columns: int
    width: int
    steps: list[Tensor]
    is_in_parts: bool
    u: Tensor

    def batches(self) -> list[Tensor]:
        """Pixels that an encoder can take at once."""
        steps = self.steps if self.is_in_parts else [torch.cat(self.steps)]
        return [batch for step in steps for batch in step.split(CHUNK)]

    def places(self, pixels: Tensor) -> Tensor:
        """Positions in the picture of positions in the tile."""
        rows, columns = pixels // self.columns, pixels % self.columns
        return (rows + self.top) * self.width + columns + self.left

    def features_of(self, pixels: Tensor) -> Tensor:
        """u int32 (C, P) of positions in the tile."""
        rows, columns = pixels // self.columns, pixels % self.columns
        half = rows // 2 * -(-self.columns // 2) + columns // 2
        return self.u[4 * half + 2 * (rows % 2) + columns % 2].T


class ResidualCoder:
    """Codes residuals on top of one x_tilde.

    Args:
        frozen: the integers of a `ResidualPrior`.
        x_tilde: uint8 (3, H', W'), the lossy layer; features: (N, H'/2, W'/2), integers.
        size: rows and columns of the picture, at most H' and W'.
        alphabet: tau and the range of symbols of each colour.
    """

    def __init__(
        self, frozen: Frozen, x_tilde: Tensor, features: Tensor, size: tuple[int, int], alphabet: Alphabet
    ):
        self.frozen, self.tables, self.alphabet = frozen, frozen.mixture_tables("r"), alphabet
        self.x_tilde, self.features = x_tilde, features
        self.height, self.width = size
        tau = min(alphabet.tau, sum(name.startswith("corrected.") for name in frozen))
        self.pixel_network = frozen.network(f"corrected.{tau}" if tau else "lossless")
        # What the network of neighbours sees: residuals, and x_tilde - CENTRE also in the margin.
        margin = WINDOW // 2
        self.canvas = Canvas(6, size, margin, torch.int16, x_tilde.device)
        shown = x_tilde[:, : self.height + margin, : self.width + margin].to(torch.int16) - CENTRE
        planes = self.canvas.planes.view(6, *self.canvas.padded)
        planes[3:, margin : margin + shown.shape[1], margin : margin + shown.shape[2]] = shown
        self.neighbours = neighbours(self.canvas)

    @torch.inference_mode()
    def encode(self, r_hat: Tensor, colours: int) -> tuple[bytes, bool]:
        """The bytes of quantized residuals int32 (3, H, W), of which the first `colours` count.

        Also whether the coder learns that wrote them.
        """
        flat, is_small = r_hat.flatten(1), self.height * self.width <= SMALL
        coders = [coder(*self.known()) for coder in ((Adaptive, Fixed) if is_small else (Adaptive,))]
        entries: list[list[np.ndarray]] = [[] for _ in coders]
        for tile in self.tiles():
            if not tile.is_in_parts:
                places = tile.places(torch.cat(tile.steps))  # the next tile stays zero, as a decoder has it
                self.canvas.put(places, flat[:, places])
            for pixels in tile.batches():
                places = tile.places(pixels)
                values = flat[:colours, places].T.contiguous().cpu().numpy()
                given = values, places.cpu().numpy(), self.outputs(tile, pixels, places)
                for coder, own in zip(coders, entries, strict=True):
                    own.append(coder.entries(*given))
                if tile.is_in_parts:
                    self.canvas.put(places, flat[:, places])
        streams = []
        for own in entries:
            streams.append(rans_entries.encode(*own))
            rans_entries.check(streams[-1], *own)
        shortest = min(streams, key=len)
        return shortest, shortest is streams[0]

    @torch.inference_mode()
    def decode(self, data: bytes, colours: int, learns: bool) -> Tensor:
        """Quantized residuals int32 (3, H, W) from the bytes; BitstreamError unless they fit exactly."""
        decoder = (Adaptive if learns else Fixed)(*self.known(), data)
        r_hat = torch.empty(3, self.height * self.width, dtype=torch.int32, device=self.x_tilde.device)
        for tile in self.tiles():
            for step in tile.steps:
                for pixels in step.split(CHUNK) if tile.is_in_parts else [step]:
                    places = tile.places(pixels)
                    values = np.empty((len(pixels), colours), dtype=np.int32)
                    decoder.read(values, places.cpu().numpy(), self.outputs(tile, pixels, places))
                    r_hat[:, places] = torch.from_numpy(values).to(r_hat.device).T.expand(3, -1)
                    self.canvas.put(places, r_hat[:, places])
        if decoder.finish() != len(data):
            raise BitstreamError(f"residual: {len(data)} bytes, expected {decoder.finish()}")
        return r_hat.view(3, self.height, self.width)

    def known(self) -> tuple[np.ndarray, Alphabet, MixtureTables]:
        """What a coder of samples has to know of the picture."""
        x_tilde = self.x_tilde[:, : self.height, : self.width].contiguous().cpu().numpy()
        return x_tilde, self.alphabet, self.tables

    def tiles(self) -> Iterator[Tile]:
        """The tiles of the picture, with what their features say."""
        rows, columns = TILE
        is_thin = min(self.height, self.width) < THIN and max(self.height, self.width) > LONG
        if is_thin:  # as many pixels as ever, but all along the picture
            columns = min(TILE[0] * TILE[1] // min(self.height, TILE[0]), 1 << 16)
            rows = TILE[0] * TILE[1] // min(self.width, columns)
        for top in range(0, self.height, rows):
            for left in range(0, self.width, columns):
                bottom, right = min(top + rows, self.height), min(left + columns, self.width)
                steps = SLANTED.steps(bottom - top, right - left, PART if is_thin else None)
                steps = [step.to(self.x_tilde.device) for step in steps]
                u = self._features_in(top, left, bottom, right)
                yield Tile(top, left, right - left, self.width, steps, is_thin, u)

    def outputs(self, tile: Tile, pixels: Tensor, places: Tensor) -> np.ndarray:
        """The parameter network's outputs, int32 (P, 50), for some pixels of a tile."""
        seen = self.canvas.planes.take(self.canvas.bases(places) + self.neighbours[:, None])
        h = self.frozen.network("neighbours")(seen[None, :, None])[0, :, 0]
        u = tile.features_of(pixels)
        h[: len(u)] += u
        outputs = self.pixel_network(leaky(h[None, : len(u), None], LEAK))[0, :, 0]
        outputs[: len(h) - len(u)] += h[len(u) :]
        outputs = outputs.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).to(torch.int32)
        return outputs.T.contiguous().cpu().numpy()

    def _features_in(self, top: int, left: int, bottom: int, right: int) -> Tensor:
        halves = self.features[None, :, top // 2 : -(-bottom // 2), left // 2 : -(-right // 2)]
        network = self.frozen.network("features")
        bands = [network(band)[0] for band in halves.split(FEATURE_ROWS, dim=2)]
        u = torch.cat([band.to(torch.int32).flatten(1).T.contiguous() for band in bands])
        return u.view(4 * len(u), -1)


def neighbours(canvas: Canvas) -> Tensor:
    """How far from a base, in six planes laid end to end, are the numbers that a pixel depends on.

    First the residuals, colour by colour, at the taps of the order; then x_tilde at all places of its
    window.
    """
    reach = torch.arange(-(SURROUND // 2), SURROUND // 2 + 1)
    causal = canvas.distances(SLANTED.taps(WINDOW))
    around = canvas.distances(torch.cartesian_prod(reach, reach))
    planes = torch.arange(6, device=causal.device)[:, None] * canvas.planes.shape[1]
    return torch.cat(((planes[:3] + causal).flatten(), (planes[3:] + around).flatten()))


def encode(
    r_hat: Tensor, frozen: Frozen, x_tilde: Tensor, features: Tensor, tau: int, colours: int
) -> bytes:
    """Section `r` of quantized residuals int32 (3, H, W), multiples of 2 tau + 1."""
    symbols = (r_hat // (2 * tau + 1)).flatten(1)
    ends = torch.stack((symbols.amin(1).clamp(max=0), symbols.amax(1).clamp(min=0)), 1)
    alphabet = Alphabet(tau, ends.long().cpu().numpy())
    coder = ResidualCoder(frozen, x_tilde, features, (r_hat.shape[1], r_hat.shape[2]), alphabet)
    stream, learns = coder.encode(r_hat, colours)
    return bytes([colours + LEARNS * learns, *np.abs(alphabet.ranges).flatten().tolist()]) + stream


class Head(NamedTuple):
    """What a section says before its stream."""

    alphabet: Alphabet
    colours: int
    learns: bool


def read_head(data: bytes, tau: int) -> Head:
    """The head of section `r`; BitstreamError for what `encode` does not write."""
    if len(data) < HEAD_BYTES:
        raise BitstreamError(f"residual: {len(data)} bytes, expected {HEAD_BYTES} at least")
    colours, learns = data[0] & ~LEARNS, bool(data[0] & LEARNS)
    if colours not in (1, 3):
        raise BitstreamError(f"residual: first byte {data[0]}, allowed are 1, 3, 5 and 7")
    ranges = np.array(list(data[1:HEAD_BYTES]), dtype=np.int64).reshape(3, 2) * (-1, 1)
    return Head(Alphabet(tau, ranges), colours, learns)
