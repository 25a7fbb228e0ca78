"""A code by hand, every integer back, and what is no code is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib.entropy import rice
from codec_lib.errors import BitstreamError

integers = st.lists(st.integers(1 - rice.LARGEST, rice.LARGEST - 1), max_size=40)


def test_the_bits_are_those_by_hand():
    """3 is counted 6: three ones, a zero, the low bit 0; -1 is 1: a zero, the bit 1; 0 is two zeros."""
    assert rice.encode(np.array([3, -1, 0])) == bytes([1, 0b11100_01_0, 0b0_0000000])


@given(integers)
def test_every_integer_comes_back(values):
    code = rice.encode(np.array(values, np.int64))
    assert rice.decode(code, len(values)).tolist() == values


@given(integers)
def test_the_length_is_what_was_expected_and_no_other_k_makes_less(values):
    values = np.array(values, np.int64)
    lengths = [rice.bits(values, k).sum() for k in rice.PARAMETERS]
    assert len(rice.encode(values)) == 1 + -(-min(lengths) // 8)


def test_of_what_falls_off_geometrically_it_takes_hardly_more_than_the_entropy():
    counts = np.random.default_rng(0).geometric(0.2, 20_000) - 1
    values = np.where(counts % 2, -(counts + 1) // 2, counts // 2)
    entropy = -(0.2 * np.log2(0.2) + 0.8 * np.log2(0.8)) / 0.2
    assert entropy < rice.bits(values, rice.best(values)).mean() < 1.03 * entropy


@given(st.binary(max_size=40), st.integers(0, 30))
def test_any_bytes_are_a_code_of_that_many_integers_or_refused(data, count):
    try:
        values = rice.decode(data, count)
    except BitstreamError:
        return
    assert values.size == count
    bits = rice.bits(values.astype(np.int64), data[0]).sum()
    assert len(data) == 1 + -(-bits // 8)


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: b"\x10" + c[1:], lambda c: b""]
)
def test_what_is_too_short_or_too_long_is_refused(damage):
    code = rice.encode(np.arange(-20, 20))
    with pytest.raises(BitstreamError, match="rice"):
        rice.decode(damage(code), 40)


def test_more_bytes_than_any_integers_take_are_refused_before_they_are_unpacked():
    unary = np.packbits(np.tile(np.r_[np.ones(2 * rice.LARGEST - 3, np.uint8), 0], 40)).tobytes()
    assert (rice.decode(b"\0" + unary, 40) == 1 - rice.LARGEST).all()  # the longest code, k = 0
    with pytest.raises(BitstreamError, match="bytes for 40 integers"):
        rice.decode(b"\0" + bytes([255]) * 400_000, 40)


def test_one_more_integer_than_there_are_is_refused():
    with pytest.raises(BitstreamError, match="40 of 41 integers"):
        rice.decode(rice.encode(np.full(40, 3)), 41)
