"""What the chapters say of codecs that were trained alike."""

import pytest

from benchmarks.scoreboard import LEFT_OUT
from codec_lib import data, weights
from codec_lib.measure import metrics

LADDER = data.results("codec_ablations")
CURVES = {
    name: [(mean["bpp"], mean["psnr"]) for mean in row["means"]] for name, row in LADDER["variants"].items()
}


def more(anchor: str, test: str) -> float:
    return metrics.bd_rate(CURVES[anchor], CURVES[test])


def test_side_information_saves_a_third_at_least_of_codecs_trained_alike():
    assert more("factorized", "hyperprior") < -33


def test_relu_is_far_behind_gdn_and_nothing_is_level_with_it():
    assert more("hyperprior", "relu") > 30
    assert abs(more("hyperprior", "linear")) < 3


def test_the_transforms_and_their_start_make_most_of_the_flagship():
    assert more("hyperprior", "blocks") < -40
    assert more("blocks", "dct") < -25
    assert abs(more("dct", "tails")) < 5


def test_only_what_begins_as_a_dct_gets_beyond_32_decibels():
    from_dct = {"dct", "context", "tails", "decisions"}
    assert {name for name, points in CURVES.items() if points[-1][1] > 32} == from_dct


def test_decisions_save_without_training():
    assert more("tails", "decisions") < -2


@pytest.mark.parametrize("name", data.results("noise_rates")["codecs"])
def test_a_rate_under_noise_is_too_high_and_a_rounded_one_is_the_files(name):
    codec = data.results("noise_rates")["codecs"][name]
    assert codec["weights"] == weights.load(name).digest
    over = [row["noise"] / row["file"] for row in codec["rows"]]
    assert over[0] > 1.3
    assert min(over) > 1.01
    assert over[0] == max(over)
    assert all(row["rounded"] == pytest.approx(row["file"], rel=0.005) for row in codec["rows"])


def test_the_scoreboard_has_every_codec_with_the_weights_that_are_shipped():
    results = data.results("scoreboard")
    learned = set(weights.available()) - set(LEFT_OUT)
    assert set(results["codecs"]) == learned | set(results["classical"])
    for name in learned:
        assert results["codecs"][name]["weights"] == weights.load(name).digest
