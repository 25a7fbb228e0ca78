"""The integer coders of mixtures, fixed and adaptive: what goes in comes out, for any parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec_lib.entropy import mixture_density, rans_entries
from codec_lib.entropy.adaptive import Adaptive
from codec_lib.entropy.mixture import Fixed
from codec_lib.entropy.mixture_density import Alphabet, MixtureTables
from codec_lib.errors import BitstreamError

TABLES = MixtureTables.make()
CODERS = [Fixed, Adaptive]


def message(seed: int, pixels: int, tau: int, colours: int = 3, spread: float = 1.0, noise: float = 6.0):
    """Residuals, places and outputs of a network; x_tilde, one pixel high, and an alphabet that fits."""
    random = np.random.default_rng(seed)
    centre = np.repeat([0, 4000, 0, 0], [15, 15, 15, 5])
    outputs = centre + random.normal(0, 3000 * spread, (pixels, mixture_density.OUTPUTS))
    outputs = outputs.clip(-(2**26), 2**26).astype(np.int32)
    x_tilde = random.integers(0, 256, (pixels, 3)).astype(np.uint8)
    x = np.rint(x_tilde + random.normal(0, noise, (pixels, 3))).clip(0, 255).astype(int)
    r, step = x - x_tilde, 2 * tau + 1
    symbols = np.sign(r) * ((np.abs(r) + tau) // step)
    ranges = np.stack((symbols.min(0, initial=0), symbols.max(0, initial=0)), 1).astype(np.int64)
    values = np.ascontiguousarray((symbols * step).astype(np.int32)[:, :colours])
    picture = np.ascontiguousarray(x_tilde.T[:, None])
    return (values, np.arange(pixels), outputs), (picture, Alphabet(tau, ranges), TABLES)


def parts(samples, *cuts: slice):
    """Some pixels of a message at a time."""
    return ([array[cut] for array in samples] for cut in cuts)


@pytest.mark.parametrize("coder", CODERS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    pixels=st.integers(1, 300),
    tau=st.integers(0, 20),
    colours=st.sampled_from([1, 3]),
    spread=st.sampled_from([0.0, 1.0, 30.0, 1e5]),
    noise=st.sampled_from([0.0, 1.0, 6.0, 100.0]),
    cut=st.floats(0, 1),
)
def test_any_message_comes_back_in_any_pieces(coder, seed, pixels, tau, colours, spread, noise, cut):
    samples, known = message(seed, pixels, tau, colours, spread, noise)
    k = int(cut * pixels)
    encoder, entries = coder(*known), []
    for part in parts(samples, slice(0, k), slice(k, pixels)):
        entries.append(encoder.entries(*part))
    data = rans_entries.encode(*entries)
    assert data == rans_entries.encode(np.concatenate(entries))
    rans_entries.check(data, *entries)
    decoder, (values, places, outputs) = coder(*known, data + b"more"), samples
    again = np.empty_like(values)
    for part in parts((again, places, outputs), slice(0, 1), slice(1, pixels)):
        decoder.read(*part)
    assert (again == values).all()
    assert decoder.finish() == len(data)


@pytest.mark.parametrize("coder", CODERS)
def test_the_bytes_are_what_the_frequencies_say(coder):
    samples, known = message(0, 20_000, 0)
    entries = coder(*known).entries(*samples)
    ideal = (16 - np.log2((entries >> 16).astype(float) + 1)).sum() / 8
    assert ideal <= len(rans_entries.encode(entries)) <= ideal * 1.0005 + 8


@pytest.mark.parametrize("tau", [0, 1, 6, 14, 20])
@pytest.mark.parametrize("below", [0, 7, 128, 250, 255])
def test_the_symbols_of_a_sample_share_all_slots(below, tau):
    """Every reachable value from 0 to 255 has a symbol, and their frequencies sum to 2**16."""
    step = 2 * tau + 1
    r = np.arange(256) - below
    symbols = np.unique(np.sign(r) * ((np.abs(r) + tau) // step))
    ranges = np.repeat([[symbols[0], symbols[-1]]], 3, 0).astype(np.int64)
    (_, place, outputs), _ = message(tau, 1, 0)
    coder, total = Fixed(np.full((3, 1, 1), below, np.uint8), Alphabet(tau, ranges), TABLES), 0
    for symbol in symbols:
        (entry,) = coder.entries(np.array([[symbol * step]], np.int32), place, outputs).tolist()
        assert entry & 0xFFFF == total
        total += (entry >> 16) + 1
    assert total == 1 << 16


@pytest.mark.parametrize("coder", CODERS)
@pytest.mark.parametrize("damage", ["empty", "truncated", "a lane more", "another state"])
def test_damaged_messages_are_refused(coder, damage):
    samples, known = message(1, 500, 0)
    data = rans_entries.encode(coder(*known).entries(*samples))
    damaged = {
        "empty": b"",
        "truncated": data[:-20],
        "a lane more": b"\x01" + data[1:],
        "another state": data[:1] + bytes([data[1] ^ 1]) + data[2:],
    }[damage]
    with pytest.raises(BitstreamError):
        read_all(coder, damaged, samples, known)


def read_all(coder, data, samples, known):
    decoder = coder(*known, data)
    decoder.read(np.empty_like(samples[0]), *samples[1:])
    decoder.finish()
