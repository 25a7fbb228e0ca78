r"""Grids of integers to bytes and back, coarse to fine, place by place, under an integer network.

The network is that of `codec_lib.fitting.context`. Weights and activations are integers in float64, with 12
bits of fraction. With |weights| < 2^18, |values of grids| < 2^15 and activations that are clipped to 2^26,
no sum of SEEN + C + 1 products reaches 2^53: every order of summation gives the same integers, on every
machine. Encoder and decoder go through the same function for each place.

Section `y` of a file:

    two bytes of the CRC-32 of height and width
    for each grid, the coarsest first, -smallest and largest value, one byte each
    then the stream of `codec_lib.entropy.rans_entries`; a grid of nothing but zeros is not in it

Zeros cost hardly anything, so a few bytes could claim a picture of any size, and cost the time of one: the
first two bytes say whether they were written for it.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

import zlib
from collections.abc import Iterator

import numpy as np
from numba import int64, uint64

from codec_lib.entropy import rans_entries
from codec_lib.entropy.compiled import compiled, inline
from codec_lib.entropy.laplace import (
    LEVEL_BITS,
    LOG_SCALE,
    SCALE_STEPS,
    LaplaceTables,
    cumulative,
    pop_symbol,
)
from codec_lib.entropy.rans_loops import PADDING, entry_of
from codec_lib.errors import BitstreamError
from codec_lib.fitting.context import BLOCK, MARGIN, NEIGHBOURS, PLANES, SEEN, C, Network
from codec_lib.fitting.grids import show
from codec_lib.fitting.parameters import GRIDS, grid_sizes

FRACTION = 12  # bits, of weights and activations
ONE = 2.0**FRACTION
WEIGHT_LIMIT = 2.0**18
CLIP = 2.0**26
HEAD = 2 + 2 * GRIDS  # bytes before the stream


def integer_network(network: Network) -> Network:
    """The same with integers in float64, matrices by columns, and "+ x" inside of them.

    Raises BitstreamError for a weight that is no multiple of 2^-12 or is 64 or more.
    """
    fields = {name: value.astype(np.float64) * ONE for name, value in network._asdict().items()}
    for name, value in fields.items():
        if not (np.abs(value) < WEIGHT_LIMIT).all() or (value != np.rint(value)).any():
            raise BitstreamError(f"network: {name} is out of range, allowed is less than 64")
    for name, inputs in (("w1", SEEN), ("w2", C)):
        matrix = fields[name].reshape(C, inputs) + ONE * np.eye(C, inputs)
        fields[name] = np.ascontiguousarray(matrix.T).ravel()
    return Network(**fields)


@inline
def _predict(planes, row, column, net, x, h1, h2):
    """Mean, in 1/256, and number of the scale at one place."""
    any_seen = False
    for k in range(SEEN):
        v = planes[NEIGHBOURS[k, 0], row + MARGIN + NEIGHBOURS[k, 1], column + MARGIN + NEIGHBOURS[k, 2]]
        x[k] = v
        any_seen |= v != 0
    for k in range(C):
        h1[k], h2[k] = net.b1[k], net.b2[k] * ONE
    if any_seen:
        for k in range(SEEN):
            v = x[k]
            if v != 0:
                for o in range(C):
                    h1[o] += net.w1[k * C + o] * v
    for k in range(C):
        v = min(max(h1[k], 0.0), CLIP)
        if v != 0:
            for o in range(C):
                h2[o] += net.w2[k * C + o] * v
    mean, scale = net.bo[0] * ONE, net.bo[1] * ONE
    for k in range(C):
        v = min(max(np.floor(h2[k] / ONE + 0.5), 0.0), CLIP)
        mean += net.wo[k] * v
        scale += net.wo[C + k] * v
    for k in range(SEEN):
        mean += net.ws[k] * (x[k] * ONE)
        scale += net.ws[SEEN + k] * (x[k] * ONE)
    mean = np.floor(mean * 2.0 ** (LEVEL_BITS - 2 * FRACTION) + 0.5)
    scale = np.floor(scale * (SCALE_STEPS * 2.0 ** (-2 * FRACTION)) + 0.5) - LOG_SCALE[0] * SCALE_STEPS
    scale = min(max(scale, 0.0), (LOG_SCALE[1] - LOG_SCALE[0]) * 1.0 * SCALE_STEPS)
    return int64(min(max(mean, -(2.0**20)), 2.0**20)), int64(scale)


@compiled
def _find_entries(planes, height, width, low, high, net, rates, tail, entries):
    x, h1, h2 = np.empty(SEEN), np.empty(C), np.empty(C)
    for row in range(height):
        for column in range(width):
            mean, scale = _predict(planes, row, column, net, x, h1, h2)
            q = int64(planes[0, row + MARGIN, column + MARGIN])
            start = cumulative(q, low, high, mean, rates[scale], tail)
            end = cumulative(q + 1, low, high, mean, rates[scale], tail)
            entries[row * width + column] = entry_of(start, end)


@compiled
def _pop_grid(planes, height, width, low, high, net, rates, tail, state, words, position):
    x, h1, h2 = np.empty(SEEN), np.empty(C), np.empty(C)
    position, data_end = uint64(position), uint64(words.size - PADDING)
    for row in range(height):
        for column in range(width):
            if position > data_end:
                return state, position
            mean, scale = _predict(planes, row, column, net, x, h1, h2)
            q, state, position = pop_symbol(state, words, position, low, high, mean, rates[scale], tail)
            planes[0, row + MARGIN, column + MARGIN] = q
    return state, position


def _planes(known: list[np.ndarray], height: int, width: int) -> np.ndarray:
    """What is seen while a grid is coded: itself, empty, and the last two of those that are known."""
    planes = np.zeros((PLANES, height + 2 * MARGIN, width + 2 * MARGIN + BLOCK), np.float32)
    for level, grid in enumerate(known[-1:-PLANES:-1], start=1):
        show(grid, width, level, planes, level)
    return planes


def _inside(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    return planes[0, MARGIN : MARGIN + height, MARGIN : MARGIN + width]


def _mark(height: int, width: int) -> bytes:
    return zlib.crc32(f"{height} {width}".encode()).to_bytes(4, "little")[:2]


def _walk(sizes: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Number, rows and columns of the grids, the coarsest first."""
    for k in range(GRIDS - 1, -1, -1):
        yield k, *sizes[k]


def encode(grids: list[np.ndarray], network: Network, tables: LaplaceTables) -> bytes:
    """The section of some grids, int32, the finest first, none with a value beyond `grids.LARGEST`."""
    net, entries, known = integer_network(network), [], []
    head = bytearray(_mark(*grids[0].shape))
    for k, height, width in _walk([(grid.shape[0], grid.shape[1]) for grid in grids]):
        low, high = min(int(grids[k].min()), 0), max(int(grids[k].max()), 0)
        head += bytes([-low, high])
        planes = _planes(known, height, width)
        _inside(planes, height, width)[:] = grids[k]
        if low < high:
            found = np.empty(height * width, np.uint32)
            _find_entries(planes, height, width, low, high, net, *tables, found)
            entries.append(found)
        known.append(_inside(planes, height, width).copy())
    return bytes(head) + rans_entries.encode(np.concatenate(entries or [np.empty(0, np.uint32)]))


def decode(
    data: bytes, height: int, width: int, network: Network, tables: LaplaceTables
) -> list[np.ndarray]:
    """The grids, float32 with integer values, the finest first.

    Raises BitstreamError where the bytes are not a section of a picture of this size.
    """
    net, known = integer_network(network), []
    if len(data) < HEAD:
        raise BitstreamError(f"rans: {len(data)} bytes, expected {HEAD} and a stream")
    if data[:2] != _mark(height, width):
        raise BitstreamError(f"rans: a stream of another size than {width} x {height}")
    stream = rans_entries.Decoder(data[HEAD:])
    for k, rows, columns in _walk(grid_sizes(height, width)):
        place = HEAD - 2 - 2 * k
        low, high = -data[place], data[place + 1]
        if low == high:
            known.append(np.zeros((rows, columns), np.float32))
            continue
        planes = _planes(known, rows, columns)
        stream.run(_pop_grid, planes, rows, columns, low, high, net, *tables)
        known.append(_inside(planes, rows, columns).copy())
    if (used := stream.finish() + HEAD) != len(data):
        raise BitstreamError(f"rans: {len(data)} bytes, expected {used}")
    return known[::-1]
