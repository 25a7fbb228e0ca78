"""The stored measurements of near-lossless coding: complete, of the shipped weights, as good as claimed."""

from collections import defaultdict

import numpy as np
import pytest

from codec_lib import data, weights
from codec_lib.measure.lossless_baselines import LOSSLESS, NEAR

TAUS = range(6)
SAMPLES = 3 * 512 * 768


@pytest.fixture(scope="module", params=["codec", "contexts", "conditions"])
def measured(request):
    suffix = "" if request.param == "codec" else f"_{request.param}"
    return data.results(f"near_lossless{suffix}")


def test_it_was_measured_with_the_shipped_weights_and_names_its_command(measured):
    assert measured["weights"] == weights.load("near-lossless").digest
    assert measured["command"].startswith("python -m benchmarks.near_lossless ")
    assert len(measured["pictures"]) == 24


def test_every_file_keeps_its_bound_and_is_the_sum_of_its_parts():
    rows = data.results("near_lossless")["rows"]
    assert {(row["picture"], row["tau"]) for row in rows} == {
        (f"kodim{k:02d}.png", tau) for k in range(1, 25) for tau in TAUS
    }
    for row in rows:
        assert row["largest_error"] <= row["tau"]
        assert (row["psnr"] is None) == (row["tau"] == 0)
        parts = sum(row[f"bytes_{kind}"] for kind in "yzr")
        assert 0 < row["bytes"] - parts < 100  # the header
        assert row["bpsp"] == pytest.approx(8 * row["bytes"] / SAMPLES)


def test_means_are_the_means_of_the_rows():
    measured = data.results("near_lossless")
    for mean in measured["means"]:
        rows = [row for row in measured["rows"] if row["tau"] == mean["tau"]]
        assert mean["bpsp"] == pytest.approx(np.mean([row["bpsp"] for row in rows]))


def test_files_are_at_most_as_long_as_the_target_and_than_those_of_every_rival():
    ours = {mean["tau"]: mean["bpsp"] for mean in data.results("near_lossless")["means"]}
    assert ours[0] <= 2.85
    for tau, bpsp in ours.items():
        best = min(best_by_codec(tau).values())
        assert bpsp < (0.99 if tau == 0 else 0.95 if tau == 1 else 0.92) * best


def best_by_codec(tau):
    means = data.results("near_lossless_baselines")["means"]
    return {mean["codec"]: mean["bpsp"] for mean in means if mean["tau"] == tau}


@pytest.mark.parametrize("tau", TAUS)
def test_every_baseline_was_measured_and_keeps_the_bound(tau):
    measured = data.results("near_lossless_baselines")
    assert set(measured["settings"]) == {*LOSSLESS, NEAR}
    assert set(best_by_codec(tau)) == ({*LOSSLESS, NEAR} if tau else {*LOSSLESS})
    counts = defaultdict(int)
    for row in measured["rows"]:
        assert row["largest_error"] <= row["tau"]
        counts[row["codec"], row["tau"]] += 1
    assert set(counts.values()) == {24}


def test_the_correction_costs_nothing_at_any_tau_and_helps_more_as_tau_grows():
    means = data.results("near_lossless_contexts")["means"]
    gains = [mean["quantized"] - mean["corrected"] for mean in means]
    assert [mean["tau"] for mean in means] == [1, 2, 3, 4, 5]
    assert all(gain >= 0 for gain in gains)
    assert gains[-1] > gains[0]
    for mean in means:
        assert mean["exact"] <= mean["quantized"]


def test_the_matching_correction_is_the_cheapest_and_one_for_all_loses_little():
    means = data.results("near_lossless_conditions")["means"]
    for way in ("file", "training"):
        cost = {(mean["tau"], mean["condition"]): mean[way] for mean in means}
        for tau in TAUS[1:]:
            assert min(TAUS[1:], key=lambda condition: cost[tau, condition]) == tau
    lost = [mean["file"] for mean in means if mean["condition"] == 3]
    matching = [mean["file"] for mean in means if mean["condition"] == mean["tau"]]
    assert 0.01 < np.mean(np.divide(lost, matching)) - 1 < 0.03


def test_every_part_is_worth_something():
    measured = data.results("near_lossless_ablations")
    variants = measured["variants"]
    assert measured["command"].startswith("python -m benchmarks.near_lossless_ablations ")
    total = {name: variant["bpsp"] for name, variant in variants.items()}
    for name in ("no lossy layer", "no context", "beta = 0", "K = 1"):
        assert total["complete"] < total[name]
        assert variants[name]["steps"] == variants["complete"]["steps"]
    lambdas = [variants[f"lambda = {value}"] for value in ("0", "0.001", "0.03")]
    assert lambdas[0]["psnr"] < lambdas[1]["psnr"] < lambdas[2]["psnr"]
    assert len({variant["steps"] for variant in lambdas}) == 1
    assert set(variants) == {"complete", "no lossy layer", "no context", "beta = 0", "K = 1"} | {
        "lambda = 0", "lambda = 0.001", "lambda = 0.03", "trained for tau = 2"
    }  # fmt: skip


def test_one_network_for_every_tau_is_as_good_as_one_that_was_trained_on_for_a_single_tau():
    measured, ways = data.results("near_lossless_ablations"), data.results("near_lossless_contexts")
    corrected = [row["corrected"] for row in ways["rows"] if row["tau"] == 2][:: measured["every"]]
    single = measured["variants"]["trained for tau = 2"]["bpsp_r"]
    assert np.mean(corrected) < 1.01 * single
