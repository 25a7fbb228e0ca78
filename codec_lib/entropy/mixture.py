"""Residuals under mixtures of logistics, to bytes and back, pixel by pixel.

Every sample has a distribution of its own, made while it is coded from what a network says about its pixel
(`codec_lib.entropy.mixture_density`). The encoder, which knows all samples, finds where each lies in its
distribution, and `codec_lib.entropy.rans_entries` makes bytes of that. The decoder takes a pixel's colours
off the stream one after the other, since the second depends on the first; for each it halves the range
low .. high until one symbol is left, with one value of the cumulative function a step.

Here a distribution is what the network says, fixed when the network was trained; `adaptive` codes the same
residuals with distributions that learn from the picture, and has the same verbs.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import numpy as np
from numba import int64, uint64

from codec_lib.entropy import rans_entries
from codec_lib.entropy.compiled import compiled
from codec_lib.entropy.mixture_density import Alphabet, K, MixtureTables, components, cumulative, limits
from codec_lib.entropy.rans_loops import PADDING, entry_of, pop

EMPTY = rans_entries.encode(np.empty(0, dtype=np.uint32))  # a message of nothing


class Fixed:
    """Codes the pixels of a picture, each under what the network says of it and nothing else.

    Args:
        x_tilde: uint8 (3, H, W), the picture that residuals are added to.
        alphabet, tables: the same on both sides.
        data: for decoding, what `rans_entries.encode` made of the entries; what follows is left alone.
    Raises:
        BitstreamError: data starts with a header that no encoder writes.
    """

    def __init__(self, x_tilde: np.ndarray, alphabet: Alphabet, tables: MixtureTables, data: bytes = EMPTY):
        self.x_tilde, self.given = x_tilde, (alphabet, tables)
        self.stream = rans_entries.Decoder(data)

    def entries(self, values: np.ndarray, places: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Where each symbol lies in its own distribution: start + 2^16 (frequency - 1), uint32 (P * C,).

        Args:
            values: int32 (P, C), quantized residuals in levels, of one colour (grey) or three.
            places: int64 (P,), positions of the pixels in the raster of the picture.
            outputs: int32 (P, 50), what the parameter network says.
        """
        out = np.empty(values.size, dtype=np.uint32)
        _find_entries(values, self._below(places), outputs, *self.given, out)
        return out

    def read(self, values: np.ndarray, places: np.ndarray, outputs: np.ndarray) -> None:
        """Fill `values`, int32 (P, C), with the next P pixels' residuals; BitstreamError at the end."""
        self.stream.run(_pop_pixels, values, self._below(places), outputs, *self.given)

    def finish(self) -> int:
        """How many bytes the message took; BitstreamError unless it ends here."""
        return self.stream.finish()

    def _below(self, places: np.ndarray) -> np.ndarray:
        """x_tilde (P, 3) of some pixels."""
        width = self.x_tilde.shape[2]
        return np.ascontiguousarray(self.x_tilde[:, places // width, places % width].T)


@compiled
def _find_entries(values, x_tilde, outputs, alphabet, tables, out):
    mean, rate, weight = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.int64)
    colours, tau = values.shape[1], alphabet.tau
    for p in range(values.shape[0]):
        for c in range(colours):
            first, second = int64(values[p, 0]), int64(values[p, min(1, colours - 1)])
            total = components(outputs[p], c, first, second, tables, mean, rate, weight)
            low, high = limits(x_tilde[p, c], alphabet, c)
            q = int64(values[p, c]) // (2 * tau + 1)
            start = cumulative(q, low, high, tau, mean, rate, weight, total, tables.logistic)
            end = cumulative(q + 1, low, high, tau, mean, rate, weight, total, tables.logistic)
            out[p * colours + c] = entry_of(start, end)


@compiled
def _pop_pixels(values, x_tilde, outputs, alphabet, tables, x, words, position):
    mean, rate, weight = np.empty(K, np.int64), np.empty(K, np.int64), np.empty(K, np.int64)
    colours, tau, data_end = values.shape[1], alphabet.tau, uint64(words.size - PADDING)
    position = uint64(position)
    for p in range(values.shape[0]):
        for c in range(colours):
            if position > data_end:
                return x, position
            first, second = int64(values[p, 0]), int64(values[p, min(1, colours - 1)])
            total = components(outputs[p], c, first, second, tables, mean, rate, weight)
            low, high = limits(x_tilde[p, c], alphabet, c)
            slot, start, end, least = int64(x & uint64(0xFFFF)), int64(0), int64(1 << 16), low
            left, right = low, high  # the symbol is the last one with c(q) <= slot
            while left < right:
                middle = (left + right + 1) >> 1
                value = cumulative(middle, least, high, tau, mean, rate, weight, total, tables.logistic)
                if value <= slot:
                    left, start = middle, value
                else:
                    right, end = middle - 1, value
            x, position = pop(x, words, position, uint64(entry_of(start, end)))
            values[p, c] = left * (2 * tau + 1)
    return x, position
