"""Claims about the range coder, the first of them by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib.entropy.range_coder import (
    WHOLE,
    Decoder,
    Encoder,
    decode_adaptive,
    encode_adaptive,
)
from codec_lib.errors import BitstreamError


def encode(symbols, cumulative) -> bytes:
    encoder = Encoder()
    for symbol in symbols:
        encoder.encode(symbol, cumulative)
    return encoder.finish()


def test_a_stream_derived_by_hand():
    quarters = [0, 2, 3, 4]
    encoder = Encoder()
    encoder.encode(1, quarters)  # the third quarter: 0b10...
    assert (encoder.low, encoder.width) == (WHOLE // 2, WHOLE // 4)
    encoder.encode(0, quarters)  # its lower half: 0b100...
    assert (encoder.low, encoder.width) == (WHOLE // 2, WHOLE // 8)
    encoder.encode(2, quarters)  # the last quarter of that: 0b10011...
    assert (encoder.low, encoder.width) == (WHOLE // 2 + 3 * WHOLE // 32, WHOLE // 32)
    # All numbers that start with 10011 are in the interval: one byte, 10011000, says so.
    assert encoder.finish() == bytes([0b10011000])


def test_a_power_of_two_table_is_a_prefix_code():
    # Probabilities 1/2, 1/4, 1/4 make the codewords 0, 10, 11: a row of six is one byte.
    row = 0b0_0_0_0_10_11
    assert encode([0, 0, 0, 0, 1, 2] * 17, [0, 4, 6, 8]) == bytes([row] * 17)


def test_the_top_byte_moves_out_when_the_width_gets_small():
    encoder = Encoder()
    encoder.encode(5, list(range(257)))
    assert (encoder.low, encoder.width, bytes(encoder.out)) == (5 * WHOLE // 256, WHOLE // 256, b"")
    encoder.encode(7, list(range(257)))
    assert (encoder.low, encoder.width, bytes(encoder.out)) == (7 * 2**24, WHOLE // 256, b"\x05")


def test_a_carry_runs_through_bytes_of_255():
    encoder = Encoder()
    encoder.out[:], encoder.low, encoder.width = b"\x07\xff\xff", WHOLE - 1, 1 << 25
    encoder.encode(1, [0, 1, 2])
    assert bytes(encoder.out) == b"\x08\x00\x00"


def test_three_rows_of_the_histogram_take_three_bytes():
    assert len(encode([0, 0, 0, 0, 1, 2] * 3, [0, 4, 5, 6])) == 3


@given(st.lists(st.integers(0, 2), max_size=80), st.binary(max_size=8))
def test_the_decoder_does_not_depend_on_what_follows(symbols, tail):
    cumulative = [0, 4, 5, 6]
    data = encode(symbols, cumulative)
    decoder = Decoder(data + tail)
    assert [decoder.decode(cumulative) for _ in symbols] == symbols
    assert decoder.bytes_used() == len(data)


@given(st.lists(st.integers(1, 2**14), min_size=1, max_size=60), st.data())
def test_any_cumulative_table_works(frequencies, data):
    cumulative = [0]
    for f in frequencies:
        cumulative.append(cumulative[-1] + f)
    symbols = data.draw(st.lists(st.integers(0, len(frequencies) - 1), max_size=60))
    decoder = Decoder(encode(symbols, cumulative))
    assert [decoder.decode(cumulative) for _ in symbols] == symbols
    decoder.finish()


def test_a_symbol_without_a_place_in_the_table_is_refused():
    with pytest.raises(ValueError, match="symbol is 3, expected 0 to 2"):
        Encoder().encode(3, [0, 4, 5, 6])


@given(st.lists(st.integers(0, 4), max_size=100))
def test_an_adaptive_message_comes_back(symbols):
    data = encode_adaptive(symbols, alphabet=5)
    assert decode_adaptive(data, len(symbols), alphabet=5) == symbols
    with pytest.raises(BitstreamError):
        decode_adaptive(data + b"\0", len(symbols), alphabet=5)


def test_an_adaptive_model_learns_what_is_frequent():
    symbols = [0] * 950 + [1] * 50
    flat = encode(symbols, [0, 1, 2])
    assert len(encode_adaptive(symbols, alphabet=2)) < len(flat) / 2
