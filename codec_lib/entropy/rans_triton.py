"""rANS on a GPU: the stream of `codec_lib.entropy.rans`, one program a message, one thread a lane.

A GPU is fast when many threads do the same at once. The lanes of a message do: all of them push or
pop in step, and the words they spill or need lie in the stream in the order of the lanes. Where a
lane's word is follows from how many lanes before it have one too, a prefix sum:

    lane      0  1  2  3  4  5  6  7
    spills    0  1  1  0  1  0  0  1        flag
    word at      0  1     2        3        position + exclusive prefix sum of the flags

So latents stay on the device: only the finished bytes leave it. Bytes are those of `rans.encode` with
as many lanes, and either decoder reads either encoder's streams.

Needs Triton, which comes with PyTorch for CUDA; with TRITON_INTERPRET=1 it runs, slowly, on a CPU.

Source: Giesen, "Interleaved entropy coders" (arXiv:1402.3392), section on SIMD and GPUs.
"""

# pyright: reportMissingParameterType=false
# The loops are compiled: their types are those of their first call.

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from codec_lib.entropy import rans
from codec_lib.entropy.pmf import PRECISION, Tables
from codec_lib.entropy.rans import STATE_BYTES
from codec_lib.entropy.rans_loops import BUCKET_BITS, LOWEST
from codec_lib.errors import BitstreamError

SHARE = 0.005  # of a stream that its lanes may cost


class DeviceRows(NamedTuple):
    """`rans_loops.Rows` as tensors on one device; `bits` float32 (E,) is what an entry costs."""

    offset: Tensor
    size: Tensor
    first: Tensor
    entry: Tensor
    reciprocal: Tensor
    bucket: Tensor
    bits: Tensor


def rows_on(tables: Tables, device: torch.device) -> DeviceRows:
    """The tables on a device; copied there once."""
    if (copies := _ROWS.setdefault(tables, {})).get(device) is None:
        rows = rans.rows_of(tables)
        frequency = (rows.entry >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.float32) + 1
        arrays = (
            rows.offset, rows.size.astype(np.int32), rows.first.astype(np.int32),
            rows.entry.view(np.int64), rows.reciprocal, rows.bucket.astype(np.int32),
            PRECISION - np.log2(frequency),
        )  # fmt: skip
        copies[device] = DeviceRows(*(torch.from_numpy(np.array(a)).to(device) for a in arrays))
    return copies[device]


_ROWS: WeakKeyDictionary = WeakKeyDictionary()


def agrees_on(device: torch.device) -> bool:
    """Whether the kernels make on this device of a short message what the CPU makes of it, and read it.

    Whatever Triton raises where it cannot compile or run them comes through.
    """
    tables = Tables.from_pmfs([[0.6, 0.2, 0.1], [0.2] * 4], [-1, -2])
    symbols = (np.arange(300) * 7 % 11 - 5).astype(np.int32)  # two of three are escapes
    indexes = (np.arange(300) % 2).astype(np.uint8)
    expected = rans.encode(symbols, indexes, tables, lanes=32)
    sent, rows = (torch.from_numpy(array[None]).to(device) for array in (symbols, indexes))
    written = encode(sent, rows, tables, lanes=32)
    return written == [expected] and torch.equal(decode(written, rows, tables), sent)


def encode(symbols: Tensor, indexes: Tensor, tables: Tables, lanes: int | None = None) -> list[bytes]:
    """Encode a batch of messages.

    Args:
        symbols: int32 (B, N).
        indexes: uint8 or int32 (B, N) on the same device, table row of each symbol.
        tables: the rows.
        lanes: a power of two up to 1024; None for as many as cost at most 0.5 % of the shortest stream.
    Returns:
        For each message what `rans.encode` returns for it with as many lanes.
    Raises:
        ValueError: shapes that differ, an index without a row, a bad number of lanes.
    """
    count = _check(symbols.shape, indexes, tables)
    rows = rows_on(tables, symbols.device)
    k = symbols.long() - rows.offset[indexes.long()]
    size = rows.size[indexes.long()]
    outside = (k < 0) | (k >= size)
    if lanes is None:
        entries = rows.first[indexes.long()] + torch.where(outside, size, k)
        lanes = _lanes_for(float(rows.bits[entries].sum(1).min()) / 8)
    rans.check_lanes(lanes)
    if count == 0:
        return [b""] * len(symbols)
    words = torch.empty(symbols.shape, dtype=torch.int16, device=symbols.device)
    states = torch.empty((len(symbols), lanes), dtype=torch.int64, device=symbols.device)
    positions = torch.empty(len(symbols), dtype=torch.int64, device=symbols.device)
    _encode_kernel[(len(symbols),)](
        symbols.contiguous(), indexes.contiguous(), count, *rows[:5], words, states, positions,
        LANES=lanes, LOWEST=LOWEST, num_warps=max(1, lanes // 32),  # type: ignore[call-arg]  # the launcher's
    )  # fmt: skip
    codes = _codes(symbols, indexes, outside, tables)
    states = states.cpu().numpy().view(np.uint64)
    return [
        rans.header(lanes, codes[b])
        + rans.pack_states(states[b])
        + words[b, start:].cpu().numpy().tobytes()
        for b, start in enumerate(positions.tolist())
    ]


def decode(streams: list[bytes], indexes: Tensor, tables: Tables) -> Tensor:
    """Decode a batch of streams, from this encoder or from `rans.encode`.

    Args:
        streams: B streams.
        indexes: uint8 or int32 (B, N), table row of each symbol.
        tables: the rows.
    Returns:
        int32 (B, N) symbols, on the device of the indexes.
    Raises:
        BitstreamError: a stream is truncated, has bytes left over, or is not what `encode` writes.
        ValueError: shapes that differ, an index without a row.
    """
    count = _check((len(streams), indexes.shape[1]), indexes, tables)
    symbols = torch.empty(indexes.shape, dtype=torch.int32, device=indexes.device)
    if count == 0:
        if any(streams):
            raise BitstreamError(f"rans: {max(map(len, streams))} bytes, expected 0")
        return symbols
    headers = [rans.parse_header(data) for data in streams]
    sizes = np.array([len(states) for _, states, _ in headers])
    for lanes in np.unique(sizes):  # one launch for all that have as many lanes
        _decode_alike(streams, headers, np.flatnonzero(sizes == lanes), symbols, indexes, tables)
    return symbols


def _decode_alike(streams, headers, chosen, symbols: Tensor, indexes: Tensor, tables: Tables) -> None:
    """Decode the `chosen` streams, which have equally many lanes, into their rows of `symbols`."""
    device, rows = indexes.device, rows_on(tables, indexes.device)
    words = [_words(streams[b], headers[b][2]) for b in chosen]
    left = np.array([part.size for part in words])
    states = torch.from_numpy(np.stack([headers[b][1] for b in chosen]).view(np.int64)).to(device)
    begin = torch.from_numpy(np.cumsum(left) - left).to(device)
    ends, message, lanes = torch.empty_like(begin), torch.from_numpy(chosen).to(device), states.shape[1]
    _decode_kernel[(len(chosen),)](
        symbols, indexes.contiguous(), indexes.shape[1], rows.entry, rows.bucket,
        torch.from_numpy(np.concatenate(words)).to(device), begin, torch.from_numpy(left).to(device),
        states, ends, message,
        LANES=lanes, LOWEST=LOWEST, BUCKET_BITS=BUCKET_BITS,
        num_warps=max(1, lanes // 32),  # type: ignore[call-arg]  # the launcher's
    )  # fmt: skip
    used, states = ends.cpu().numpy(), states.cpu().numpy().view(np.uint64)
    for b, end, last in zip(chosen.tolist(), used.tolist(), states, strict=True):
        codes, _, head = headers[b]
        _finish(symbols[b], indexes[b], streams[b], codes, last, head + 2 * end, rows, tables)


def _words(data: bytes, head: int) -> np.ndarray:
    """The words of a stream, int16, from byte `head` on."""
    return np.frombuffer(data, "<i2", (len(data) - head) // 2, head)


def _check(shape: tuple, indexes: Tensor, tables: Tables) -> int:
    """The number N of symbols a message, if the indexes (B, N) are rows of the tables."""
    if len(shape) != 2 or tuple(indexes.shape) != tuple(shape):
        raise ValueError(f"indexes: shape {tuple(indexes.shape)}, expected {tuple(shape)}, (B, N)")
    if indexes.numel() and not 0 <= int(indexes.min()) <= int(indexes.max()) < len(tables):
        raise ValueError(f"indexes: {int(indexes.min())} to {int(indexes.max())}, {len(tables)} rows")
    return shape[1]


def _lanes_for(size: float) -> int:
    """The most lanes, a power of two, that cost at most their share of a stream of `size` bytes."""
    most = max(1, int(SHARE * size / STATE_BYTES))
    return min(1 << (most.bit_length() - 1), 1 << rans.MAX_LANES_LOG2)


def _codes(symbols: Tensor, indexes: Tensor, outside: Tensor, tables: Tables) -> list[bytes]:
    """The escape codes of each message; only the few values outside of their rows leave the device."""
    rows = outside.nonzero()[:, 0].cpu().numpy()
    values, at = symbols[outside].cpu().numpy(), indexes[outside].cpu().numpy()
    parts = [rows == b for b in range(len(symbols))]
    return [rans.escape_codes(values[part], at[part], tables) for part in parts]


def _finish(symbols, indexes, data, codes, states, used, rows: DeviceRows, tables: Tables) -> None:
    """Put the escaped values of one message in their places, and make the checks of `rans.decode`."""
    if used > len(data):
        raise BitstreamError(f"rans: {len(data)} bytes, expected more")
    escaped = symbols == rows.offset[indexes.long()] + rows.size[indexes.long()]
    values, bit = rans.escaped_values(codes, 0, indexes[escaped].cpu().numpy(), tables)
    symbols[escaped] = torch.from_numpy(values).to(symbols.device)
    rans.check_end(codes, bit, states)
    if used != len(data):
        raise BitstreamError(f"rans: {len(data)} bytes, expected {used}")


@triton.jit
def _encode_kernel(
    symbols, indexes, count, offset, size, first, entry, reciprocal, words, states, positions,
    LANES: tl.constexpr, LOWEST: tl.constexpr,
):  # fmt: skip
    message = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, LANES)
    x = tl.zeros((LANES,), tl.int64) + LOWEST
    position = message * count + count
    group = (count + LANES - 1) // LANES - 1
    while group >= 0:
        i = group * LANES + lane
        alive = i < count
        index = tl.load(indexes + message * count + i, mask=alive, other=0).to(tl.int64)
        k = tl.load(symbols + message * count + i, mask=alive, other=0).to(tl.int64)
        k -= tl.load(offset + index)
        escape = tl.load(size + index).to(tl.int64)
        k = tl.where((k < 0) | (k >= escape), escape, k)
        j = tl.load(first + index) + k
        packed = tl.load(entry + j)
        start, others = packed & 0xFFFF, 0xFFFF - (packed >> 16 & 0xFFFF)
        spill = alive & (x >> 24 >= 0x10000 - others)  # x >= f * 2**24
        flag = spill.to(tl.int64)
        position -= tl.sum(flag, 0)
        tl.store(words + position + tl.cumsum(flag, 0) - flag, (x & 0xFFFF).to(tl.int16), mask=spill)
        room = tl.where(spill, x >> 16, x)
        quotient = (room.to(tl.float64) * tl.load(reciprocal + j)).to(tl.int64)
        x = tl.where(alive, room + start + quotient * others, x)
        group -= 1
    tl.store(states + message * LANES + lane, x)
    tl.store(positions + message, position - message * count)


@triton.jit
def _decode_kernel(
    symbols, indexes, count, entry, bucket, words, begins, lefts, states, ends, messages,
    LANES: tl.constexpr, LOWEST: tl.constexpr, BUCKET_BITS: tl.constexpr,
):  # fmt: skip
    program = tl.program_id(0).to(tl.int64)
    begin, left = tl.load(begins + program), tl.load(lefts + program)
    message = tl.load(messages + program) * count
    lane = tl.arange(0, LANES)
    x = tl.load(states + program * LANES + lane)
    position = tl.zeros((), tl.int64)
    first = tl.zeros((), tl.int64)
    while (first < count) & (position <= left):
        i = first + lane
        alive = i < count
        index = tl.load(indexes + message + i, mask=alive, other=0).to(tl.int64)
        slot = x & 0xFFFF
        j = tl.load(bucket + (index << BUCKET_BITS) + (slot >> (16 - BUCKET_BITS))).to(tl.int64)
        packed = tl.load(entry + j)
        beyond = slot - (packed & 0xFFFF) > (packed >> 16 & 0xFFFF)
        while tl.sum(beyond.to(tl.int32), 0) > 0:  # type: ignore[operator]  # no tuple here
            j += beyond.to(tl.int64)
            packed = tl.load(entry + j)
            beyond = slot - (packed & 0xFFFF) > (packed >> 16 & 0xFFFF)
        tl.store(symbols + message + i, (packed >> 32).to(tl.int32), mask=alive)
        popped = ((packed >> 16 & 0xFFFF) + 1) * (x >> 16) + slot - (packed & 0xFFFF)
        low = alive & (popped < LOWEST)
        flag = low.to(tl.int64)
        place = position + tl.cumsum(flag, 0) - flag
        word = tl.load(words + begin + place, mask=low & (place < left), other=0).to(tl.int64) & 0xFFFF
        position += tl.sum(flag, 0)
        x = tl.where(alive, tl.where(low, popped << 16 | word, popped), x)
        first += LANES
    tl.store(states + program * LANES + lane, x)
    tl.store(ends + program, position)
