"""Claims about frequencies and tables."""

from importlib import import_module
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib.entropy import bit_counter, pmf
from codec_lib.entropy.pmf import Tables, quantize_pmf

weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1.0)), min_size=1, max_size=5).filter(
    lambda w: sum(w) > 0
)


def cost(p, f) -> float:
    return -float(np.dot(p, np.log2(np.asarray(f) / np.sum(f))))


def every_table(n: int, total: int):
    for cuts in combinations(range(1, total), n - 1):
        yield np.diff([0, *cuts, total])


@given(weights, st.integers(5, 14))
def test_no_table_of_the_same_total_costs_less(w, total):
    p = np.array(w) / np.sum(w)
    f = quantize_pmf(p, total)
    best = min(cost(p, g) for g in every_table(len(w), total))
    # Both are sums of at most 5 terms below 20 bits, so rounding is below 1e-13.
    assert cost(p, f) <= best + 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300).filter(lambda w: sum(w) > 0))
def test_frequencies_are_at_least_one_and_sum_to_the_total(w):
    f = quantize_pmf(w)
    assert f.dtype == np.int64
    assert f.min() >= 1
    assert f.sum() == 2**pmf.PRECISION


def test_an_alphabet_as_large_as_the_total_gets_one_count_each():
    assert (quantize_pmf(np.arange(2**16)) == 1).all()


def test_a_certain_symbol_gets_everything():
    assert quantize_pmf([7.0]).tolist() == [2**16]


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([], "expected one axis"),
        ([[0.5, 0.5]], "expected one axis"),
        (np.ones(2**16 + 1), "1 to 65536 symbols"),
        ([0.5, np.nan], r"p\[1\] = nan"),
        ([-0.1, 1.1], r"p\[0\] = -0.1"),
        ([0.5, np.inf], r"p\[1\] = inf"),
        ([0.0, 0.0], "sum is 0"),
    ],
)
def test_a_bad_pmf_is_named(p, message):
    with pytest.raises(ValueError, match=message):
        quantize_pmf(p)


def test_what_a_pmf_lacks_to_one_is_the_escape_symbol():
    tables = Tables.from_pmfs([[0.5, 0.25], [0.5, 0.5], []], [0, 5, 0])
    assert np.diff(tables.cdf[0]).tolist() == [32768, 16384, 16384]
    assert np.diff(tables.cdf[1])[2] == 1
    assert tables.cdf[2].tolist() == [0, 2**16, 2**16, 2**16]
    assert tables.length.tolist() == [3, 3, 1]


def test_tables_survive_saving():
    tables = Tables.from_pmfs([[0.5, 0.25], [1.0]], [-3, 5])
    again = Tables.from_arrays(tables.to_arrays())
    for name in ("cdf", "length", "offset"):
        assert (getattr(again, name) == getattr(tables, name)).all()
        assert getattr(again, name).dtype == np.int32


def test_saved_tables_take_two_bytes_a_symbol():
    tables = Tables.from_pmfs([[0.5, 0.25], [], [1.0]], [-3, 0, 5])
    arrays = tables.to_arrays()
    assert arrays["frequency"].dtype == np.uint16
    assert arrays["frequency"].size == 3 + 1 + 2
    with pytest.raises(ValueError, match="5 frequencies"):
        Tables.from_arrays({**arrays, "frequency": arrays["frequency"][1:]})


def test_tables_cannot_be_changed():
    tables = Tables.from_pmfs([[0.5]], [0])
    with pytest.raises(ValueError, match="read-only"):
        tables.cdf[0, 1] = 7


def test_arrays_without_a_name_are_refused():
    with pytest.raises(ValueError, match="no array 'offset'"):
        Tables.from_arrays({"frequency": [2**16 - 1], "length": [1]})


@pytest.mark.parametrize(
    ("pmfs", "offsets", "message"),
    [
        ([[1.0], [0.7, 0.7]], [0, 0], r"row 1: pmf sums to 1\.4"),
        ([[1.0], [0.5, np.nan]], [0, 0], r"row 1: pmf: p\[1\] = nan"),
        ([[1.0], [-0.5]], [0, 0], r"row 1: pmf: p\[0\] = -0.5"),
        ([np.zeros(2**16)], [0], "row 0: pmf: shape"),
        ([[1.0]], [0, 1], "1 pmfs and 2 offsets"),
        ([], [], "0 pmfs"),
        ([[1.0]], [2**31], "offset has values outside of int32"),
        ([[0.5, 0.5]], [2**31 - 1], "row 0: last value is 2147483648"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(pmfs, offsets, message):
    with pytest.raises(ValueError, match=message):
        Tables.from_pmfs(pmfs, offsets)


M = 2**16


@pytest.mark.parametrize(
    ("cdf", "length", "offset", "message"),
    [
        ([[0, 9, M], [1, 9, M]], [2, 2], [0, 0], "row 1: cdf starts with 1"),
        ([[0, 9, M], [0, M, M]], [2, 2], [0, 0], "row 1: cdf does not increase"),
        ([[0, 9, M], [0, 9, 8]], [2, 2], [0, 0], "row 1: cdf is not 65536"),
        ([[0, 9, M], [0, 9, M]], [2, 1], [0, 0], "row 1: cdf is not 65536"),
        ([[0, 9, M], [0, 9, M]], [2, 3], [0, 0], "row 1: length is 3"),
        ([[0, 9, M], [0, 9, M]], [2, 0], [0, 0], "row 1: length is 0"),
        ([[0, 9, M]], [2, 2], [0], r"length has shape \(2,\)"),
        ([[0, 9, M]], [2], [[0]], "offset has 2 axes"),
        ([[0, 0.5, 1]], [2], [0], "cdf has dtype float64"),
        ([[0]], [1], [0], "cdf has shape"),
    ],
)
def test_a_bad_table_is_named_with_its_reason(cdf, length, offset, message):
    with pytest.raises(ValueError, match=message):
        Tables(np.array(cdf), np.array(length), np.array(offset))


def test_entropy_of_a_fair_choice_is_its_logarithm():
    assert pmf.entropy(np.full(8, 1 / 8)) == 3.0
    assert pmf.entropy([1.0, 0.0]) == 0.0


def test_a_wrong_model_costs_the_divergence_more():
    p, q = np.array([0.75, 0.25]), np.array([0.25, 0.75])
    divergence = (p * np.log2(p / q)).sum()
    assert pmf.cross_entropy(p, q) == pytest.approx(pmf.entropy(p) + divergence, abs=1e-12)
    assert pmf.cross_entropy([1.0, 0.0], [0.0, 1.0]) == np.inf


def test_ideal_bits_count_escapes():
    tables = Tables.from_pmfs([[0.5, 0.25]], [10])
    symbols = np.array([10, 11, 12, 9, 13], dtype=np.int32)
    # 12 is the first value above the row, u = 0: "1"; 9 the first below, u = 1: "010";
    # 13 has u = 2: "011". Each follows the escape symbol of probability 1/4.
    assert pmf.surprise(symbols, [0] * 5, tables).tolist() == [1, 2, 2 + 1, 2 + 3, 2 + 3]
    assert bit_counter.encode(symbols, [0] * 5, tables) == 1 + 2 + 3 + 5 + 5
    assert bit_counter.encode([], [], tables) == 0.0


@pytest.mark.parametrize("coder", ["bit_counter", "range_coder", "rans"])
@pytest.mark.parametrize(
    ("symbols", "indexes", "error", "message"),
    [
        ([0, 0], [0, 2], ValueError, r"indexes\[1\] = 2, expected 0 to 1"),
        ([0, 0], [-1, 0], ValueError, r"indexes\[0\] = -1"),
        ([0, 0], [0], ValueError, r"symbols: shape \(2,\)"),
        ([[0]], [[0]], ValueError, "one axis"),
        ([0.5], [0], TypeError, "symbols: dtype float64"),
        ([0], [0.0], TypeError, "indexes: dtype float64"),
        ([0, 2**31], [0, 0], ValueError, r"symbols\[1\] = 2147483648"),
    ],
)
def test_every_coder_names_the_bad_argument(coder, symbols, indexes, error, message):
    tables = Tables.from_pmfs([[0.5], [0.5]], [0, 0])
    with pytest.raises(error, match=message):
        import_module(f"codec_lib.entropy.{coder}").encode(symbols, indexes, tables)
