"""The GPU's coder writes the CPU's bytes. Without a GPU, Triton's interpreter runs the same kernels."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codec_lib.entropy import bit_counter, rans
from codec_lib.errors import BitstreamError
from tests.entropy.tables import bells, messages

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton sees the kernels
pytest.importorskip("triton")
from codec_lib.entropy import rans_triton  # noqa: E402

TABLES = bells()


def on_device(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(array)).to(DEVICE) for array in arrays]


def batch(count: int, rows: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    indexes = random.integers(0, len(TABLES), (rows, count), dtype=np.uint8)
    symbols = np.rint(random.normal(0, 0.2 * 1.5**indexes)).astype(np.int32)
    symbols[:, 7::301] = 2**31 - 1  # an escape now and then
    return symbols, indexes


@pytest.mark.parametrize("lanes", [1, 4, 32, 128])
@pytest.mark.parametrize("count", [1, 31, 700])
def test_both_coders_write_the_same_bytes_and_read_each_others(lanes, count):
    symbols, indexes = batch(count)
    here = [rans.encode(s, i, TABLES, lanes) for s, i in zip(symbols, indexes, strict=True)]
    there = rans_triton.encode(*on_device(symbols, indexes), TABLES, lanes)
    assert there == here
    decoded = rans_triton.decode(here, *on_device(indexes), TABLES)
    assert np.array_equal(decoded.cpu().numpy(), symbols)
    for data, s, i in zip(there, symbols, indexes, strict=True):
        assert np.array_equal(rans.decode(data, i, TABLES), s)


@settings(deadline=None, max_examples=25)
@given(messages(most=40), st.sampled_from([1, 2, 8, 64]))
def test_any_message_with_any_tables_gives_the_same_bytes(message, lanes):
    symbols, indexes, tables = message
    indexes = indexes.astype(np.int32)
    data = rans.encode(symbols, indexes, tables, lanes)
    assert rans_triton.encode(*on_device(symbols[None], indexes[None]), tables, lanes) == [data]
    decoded = rans_triton.decode([data], *on_device(indexes[None]), tables)
    assert decoded[0].tolist() == symbols.tolist()


def test_kernels_are_trusted_once_they_agreed_with_the_cpu(monkeypatch):
    device = torch.device(DEVICE)
    assert rans_triton.agrees_on(device)
    monkeypatch.setattr(rans, "encode", lambda *_, **__: b"another stream")
    assert not rans_triton.agrees_on(device)


def test_streams_of_different_lanes_are_decoded_together():
    symbols, indexes = batch(200, rows=3)
    streams = [
        rans.encode(s, i, TABLES, lanes) for s, i, lanes in zip(symbols, indexes, (1, 4, 16), strict=True)
    ]
    decoded = rans_triton.decode(streams, *on_device(indexes), TABLES)
    assert np.array_equal(decoded.cpu().numpy(), symbols)


def test_lanes_cost_less_than_half_a_percent():
    symbols, indexes = batch(8000, rows=1)
    (data,) = rans_triton.encode(*on_device(symbols, indexes), TABLES)
    lanes = 1 << (data[0] & 15)
    assert lanes >= 4
    ideal = bit_counter.encode(symbols[0], indexes[0], TABLES) / 8
    assert len(data) < 1.0055 * ideal  # half a percent, and a twentieth of one for rounding


@pytest.mark.parametrize("change", ["shorter", "longer", "odd", "empty", "state", "codes"])
def test_damage_is_noticed_as_on_the_cpu(change):
    symbols, indexes = batch(300, rows=1)
    data = rans.encode(symbols[0], indexes[0], TABLES, 8)
    damaged = {
        "shorter": data[:-2],
        "longer": data + b"\0\0",
        "odd": data + b"\0",
        "empty": b"",
        "state": data[:-40] + bytes(40),
        "codes": data[:2] + b"\0" * 5 + data[7:],
    }[change]
    with pytest.raises(BitstreamError):
        rans.decode(damaged, indexes[0], TABLES)
    with pytest.raises(BitstreamError):
        rans_triton.decode([damaged], *on_device(indexes), TABLES)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_both_decoders_agree_about_noise(seed):
    random = np.random.default_rng(seed)
    noise = bytes([random.integers(0, 6), *random.integers(0, 256, 400, dtype=np.uint8)])
    indexes = random.integers(0, len(TABLES), (1, 100), dtype=np.uint8)
    with pytest.raises(BitstreamError):
        rans.decode(noise, indexes[0], TABLES)
    with pytest.raises(BitstreamError):
        rans_triton.decode([noise], *on_device(indexes), TABLES)


def test_an_empty_message_has_no_bytes():
    nothing = on_device(np.zeros((2, 0), np.int32), np.zeros((2, 0), np.int32))
    assert rans_triton.encode(*nothing, TABLES) == [b"", b""]
    assert rans_triton.decode([b"", b""], nothing[1], TABLES).shape == (2, 0)


def test_bad_arguments_are_refused():
    symbols, indexes = on_device(*batch(10))
    with pytest.raises(ValueError, match="indexes: shape"):
        rans_triton.encode(symbols, indexes[:, :5], TABLES)
    with pytest.raises(ValueError, match="16 rows"):
        rans_triton.encode(symbols, indexes + 16, TABLES)
    with pytest.raises(ValueError, match="lanes: 3"):
        rans_triton.encode(symbols, indexes, TABLES, lanes=3)
