"""Symbols with distributions of their own come back, from the bytes that rANS says, and from no others."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib.entropy import rans, rans_entries
from codec_lib.entropy.rans_entries import Decoder, entries_of
from codec_lib.errors import BitstreamError
from tests.entropy.tables import bells

TOTAL = 1 << 16


def message(seed: int, count: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols (N,), and rows (N, L + 1) of 1 to L symbols each, some of them nearly certain."""
    random = np.random.default_rng(seed)
    cdf = np.full((count, largest + 1), TOTAL, np.int32)
    cdf[:, 0] = 0
    sizes = random.integers(1, largest + 1, count)
    for row, size in zip(cdf, sizes, strict=True):
        limit = random.choice([size + 1, 100 * size, TOTAL])
        row[1:size] = np.sort(random.choice(np.arange(1, min(limit, TOTAL)), size - 1, replace=False))
    return random.integers(sizes).astype(np.int32), cdf


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 400),
    largest=st.sampled_from([1, 2, 3, 17, 256]),
    cut=st.floats(0, 1),
    tail=st.binary(max_size=9),
)
def test_any_message_comes_back_in_any_pieces_and_leaves_what_follows(seed, count, largest, cut, tail):
    symbols, cdf = message(seed, count, largest)
    entries = entries_of(symbols, cdf)
    data = rans_entries.encode(entries)
    rans_entries.check(data, entries)
    decoder, k = Decoder(data + tail), int(cut * count)
    pieces = decoder.read(cdf[:k]), decoder.read(cdf[k:])
    np.testing.assert_array_equal(np.concatenate(pieces), symbols)
    assert pieces[0].dtype == np.int32
    assert decoder.finish() == len(data)


def test_the_stream_is_what_the_equations_say():
    """By hand, from x = 2**24: push x -> (x // f) 2**16 + c + x % f; a word goes first if x >= f 2**24."""
    half = 1 << 15
    # A fair bit, 1: c = f = 2**15, x = 512 * 2**16 + 2**15 = 0x02008000, in five bytes after the header.
    assert rans_entries.encode([half | (half - 1) << 16]) == bytes.fromhex("00 0080000200")
    # f = 1, c = 5: the word 0 is spilled, x = 2**8 is left, and 2**8 * 2**16 + 5 = 0x01000005.
    assert rans_entries.encode([5]) == bytes.fromhex("00 0500000100 0000")
    # The two in this order: the last symbol, f = 1, first. Then the bit: x = 0x01000005 becomes
    # (x // 2**15) 2**16 + 2**15 + x % 2**15 = 512 * 2**16 + 2**15 + 5.
    assert rans_entries.encode([half | (half - 1) << 16, 5]) == bytes.fromhex("00 0580000200 0000")
    # What is certain costs nothing.
    assert rans_entries.encode([0xFFFF << 16] * 1000) == bytes.fromhex("00 0000000100")
    assert rans_entries.encode([]) == bytes.fromhex("00 0000000100")


def test_the_stream_is_that_of_rans_with_one_lane():
    tables = bells()
    random = np.random.default_rng(0)
    indexes = random.integers(len(tables), size=5000).astype(np.uint8)
    places = (random.random(5000) * (tables.length[indexes] - 1)).astype(np.int32)  # no escapes
    stream = rans.encode(places + tables.offset[indexes], indexes, tables, lanes=1)
    assert rans_entries.encode(entries_of(places, tables.cdf[indexes])) == stream
    np.testing.assert_array_equal(Decoder(stream).read(tables.cdf[indexes]), places)


def test_bits_whose_odds_depend_on_the_bits_before_them():
    """A causal context: the odds of a bit follow from the three bits before it."""
    odds = np.array([60_000, 30_000, 50_000, 9000, 64_000, 20_000, 30_000, 2000])  # of zero, of 2**16
    rows = np.stack((0 * odds, odds, 0 * odds + TOTAL), 1).astype(np.int32)
    random, bits, contexts, context = np.random.default_rng(0), [], [], 0
    for _ in range(5000):
        contexts.append(context)
        bits.append(int(random.integers(TOTAL) >= odds[context]))
        context = (context << 1 | bits[-1]) & 7
    data = rans_entries.encode(entries_of(bits, rows[contexts]))
    decoder, context, decoded = Decoder(data), 0, []
    for _ in range(5000):
        (bit,) = decoder.read(rows[context : context + 1]).tolist()
        decoded.append(bit)
        context = (context << 1 | bit) & 7
    assert decoded == bits
    assert decoder.finish() == len(data)
    frequency = np.diff(rows[contexts], axis=1)[np.arange(5000), bits]
    ideal = (16 - np.log2(frequency)).sum() / 8
    assert ideal < len(data) < ideal * 1.0005 + 8
    assert len(data) < 0.8 * 5000 / 8


@given(
    seed=st.integers(0, 1000),
    flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=4),
    keep=st.floats(0, 1),
)
def test_damage_raises_nothing_but_bitstream_errors(seed, flips, keep):
    symbols, cdf = message(seed, 60, 17)
    data = bytearray(rans_entries.encode(entries_of(symbols, cdf)))
    for place, by in flips:
        data[place % len(data)] ^= by
    kept = bytes(data[: round(keep * len(data))])
    with suppress(BitstreamError):
        decoder = Decoder(kept)
        decoded = decoder.read(cdf)
        assert ((decoded >= 0) & (cdf[np.arange(60), decoded] < TOTAL)).all()
        assert decoder.finish() <= len(kept)


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "cut in the state", "two lanes", "escape codes", "state"]
)
def test_the_usual_damage_is_noticed(damage):
    symbols, cdf = message(1, 500, 17)
    data = rans_entries.encode(entries_of(symbols, cdf))
    damaged = {
        "empty": b"",
        "cut": data[:-20],
        "cut in the state": data[:4],
        "two lanes": b"\x01" + data[1:],
        "escape codes": b"\x10\x01\x80" + data[1:],
        "state": data[:4] + bytes([data[4] ^ 1]) + data[5:],
    }[damage]

    def decode():
        decoder = Decoder(damaged)
        decoder.read(cdf)
        decoder.finish()

    with pytest.raises(BitstreamError, match=r"^rans: .*$"):
        decode()
    with pytest.raises(RuntimeError, match="does not decode to what was encoded"):
        rans_entries.check(damaged, entries_of(symbols, cdf))


def test_check_notices_other_entries_and_bytes_too_many():
    fair_bit = np.uint32(0x7FFF << 16)  # at the end: what is certain would leave no trace there
    entries = np.append(entries_of(*message(2, 100, 17)), fair_bit)
    data = rans_entries.encode(entries)
    for other in (entries[:-1], np.append(entries, np.uint32(0)), entries[::-1]):
        with pytest.raises(RuntimeError):
            rans_entries.check(data, other)
    for tail in (b"\0", b"\0\0"):
        with pytest.raises(RuntimeError):
            rans_entries.check(data + tail, entries)


@pytest.mark.parametrize(
    ("entries", "error", "complaint"),
    [
        ([0.5], TypeError, "entries: dtype float64"),
        ([[1]], ValueError, r"entries: shape \(1, 1\)"),
        ([1, 1 | 0xFFFF << 16], ValueError, r"entries\[1\] = 4294901761, expected start \+ frequency"),
        ([-1], ValueError, r"entries\[0\] = -1"),
        ([1 << 32], ValueError, r"entries\[0\] = 4294967296"),
    ],
)
def test_entries_that_are_none_are_refused(entries, error, complaint):
    for use in (rans_entries.encode, lambda entries: rans_entries.check(b"", entries)):
        with pytest.raises(error, match=f"^{complaint}"):
            use(entries)


@pytest.mark.parametrize(
    ("cdf", "error", "complaint"),
    [
        ([[0.0, 65536.0]], TypeError, "cdf: dtype float64"),
        ([0, 65536], ValueError, r"cdf: shape \(2,\)"),
        ([[0]], ValueError, r"cdf: shape \(1, 1\)"),
        ([[0, 9, 65536], [1, 9, 65536]], ValueError, r"cdf\[1\] = 1, 9, 65536, expected 0 = c\[0\] < "),
        ([[0, 9, 65535]], ValueError, r"cdf\[0\] = 0, 9, 65535"),
        ([[0, 0, 65536]], ValueError, r"cdf\[0\]"),
        ([[0, 9, 9, 65536]], ValueError, r"cdf\[0\]"),
        ([[0, 9, 8, 65536]], ValueError, r"cdf\[0\]"),
        ([[0, 9, 65537, 65537]], ValueError, r"cdf\[0\]"),
        ([[0, 65536, 9, 65536]], ValueError, r"cdf\[0\]"),
        ([[0, 1, 2, 3, 4, 5]], ValueError, r"cdf\[0\] = 0, 1, 2, 3, 4, \.\.\., expected"),
        ([[0, 1 << 32 | 9, 65536]], ValueError, r"cdf\[0\]"),
    ],
)
def test_rows_that_are_none_are_refused(cdf, error, complaint):
    decoder = Decoder(rans_entries.encode([0]))
    for use in (decoder.read, lambda cdf: entries_of([0] * len(cdf), cdf)):
        with pytest.raises(error, match=f"^{complaint}"):
            use(cdf)
    assert decoder.read([[0, 1, 65536]]).tolist() == [0]  # nothing was taken off


@pytest.mark.parametrize(
    ("symbols", "error", "complaint"),
    [
        ([0, 2], ValueError, r"symbols\[1\] = 2, expected 0 to 1"),
        ([1, 0], ValueError, r"symbols\[0\] = 1, expected 0 to 0"),
        ([0, -1], ValueError, r"symbols\[1\] = -1"),
        ([0], ValueError, r"symbols: shape \(1,\), expected \(2,\)"),
        ([0.0, 0.0], TypeError, "symbols: dtype float64"),
    ],
)
def test_symbols_that_their_rows_do_not_have_are_refused(symbols, error, complaint):
    with pytest.raises(error, match=f"^{complaint}"):
        entries_of(symbols, [[0, 65536, 65536], [0, 9, 65536]])
