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


@pytest.mark.parametrize("name", ["flagship", "hyperprior"])
def test_results_are_of_the_shipped_weights_and_complete(name):
    assert CODECS[name]["weights"] == weights.load(name).digest
    keys = {(row["picture"], row["quality"], row["effort"]) for row in CODECS[name]["rows"]}
    efforts = [0, *map(int, MEASURED["steps"])]
    assert keys == set(itertools.product(MEASURED["pictures"], QUALITIES, efforts))
    assert MEASURED["steps"] == {str(effort): STEPS[effort] for effort in efforts[1:]}


@pytest.mark.parametrize("name", ["flagship", "hyperprior"])
def test_bd_rates_are_those_of_the_rows_and_fall_with_effort(name):
    def curve(effort):
        rows = [row for row in CODECS[name]["rows"] if row["effort"] == effort]
        of = [[row for row in rows if row["quality"] == quality] for quality in QUALITIES]
        return [(sum(r["bytes"] for r in each), sum(r["psnr"] for r in each) / len(each)) for each in of]

    rates = CODECS[name]["bd_rate_psnr_vs_effort_0"]
    for effort, rate in rates.items():
        assert metrics.bd_rate(curve(0), curve(int(effort))) == pytest.approx(rate, abs=1e-6)
    assert [*rates.values()] == sorted(rates.values(), reverse=True)


@pytest.mark.parametrize("name", ["flagship", "hyperprior"])
def test_every_file_costs_less_than_without(name):
    """R + lambda D of the file itself, in bits."""

    def cost(row):
        error = lambda_of(row["quality"]).item() * 255**2 * 10 ** (-row["psnr"] / 10)
        return 8 * row["bytes"] / PIXELS + error

    rows = {(r["picture"], r["quality"], r["effort"]): r for r in CODECS[name]["rows"]}
    for (picture, quality, effort), row in rows.items():
        if effort:
            assert cost(row) < cost(rows[picture, quality, 0]), (picture, quality, effort)


@pytest.mark.parametrize(("name", "rate"), [("flagship", -2.0), ("hyperprior", -2.0)])
def test_two_percent_within_twenty_seconds(name, rate):
    found = CODECS[name]
    quick = [e for e, seconds in found["seconds"].items() if seconds <= 20]
    assert min(found["bd_rate_psnr_vs_effort_0"][e] for e in quick) <= rate


def test_the_hyperprior_gains_five_percent_with_more():
    assert min(CODECS["hyperprior"]["bd_rate_psnr_vs_effort_0"].values()) <= -5
