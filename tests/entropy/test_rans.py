"""Claims about rANS: one step by hand, and what is particular to its stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec_lib.entropy import bit_counter, range_coder, rans
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import BitstreamError
from tests.entropy.tables import INT32, bells, messages


def entry(frequency, start):
    return np.uint64((frequency - 1) << 16 | start)


def push(x, frequency, start):
    words = np.zeros(1, dtype=np.uint16)
    one = np.uint64(1)
    reciprocal = rans.reciprocal(frequency)
    x, position = rans.push(np.uint64(x), words, one, entry(frequency, start), reciprocal)
    return int(x), words[int(position) :].tolist()


def test_one_push_by_hand():
    # x = 2**24 + 5, f = 2**14, c = 2**15: 1024 times f, and 5 left.
    assert push(2**24 + 5, 2**14, 2**15) == (1024 * 2**16 + 2**15 + 5, [])


def test_one_push_with_a_spill_by_hand():
    # With f = 1 the state must be below 2**24 before it is multiplied by 2**16.
    assert push(2**24 + 5, 1, 9) == (2**8 * 2**16 + 9, [5])


@given(st.integers(2**24, 2**40 - 1), st.integers(1, 2**16), st.integers(0, 2**16))
def test_a_push_divides_exactly_and_a_pop_undoes_it(x, frequency, start):
    start %= 2**16 - frequency + 1
    pushed, words = push(x, frequency, start)
    before = x >> 16 if words else x
    assert pushed == (before // frequency) * 2**16 + start + before % frequency
    buffer = np.array([*words, 0], dtype=np.uint16)
    popped, position = rans.pop(np.uint64(pushed), buffer, np.uint64(0), entry(frequency, start))
    assert (popped, position) == (x, len(words))


def test_every_reciprocal_divides_exactly_at_the_edges():
    frequency = np.arange(1, 2**16 + 1)
    limit = np.minimum(frequency << 24, 2**40)
    for x in (limit - 1, limit - frequency, (limit >> 1) // frequency * frequency - 1, 0 * limit):
        assert (np.floor(x * rans.reciprocal(frequency)) == x // frequency).all()


def test_a_stream_derived_by_hand():
    # One row: symbol 0 has the slots 0 to 2**15 - 1, the escape symbol those from 2**15 on. Both
    # have f = 2**15, so a push doubles the state: x // 2**15 * 2**16 + c + x % 2**15.
    tables = Tables.from_pmfs([[0.5]], [0])
    one_lane_no_escapes = b"\x00"
    assert rans.encode([0], [0], tables) == one_lane_no_escapes + (2**25).to_bytes(5, "little")
    # The symbols 0, 1 from the last to the first: 1 is an escape with u = 0, code "1".
    x = 2 * 2**24 + 2**15  # the escape symbol
    x = 2 * x  # symbol 0
    one_lane_one_byte_of_codes = b"\x10\x01" + bytes([0b10000000])
    expected = one_lane_one_byte_of_codes + x.to_bytes(5, "little")
    assert rans.encode([0, 1], [0, 0], tables) == expected


def test_two_lanes_by_hand():
    # Symbol i belongs to lane i % 2, and each of them is pushed onto a fresh state.
    tables = Tables.from_pmfs([[0.5]], [0])
    lane = (2**25).to_bytes(5, "little")
    assert rans.encode([0, 0], [0, 0], tables, lanes=2) == b"\x01" + lane + lane


@settings(deadline=None, max_examples=40)
@given(messages(), st.sampled_from([1, 2, 4, 8, 32, 1024]), st.binary(max_size=9))
def test_any_number_of_lanes_comes_back_and_leaves_what_follows_alone(message, lanes, junk):
    symbols, indexes, tables = message
    data = rans.encode(symbols, indexes, tables, lanes)
    assert (rans.decode(data, indexes, tables) == symbols).all()
    decoder = rans.Decoder(data + junk, len(symbols), tables)
    assert (decoder.read(indexes) == symbols).all()
    assert decoder.finish() == len(data)


@pytest.mark.parametrize("lanes", [0, 3, 2048, -4])
def test_a_number_of_lanes_that_no_stream_can_have_is_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes: {lanes}"):
        rans.encode([0], [0], bells(), lanes)


@pytest.mark.parametrize("first", [0x0B, 0x50, 0x10])
def test_a_header_that_no_encoder_writes_is_refused(first):
    with pytest.raises(BitstreamError):
        rans.decode(bytes([first]) + bytes(200), [0], bells())


@settings(deadline=None)
@given(messages(), st.integers(2, 5), st.booleans())
def test_long_messages_come_back_from_four_states(message, extra, escapes):
    symbols, indexes, tables = message
    if len(symbols) == 0:
        return
    repeat = -(-rans.LONG_MESSAGE // len(symbols))
    symbols, indexes = np.tile(symbols, repeat + extra), np.tile(indexes, repeat + extra)
    if not escapes:
        symbols = np.clip(symbols, -5, 5)
    data = rans.encode(symbols, indexes, tables)
    assert (rans.decode(data, indexes, tables) == symbols).all()
    ideal = bit_counter.encode(symbols, indexes, tables) / 8
    assert len(data) <= 1.0005 * ideal + 32
    for damaged in (data[:-1], data[:-2], data[:20], data + b"\0", data + b"\0\0"):
        if damaged != data:
            with pytest.raises(BitstreamError):
                rans.decode(damaged, indexes, tables)


@settings(deadline=None, max_examples=30)
@given(messages(), st.lists(st.integers(0, 999), max_size=20))
def test_a_message_can_be_read_in_pieces(message, cuts):
    symbols, indexes, tables = message
    repeat = 1 + rans.LONG_MESSAGE // max(1, len(symbols)) if len(cuts) % 2 else 1
    symbols, indexes = np.tile(symbols, repeat), np.tile(indexes, repeat)
    decoder = rans.Decoder(rans.encode(symbols, indexes, tables), len(symbols), tables)
    ends = sorted(cut * len(symbols) // 1000 for cut in cuts)
    pieces = [decoder.read(part) for part in np.split(indexes, ends)]
    decoder.finish()
    assert np.concatenate(pieces).tolist() == symbols.tolist()


def test_a_decoder_refuses_to_read_more_than_the_message():
    decoder = rans.Decoder(rans.encode([0], [0], bells()), 1, bells())
    with pytest.raises(ValueError, match="expected up to 1"):
        decoder.read([0, 0])
    with pytest.raises(BitstreamError, match="1 symbols left"):
        decoder.finish()


@pytest.mark.parametrize("count", [1, 1000, rans.LONG_MESSAGE + 5])
def test_rans_consumes_exactly_its_own_bytes(count):
    tables = bells()
    symbols = (np.arange(count) % 7 - 3).astype(np.int32)
    symbols[::50] *= 1000
    indexes = np.full(count, 6, dtype=np.uint8)
    data = rans.encode(symbols, indexes, tables)
    decoder = rans.Decoder(data + b"\xa5\x5a" * 40, count, tables)
    assert (decoder.read(indexes) == symbols).all()
    assert decoder.finish() == len(data)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2_000_000), st.floats(0.5, 1), st.sampled_from([1, 4, 64]))
def test_no_message_is_shorter_than_its_likeliest_symbols(count, p, lanes):
    tables = Tables.from_pmfs([[p]], offsets=[0])
    zeros = np.zeros(count, np.int32)
    data = rans.encode(zeros, zeros, tables, lanes)
    assert rans.fewest_bytes(count, tables) <= len(data)
    least = count * -np.log2(tables.largest / 2**16) / 8
    assert 0.99 * least - 1 <= rans.fewest_bytes(count, tables) <= least


def test_a_few_bytes_that_claim_millions_of_symbols_are_refused_unread():
    tables = Tables.from_pmfs([[0.999, 0.0005]], offsets=[0])
    data = rans.encode([0] * 1000, [0] * 1000, tables)
    rans.Decoder(data, 1000, tables)
    with pytest.raises(BitstreamError, match=f"{len(data)} bytes, expected 1[0-9]{{4}} at least"):
        rans.Decoder(data, 100_000_000, tables)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20_000))
def test_noise_of_any_length_never_crashes_four_states(seed, size):
    noise = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()
    with pytest.raises(BitstreamError):
        rans.decode(noise, np.arange(rans.LONG_MESSAGE) % 16, bells())


def test_one_flipped_bit_is_noticed_in_most_places():
    tables = bells()
    symbols = np.arange(-3, 4, dtype=np.int32).repeat(300)
    indexes = np.full(symbols.size, 6)
    data = rans.encode(symbols, indexes, tables)
    missed = 0
    for bit in range(0, 8 * len(data), 7):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded = rans.decode(bytes(damaged), indexes, tables)
        except BitstreamError:
            continue
        assert not (decoded == symbols).all()
        missed += 1
    # No checksum in here (the container has one), only the last state and the length. A wrong
    # state passes both by chance; with 24 bits of state that is rare.
    assert missed <= 1


def test_a_table_may_have_the_longest_row():
    tables = Tables.from_pmfs([np.full(2**16 - 1, 2.0**-16)], [INT32.min])
    symbols = np.array([INT32.min, INT32.min + 2**16 - 2, INT32.max], dtype=np.int32)
    for coder in (rans, range_coder):
        data = coder.encode(symbols, [0, 0, 0], tables)
        assert coder.decode(data, [0, 0, 0], tables).tolist() == symbols.tolist()
