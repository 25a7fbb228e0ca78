"""What fits of single pictures gain, as the pages say: the shipped weights beside the shipped flagship."""

from statistics import mean

import pytest

from benchmarks.fitted import STANDARDS, bd_rates, rival_bytes
from benchmarks.fitted_ablations import REFERENCE, VARIANTS
from codec_lib import data, weights
from codec_lib.models.fitted import ITERATIONS

MEASURED = data.results("fitted")
ROWS = MEASURED["rows"]
ABLATIONS = data.results("fitted_ablations")


def test_results_are_of_the_shipped_weights():
    assert MEASURED["rival_weights"] == weights.load(MEASURED["rival"]).digest
    assert {row["weights"] for row in ROWS} == {weights.load("fitted").digest}
    assert all(row["iterations"] == ITERATIONS[row["effort"]] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['picture']}-{row['quality']:g}")
def test_every_file_is_shorter_than_the_flagships_of_equal_psnr(row):
    rival = rival_bytes(row["picture"], row["psnr"])
    if rival is None:
        assert "saved_percent" not in row
        return
    assert row["saved_percent"] == pytest.approx(100 * (1 - row["bytes"] / rival), abs=0.01)
    assert row["saved_percent"] > 5


def test_the_mean_picture_takes_a_fifth_less_than_the_flagship():
    assert max(MEASURED["bd_rate"].values()) < -15
    assert mean(MEASURED["bd_rate"].values()) < -20


@pytest.mark.parametrize("rival", STANDARDS)
def test_files_of_standards_are_longer_on_every_picture(rival):
    rates = MEASURED["standards"][rival]
    assert rates.keys() == MEASURED["bd_rate"].keys()
    assert rates == bd_rates(ROWS, rival)
    assert max(rates.values()) < -10
    assert mean(rates.values()) < -18  # "about a fifth"


def test_a_fit_takes_minutes_and_its_file_a_fraction_of_a_second():
    assert all(row["processor_seconds"] < 1200 for row in ROWS)  # ten minutes of two cores
    assert all(row["decode_seconds"] < 1 for row in ROWS)
    assert all(sum(row["sections"].values()) < row["bytes"] for row in ROWS)


def test_every_ablation_is_of_the_same_three_crops():
    assert set(ABLATIONS["rows"]) == set(VARIANTS)
    pictures = [[row["picture"] for row in rows] for rows in ABLATIONS["rows"].values()]
    assert all(each == pictures[0] for each in pictures)
    assert len(set(pictures[0])) == 3


def test_a_start_and_coarser_grids_pay_and_a_larger_network_is_paid_for():
    """What the chapter says of its table."""
    means = ABLATIONS["means"]
    assert means[REFERENCE]["cost"] == 0
    assert means["shipped start"]["cost"] < -1
    assert means["16 neighbours, none in coarser grids"]["cost"] > 1
    assert means["24 neighbours"]["grid_bytes"] < means[REFERENCE]["grid_bytes"]
    assert means["24 neighbours"]["cost"] > 0 > means["8 neighbours"]["cost"]
    assert means["16 hidden values"]["cost"] < means["64 hidden values"]["cost"]
