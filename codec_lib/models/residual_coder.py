"""The residual of a picture, to bytes and back, pixel by pixel on slanted lines.

A picture is cut into tiles, the tiles are coded in raster order, the pixels of a tile in the order of
`masked.step`. Pixels of one step do not see each other: the decoder treats them as one batch, and the
encoder, which knows all residuals, takes as many at a time as it likes. Networks are exact, so both get the
same integers.

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
LEAK = 3  # leaky ReLU has slope 2**-3
CENTRE = 128  # of the levels that networks see


class ResidualCoder:
    """Codes residuals on top of one x_tilde.

    Args:
        networks: fixed-point networks "surround", "features", "context", "lossless", "corrected.1", ...
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
        window: int,
    ):
        self.networks, self.tables, self.alphabet = networks, tables, alphabet
        self.x_tilde, self.features = x_tilde, features
        self.height, self.width = size
        trained = sum(name.startswith("corrected.") for name in networks)
        tau = min(alphabet.tau, trained)
        self.pixel_network = networks[f"corrected.{tau}" if tau else "lossless"]
        self.margin = window // 2
        # Residuals in levels with a margin of zeros, as networks see them: (3, H + margin, W + 2 margin).
        self.row = self.width + 2 * self.margin
        self.known = torch.zeros(
            3, (self.height + self.margin) * self.row, dtype=torch.float64, device=x_tilde.device
        )
        offsets = taps(window) @ torch.tensor([self.row, 1])
        planes = torch.arange(3)[:, None] * self.known.shape[1]
        self.offsets = (planes + offsets).flatten().to(x_tilde.device)  # (3 * taps,)

    def encode(self, r_hat: Tensor, colours: int) -> bytes:
        """The bytes of quantized residuals int32 (3, H, W), of which the first `colours` count."""
        known = self.known.view(3, self.height + self.margin, self.row)
        known[:, self.margin :, self.margin : -self.margin] = r_hat
        flat, found = r_hat.flatten(1), []
        for tile in self.tiles():
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

    def decode(self, data: bytes, colours: int) -> Tensor:
        """Quantized residuals int32 (3, H, W) from the bytes; BitstreamError unless they fit exactly."""
        decoder = mixture.Decoder(data, self.alphabet, self.tables)
        r_hat = torch.empty(3, self.height * self.width, dtype=torch.int32, device=self.known.device)
        for tile in self.tiles():
            for pixels in tile.order.split(tile.counts):
                places = tile.places(pixels)
                values = np.empty((len(pixels), colours), dtype=np.int32)
                decoder.read(values, *self._given(tile, pixels, places))
                values = torch.from_numpy(values).to(r_hat.device).T.expand(3, -1)
                r_hat[:, places] = values
                self.known[:, self._bases(places)] = values.double()
        if decoder.finish() != len(data):
            raise BitstreamError(f"residual: {len(data)} bytes, expected {decoder.finish()}")
        return r_hat.view(3, self.height, self.width)

    def tiles(self) -> Iterator["Tile"]:
        """The tiles of the picture, with what is known before its residuals."""
        for top in range(0, self.height, TILE[0]):
            for left in range(0, self.width, TILE[1]):
                bottom, right = min(top + TILE[0], self.height), min(left + TILE[1], self.width)
                yield Tile(
                    top, left, bottom, right, self.width, self._surroundings(top, left, bottom, right)
                )

    def _surroundings(self, top: int, left: int, bottom: int, right: int) -> Tensor:
        """u of a tile: int32 (pixels, C + LINEAR)."""
        margin = self.networks["surround"].layers[0].shape.padding
        rows, columns = self.x_tilde.shape[1:]
        inside = (
            slice(max(top - margin, 0), min(bottom + margin, rows)),
            slice(max(left - margin, 0), min(right + margin, columns)),
        )
        u = self.networks["surround"](self.x_tilde[None, :, *inside].double() - CENTRE)
        u = u[0, :, top - inside[0].start :, left - inside[1].start :][:, : bottom - top, : right - left]
        halves = self.features[None, :, top // 2 : -(-bottom // 2), left // 2 : -(-right // 2)]
        phases = torch.pixel_shuffle(self.networks["features"](halves), 2)[0]
        u = u.contiguous()
        u[: len(phases)] += phases[:, : bottom - top, : right - left]
        return u.flatten(1).T.to(torch.int32).contiguous()

    def _given(self, tile: "Tile", pixels: Tensor, places: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """x_tilde (P, 3) and the parameter network's outputs (P, 50) for some pixels of a tile."""
        context = self.known.take(self._bases(places) + self.offsets[:, None])
        h = self.networks["context"](context[None, :, None])[0, :, 0]
        h += tile.u[pixels].T
        inner = self.pixel_network.layers[0].weight.shape[1]
        outputs = self.pixel_network(leaky(h[None, :inner, None], LEAK))[0, :, 0]
        outputs[: len(h) - inner] += h[inner:]
        outputs = outputs.clamp_(-ACTIVATION_LIMIT, ACTIVATION_LIMIT).T.to(torch.int32).contiguous()
        below = self.x_tilde[:, places // self.width, places % self.width].T.contiguous()
        return below.cpu().numpy(), outputs.cpu().numpy()

    def _bases(self, places: Tensor) -> Tensor:
        """Where in a plane of `known` some places of the picture are."""
        return (places // self.width + self.margin) * self.row + places % self.width + self.margin


class Tile:
    """A rectangle of the picture: its pixels in coding order, `counts` of them in each step."""

    def __init__(self, top: int, left: int, bottom: int, right: int, width: int, u: Tensor):
        self.top, self.left, self.columns, self.width, self.u = top, left, right - left, width, u
        rows = torch.arange(bottom - top)[:, None]
        step = (SLOPE * rows + torch.arange(self.columns)).flatten()
        self.order = step.argsort(stable=True).to(u.device)
        self.counts = [count for count in step.bincount().tolist() if count]

    def places(self, pixels: Tensor) -> Tensor:
        """Positions in the picture, row by row, of positions in the tile."""
        rows, columns = pixels // self.columns, pixels % self.columns
        return (rows + self.top) * self.width + columns + self.left


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
