"""The residual of a picture, to bytes and back, pixel by pixel on slanted lines.

A picture is cut into tiles, the tiles are coded in raster order, the pixels of a tile in the order that
`masked` describes. Pixels of one step do not see each other: the decoder treats them as one batch, and the
encoder, which knows all residuals of a tile, takes as many at a time as it likes. Networks are exact, so
both get the same integers.

Section `r` of a file, all numbers single bytes:

    tau;  colours (1 for grey, else 3);  for each of three colours -smallest and largest symbol
    then the stream of `codec_lib.entropy.mixture`
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from codec_lib.entropy import mixture
from codec_lib.entropy.mixture import Alphabet, MixtureTables
from codec_lib.errors import BitstreamError
from codec_lib.fixed_point import ACTIVATION_LIMIT, FixedPointNetwork, leaky
from codec_lib.layers.masked import SLOPE, taps

HEAD = 8  # bytes before the stream
MAX_TAU = 20
TILE = 512, 768  # rows and columns; more take more memory and fewer steps a pixel
CHUNK = 4096  # pixels that the encoder treats at once
STRIP = 16  # rows of features at once
LEAK = 3  # leaky ReLU has slope 2**-3
CENTRE = 128  # of the levels that networks see
WINDOW, SURROUND = 7, 5  # sides of what is seen of residuals and of x_tilde
MARGIN = WINDOW // 2


class ResidualCoder:
    """Codes residuals on top of one x_tilde.

    Args:
        networks: fixed-point networks "features", "neighbours", "lossless", "corrected.1", ...
        tables: of the mixtures.
        x_tilde: uint8 (3, H', W'), the lossy layer; features: (N, H'/2, W'/2), integers.
        size: rows and columns of the picture, at most H' and W'.
        alphabet: tau and the range of symbols of each colour.
    """

    def __init__(
        self,
        networks: dict[str, FixedPointNetwork],
        tables: MixtureTables,
        x_tilde: Tensor,
        features: Tensor,
        size: tuple[int, int],
        alphabet: Alphabet,
    ):
        self.networks, self.tables, self.alphabet = networks, tables, alphabet
        self.x_tilde, self.features = x_tilde, features
        self.height, self.width = size
        tau = min(alphabet.tau, sum(name.startswith("corrected.") for name in networks))
        self.pixel_network = networks[f"corrected.{tau}" if tau else "lossless"]
        # What the network of neighbours sees, with a margin of zeros: residuals, and x_tilde - CENTRE.
        self.row = self.width + 2 * MARGIN
        self.seen = torch.zeros(
            6, self.height + 2 * MARGIN, self.row, dtype=torch.int16, device=x_tilde.device
        )
        rows, columns = (
            min(whole, part + MARGIN) for whole, part in zip(x_tilde.shape[1:], size, strict=True)
        )
        shown = x_tilde[:, :rows, :columns].to(torch.int16) - CENTRE
        self.seen[3:, MARGIN : MARGIN + rows, MARGIN : MARGIN + columns] = shown
        self.planes = self.seen.flatten(1)
        self.neighbours = neighbours(self.seen.shape).to(x_tilde.device)

    @torch.inference_mode()
    def encode(self, r_hat: Tensor, colours: int) -> bytes:
        """The bytes of quantized residuals int32 (3, H, W), of which the first `colours` count."""
        flat, found = r_hat.flatten(1), []
        for tile in self.tiles():
            places = tile.places(tile.order)  # the tile to the right stays zero, as the decoder has it
            self.planes[:3, self._bases(places)] = flat[:, places].to(torch.int16)
            for pixels in tile.order.split(CHUNK):
                places = tile.places(pixels)
                values = flat[:colours, places].T.contiguous().cpu().numpy()
                found.append(
                    mixture.entries(values, *self._given(tile, pixels, places), self.alphabet, self.tables)
                )
        found = np.concatenate(found)
        data = mixture.encode(found)
        mixture.check(data, found)
        return data

    @torch.inference_mode()
    def decode(self, data: bytes, colours: int) -> Tensor:
        """Quantized residuals int32 (3, H, W) from the bytes; BitstreamError unless they fit exactly."""
        decoder = mixture.Decoder(data, self.alphabet, self.tables)
        r_hat = torch.empty(3, self.height * self.width, dtype=torch.int32, device=self.x_tilde.device)
        for tile in self.tiles():
            for pixels in tile.order.split(tile.counts):
                places = tile.places(pixels)
                values = np.empty((len(pixels), colours), dtype=np.int32)
                decoder.read(values, *self._given(tile, pixels, places))
                values = torch.from_numpy(values).to(r_hat.device).T.expand(3, -1)
                r_hat[:, places] = values
                self.planes[:3, self._bases(places)] = values.to(torch.int16)
        if decoder.finish() != len(data):
            raise BitstreamError(f"residual: {len(data)} bytes, expected {decoder.finish()}")
        return r_hat.view(3, self.height, self.width)

    def tiles(self) -> Iterator["Tile"]:
        """The tiles of the picture, with what their features say."""
        for top in range(0, self.height, TILE[0]):
            for left in range(0, self.width, TILE[1]):
                bottom, right = min(top + TILE[0], self.height), min(left + TILE[1], self.width)
                halves = self.features[None, :, top // 2 : -(-bottom // 2), left // 2 : -(-right // 2)]
                strips = [self.networks["features"](strip)[0] for strip in halves.split(STRIP, dim=2)]
                u = torch.cat([strip.to(torch.int32).flatten(1).T.contiguous() for strip in strips])
                yield Tile(top, left, bottom, right, self.width, u)

    def _given(self, tile: "Tile", pixels: Tensor, places: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """x_tilde (P, 3) and the parameter network's outputs (P, 50) for some pixels of a tile."""
        seen = self.seen.take(self._bases(places) + self.neighbours[:, None])
        h = self.networks["neighbours"](seen[None, :, None])[0, :, 0]
        u = tile.features_of(pixels)
        h[: len(u)] += u
        outputs = self.pixel_network(leaky(h[None, : len(u), None], LEAK))[0, :, 0]
        outputs[: len(h) - len(u)] += h[len(u) :]
        outputs = outputs.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).to(torch.int32).T.contiguous()
        below = self.x_tilde[:, places // self.width, places % self.width].T.contiguous()
        return below.cpu().numpy(), outputs.cpu().numpy()

    def _bases(self, places: Tensor) -> Tensor:
        """Where in a plane of `seen` some places of the picture are."""
        return (places // self.width + MARGIN) * self.row + places % self.width + MARGIN


def neighbours(shape: tuple[int, int, int]) -> Tensor:
    """How far from a pixel, in planes (6, rows, columns) laid end to end, are the numbers it depends on.

    First the residuals, colour by colour, at `taps(WINDOW)`; then x_tilde at all places of its window.
    """
    _, rows, columns = shape
    causal = taps(WINDOW) @ torch.tensor([columns, 1])
    around = torch.arange(-(SURROUND // 2), SURROUND // 2 + 1)
    window = (around[:, None] * columns + around).flatten()
    planes = torch.arange(6)[:, None] * rows * columns
    return torch.cat(((planes[:3] + causal).flatten(), (planes[3:] + window).flatten()))


class Tile:
    """A rectangle of the picture: its pixels in coding order, `counts` of them in each step.

    u int32 (h / 2 * w / 2, 4 C): what the features say of the four pixels of each 2 x 2.
    """

    def __init__(self, top: int, left: int, bottom: int, right: int, width: int, u: Tensor):
        self.top, self.left, self.columns, self.width = top, left, right - left, width
        self.u = u.view(4 * len(u), -1)
        rows = torch.arange(bottom - top)[:, None]
        step = (SLOPE * rows + torch.arange(self.columns)).flatten()
        self.order = step.argsort(stable=True).to(u.device)
        self.counts = [count for count in step.bincount().tolist() if count]

    def places(self, pixels: Tensor) -> Tensor:
        """Positions in the picture, row by row, of positions in the tile."""
        rows, columns = pixels // self.columns, pixels % self.columns
        return (rows + self.top) * self.width + columns + self.left

    def features_of(self, pixels: Tensor) -> Tensor:
        """u int32 (C, P) of positions in the tile."""
        rows, columns = pixels // self.columns, pixels % self.columns
        half = rows // 2 * -(-self.columns // 2) + columns // 2
        return self.u[4 * half + 2 * (rows % 2) + columns % 2].T


def write_head(alphabet: Alphabet, colours: int) -> bytes:
    """The bytes before the stream."""
    ranges = np.abs(alphabet.ranges).flatten().tolist()
    return bytes([alphabet.tau, colours, *ranges])


def read_head(data: bytes) -> tuple[Alphabet, int]:
    """Alphabet and colours; BitstreamError for what `write_head` does not write."""
    if len(data) < HEAD:
        raise BitstreamError(f"residual: {len(data)} bytes, expected {HEAD} at least")
    tau, colours = data[0], data[1]
    if tau > MAX_TAU:
        raise BitstreamError(f"residual: tau is {tau}, allowed is 0 to {MAX_TAU}")
    if colours not in (1, 3):
        raise BitstreamError(f"residual: {colours} colours, allowed are 1 and 3")
    ranges = np.array(list(data[2:HEAD]), dtype=np.int64).reshape(3, 2) * (-1, 1)
    return Alphabet(tau, ranges), colours
