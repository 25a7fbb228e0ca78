"""Claims about both coders: what goes in comes out, in as many bytes as it must take."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec_lib.entropy import bit_counter, range_coder, rans
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import BitstreamError
from tests.entropy.tables import INT32, bells, messages

GOLDEN = Path(__file__).parents[1] / "golden" / "entropy_streams.json"
both = pytest.mark.parametrize("coder", [range_coder, rans], ids=["range_coder", "rans"])
# Range coder: 2 bytes at the end and a rounding. rANS: header, one state, escape codes in whole bytes.
BYTES = {range_coder: 3, rans: 9}


def latent(count: int, tables: Tables, seed: int = 1):
    """Return mostly small symbols and a few escapes, from integer arithmetic alone."""
    state, numbers = seed, []
    for _ in range(2 * count):
        state = (state * 1103515245 + 12345) % 2**31
        numbers.append(state >> 8)
    indexes = np.array(numbers[:count]) % len(tables)
    symbols = np.array([bin(n % 2**12).count("1") - 6 for n in numbers[count:]])
    symbols[::97] *= 1000
    return symbols.astype(np.int32), indexes.astype(np.uint8)


@both
@settings(deadline=None)
@given(message=messages())
def test_any_message_comes_back(coder, message):
    symbols, indexes, tables = message
    decoded = coder.decode(coder.encode(symbols, indexes, tables), indexes, tables)
    assert decoded.dtype == np.int32
    assert decoded.tolist() == symbols.tolist()


@both
@settings(deadline=None)
@given(message=messages())
def test_the_size_is_the_ideal_and_a_few_bytes(coder, message):
    symbols, indexes, tables = message
    ideal = bit_counter.encode(symbols, indexes, tables) / 8
    assert len(coder.encode(symbols, indexes, tables)) <= 1.0005 * ideal + BYTES[coder]


@both
@settings(deadline=None)
@given(message=messages(), tail=st.binary(min_size=1, max_size=9))
def test_bytes_left_over_are_noticed(coder, message, tail):
    symbols, indexes, tables = message
    with pytest.raises(BitstreamError):
        coder.decode(coder.encode(symbols, indexes, tables) + tail, indexes, tables)


@both
@settings(deadline=None)
@given(message=messages(), data=st.data())
def test_every_truncation_is_noticed(coder, message, data):
    symbols, indexes, tables = message
    stream = coder.encode(symbols, indexes, tables)
    if stream:
        keep = data.draw(st.integers(0, len(stream) - 1))
        with pytest.raises(BitstreamError):
            coder.decode(stream[:keep], indexes, tables)


@both
@settings(deadline=None)
@given(message=messages(), noise=st.binary(max_size=200))
def test_random_bytes_decode_to_int32_or_raise(coder, message, noise):
    _, indexes, tables = message
    try:
        decoded = coder.decode(noise, indexes, tables)
    except BitstreamError:
        return
    assert coder.encode(decoded, indexes, tables) == noise


@both
def test_an_empty_message_has_no_bytes(coder):
    assert coder.encode([], [], bells()) == b""
    assert coder.decode(b"", [], bells()).tolist() == []


@both
def test_a_certain_symbol_is_almost_free(coder):
    tables = Tables.from_pmfs([[1.0]], [5])
    symbols, indexes = np.full(1000, 5, dtype=np.int32), np.zeros(1000, dtype=np.uint8)
    data = coder.encode(symbols, indexes, tables)
    assert len(data) <= BYTES[coder]
    assert (coder.decode(data, indexes, tables) == 5).all()


@both
def test_a_row_of_nothing_but_the_escape_codes_any_int32(coder):
    tables = Tables.from_pmfs([[], []], [INT32.min, INT32.max])
    symbols = np.array([INT32.min, INT32.max, 0, -1] * 2, dtype=np.int32)
    indexes = np.array([0] * 4 + [1] * 4)
    data = coder.encode(symbols, indexes, tables)
    assert coder.decode(data, indexes, tables).tolist() == symbols.tolist()


@both
def test_a_value_outside_of_int32_in_the_stream_is_refused(coder):
    # Coded by a row of one place, read by a row of the same cuts that starts elsewhere.
    here = Tables.from_pmfs([[0.5]], [INT32.max - 10])
    there = Tables.from_pmfs([[0.5]], [INT32.max])
    data = coder.encode([INT32.max], [0], here)
    with pytest.raises(BitstreamError, match="outside of"):
        coder.decode(data, [0], there)


@both
@pytest.mark.parametrize(
    "count", [1, 5, 1000, rans.LONG_MESSAGE - 1, rans.LONG_MESSAGE, rans.LONG_MESSAGE + 3]
)
def test_the_byte_stream_is_the_golden_one(coder, count):
    tables = bells()
    symbols, indexes = latent(count, tables)
    data = coder.encode(symbols, indexes, tables)
    digest = data.hex() if count < 10 else hashlib.sha256(data).hexdigest()
    name = coder.__name__.split(".")[-1]
    assert json.loads(GOLDEN.read_text())[name][str(count)] == {"bytes": len(data), "is": digest}
    assert (coder.decode(data, indexes, tables) == symbols).all()


@both
def test_the_article_example_costs_22_and_a_half_bits(coder):
    # Frequencies 4, 1, 1 of 6; a table of the library sums to 2**16 and has an escape symbol,
    # whose one count moves the ideal by less than a thousandth of a bit.
    tables = Tables.from_pmfs([[4 / 6, 1 / 6, 1 / 6]], [0])
    message = [0, 0, 0, 0, 1, 2] * 3
    ideal = bit_counter.encode(message, [0] * 18, tables)
    assert ideal == pytest.approx(12 * np.log2(6 / 4) + 6 * np.log2(6), abs=1e-3)
    assert round(ideal, 2) == 22.53
    data = coder.encode(message, [0] * 18, tables)
    assert 3 <= len(data) <= 3 + BYTES[coder]
    assert coder.decode(data, [0] * 18, tables).tolist() == message
