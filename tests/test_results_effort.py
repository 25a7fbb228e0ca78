"""What effort gains, as the pages say: real files of the shipped weights, more passes gain more."""

import itertools

import pytest

from codec_lib import data, weights
from codec_lib.layers.gain import lambda_of
from codec_lib.measure import metrics
from codec_lib.refinement import STEPS

MEASURED = data.results("effort")
CODECS = MEASURED["codecs"]
PIXELS = 768 * 512
QUALITIES = (1.0, 3.0, 5.0, 7.0)
codecs = pytest.mark.parametrize("name", CODECS)


def test_those_that_the_pages_name_were_measured():
    assert {"flagship", "hyperprior"} <= set(CODECS)


@codecs
def test_results_are_of_the_shipped_weights_and_complete(name):
    assert CODECS[name]["weights"] == weights.load(name).digest
    keys = {(row["picture"], row["quality"], row["effort"]) for row in CODECS[name]["rows"]}
    efforts = [0, *map(int, MEASURED["steps"])]
    assert keys == set(itertools.product(MEASURED["pictures"], QUALITIES, efforts))
    assert MEASURED["steps"] == {str(effort): STEPS[effort] for effort in efforts[1:]}


@codecs
def test_bd_rates_are_those_of_the_rows_and_fall_with_effort(name):
    def curve(effort, which):
        rows = [row for row in CODECS[name]["rows"] if row["effort"] == effort]
        of = [[row[which] for row in rows if row["quality"] == quality] for quality in QUALITIES]
        return [(sum(r["bytes"] for r in each), sum(r["psnr"] for r in each) / len(each)) for each in of]

    for which, rates in CODECS[name]["bd_rate_psnr"].items():
        for effort, rate in rates.items():
            expected = metrics.bd_rate(curve(0, "without"), curve(int(effort), which))
            assert expected == pytest.approx(rate, abs=1e-6)
        assert [*rates.values()] == sorted(rates.values(), reverse=True)


@codecs
def test_every_file_costs_less_than_without(name):
    """R + lambda D of the file itself, in bits: symbols that were searched, and a filter on top of them."""

    def cost(row, which):
        error = lambda_of(row["quality"]).item() * 255**2 * 10 ** (-row[which]["psnr"] / 10)
        return 8 * row[which]["bytes"] / PIXELS + error

    rows = {(r["picture"], r["quality"], r["effort"]): r for r in CODECS[name]["rows"]}
    for (picture, quality, effort), row in rows.items():
        assert cost(row, "with") < cost(row, "without"), (picture, quality, effort)
        if effort:
            assert cost(row, "without") <= cost(rows[picture, quality, 0], "without")


@pytest.mark.parametrize("name", ["flagship", "hyperprior"])
def test_two_percent_within_twenty_seconds_and_five_in_the_end(name):
    found, rates = CODECS[name], CODECS[name]["bd_rate_psnr"]["with"]
    quick = [e for e, seconds in found["seconds"].items() if int(e) and seconds <= 20]
    assert min(rates[e] for e in quick) <= -2
    assert min(rates.values()) <= -5
