"""Stored measurements of decoders for other eyes: of the shipped files, and what pages say of them."""

import pytest

from codec_lib import data, decoders, weights


@pytest.fixture(scope="module")
def measured():
    return data.results("perception")


def test_they_are_of_the_shipped_decoders_and_weights(measured):
    shipped = {name: weights.card_of(path)["sha256"] for name, path in decoders.paths().items()}
    assert measured["cards"] == shipped
    assert set(measured["decoders"]) == set(measured["told"]) == {"mse", *shipped}
    assert measured["weights"] == {name: weights.load(name).digest for name in measured["weights"]}


def test_all_decoders_show_the_same_files(measured):
    rates = {name: [row["bpp"] for row in rows] for name, rows in measured["decoders"].items()}
    assert all(own == rates["mse"] for own in rates.values())


def test_games_cost_decibels_and_a_new_judge_is_not_fooled(measured):
    for k, row in enumerate(measured["decoders"]["mse"]):
        for name in ("eye", "pairs"):
            assert 0 < row["psnr"] - measured["decoders"][name][k]["psnr"] < 1
            assert measured["told"][name][k]["right"] > measured["told"]["mse"][k]["right"] - 0.01


def test_training_for_ms_ssim_saves_bits_at_equal_ms_ssim(measured):
    from codec_lib.measure import metrics

    own, other = ([(r["bpp"], r["ms_ssim"]) for r in rows] for rows in measured["whole"].values())
    assert metrics.bd_rate(own, other) < -20
