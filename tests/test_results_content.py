"""Stored measurements of content-weighted codecs: complete, of the shipped weights, as the pages say."""

import numpy as np
import pytest

from codec_lib import data, weights
from codec_lib.measure import metrics

MEASURED, ABLATIONS = data.results("content_weighted"), data.results("content_weighted_ablations")
MODELS = "importance-map", "conditional-probability", "pyramid", "tucodec"


def parts(model, quality):
    return [row for row in MEASURED["models"][model]["parts"] if row["quality"] == quality]


def ablated(codec):
    rows = [row for row in ABLATIONS["rows"] if row["codec"] == codec]
    return {row["variant"]: [(p["bpp"], p["psnr"]) for p in row["points"]] for row in rows}


@pytest.mark.parametrize("model", MODELS)
def test_results_are_of_the_shipped_weights_on_all_pictures(model):
    measured = MEASURED["models"][model]
    assert measured["weights"] == weights.load(model).digest
    assert len(measured["curves"]["rows"]) == 24 * len(measured["curves"]["means"]) >= 24 * 5
    assert len(measured["parts"]) == 24 * 4
    bpp, psnr = ([mean[key] for mean in measured["curves"]["means"]] for key in ("bpp", "psnr"))
    assert all(np.diff(bpp) > 0)
    assert all(np.diff(psnr) > 0)


def test_a_map_costs_little_follows_edges_and_is_worth_it_in_its_own_network():
    for quality in (2, 4, 6, 8):
        rows = parts("importance-map", quality)
        of = {key: np.mean([row[key] for row in rows]) for key in rows[0] if key != "picture"}
        assert of["map_bytes"] < (0.6 if quality == 2 else 1) * of["raw_map_bytes"]
        assert of["code_bytes"] < of["raw_code_bytes"]
        assert of["correlation"] > 0.1
        assert of["gain_over_even"] > 0.2


def test_bytes_are_what_the_network_says_in_floats():
    for quality in (2, 4, 6, 8):
        rows = parts("conditional-probability", quality)
        size, estimate = (sum(row[key] for row in rows) for key in ("bytes", "estimated_bytes"))
        assert 0.995 < size / estimate < 1.01


def test_symbols_in_planes_are_decoded_within_ten_seconds_where_one_by_one_took_two_hundred():
    rows = MEASURED["models"]["conditional-probability"]["curves"]["rows"]
    assert np.mean([row["decode_s"] for row in rows]) < 10


def test_high_planes_are_nearly_free_and_files_are_as_long_as_the_loop_was_told():
    for quality in (2, 4, 6, 8):
        rows = parts("pyramid", quality)
        saved = 1 - sum(np.array(row["planes"]) for row in rows) / sum(row["raw_bytes"] for row in rows)
        assert all(np.diff(saved[:5]) < 0)
        assert saved[0] > 0.95
    shares = [row["share_of_target"] for row in MEASURED["models"]["pyramid"]["on_crops"]]
    assert len(shares) == 8
    assert np.abs(np.array(shares) - 1).max() < 0.05


def test_sharing_a_budget_is_never_worse_than_one_quality_for_all():
    rows = MEASURED["models"]["tucodec"]["allocated"]
    assert len(rows) == 8
    assert all(row["allocated"] >= row["one_quality"] - 1e-9 for row in rows)


def test_variants_are_trained_alike_and_none_is_missing():
    assert {codec: set(ablated(codec)) for codec in MODELS} == {
        "importance-map": {"as it is", "uniform"},
        "conditional-probability": {"as it is", "uniform", "afterwards", "encoder too"},
        "pyramid": {"as it is", "one scale"},
        "tucodec": {"as it is", "no laplace", "no filter", "no fusion"},
    }


def test_several_scales_save_bits():
    curves = ablated("pyramid")
    assert metrics.bd_rate(curves["as it is"], curves["one scale"]) > 5


def test_learned_centres_are_better_with_the_encoder_they_began_with_and_without_a_late_prior():
    curves = ablated("conditional-probability")
    rates, psnrs = zip(*curves["as it is"], strict=True)
    for variant in ("encoder too", "afterwards"):
        for bpp, psnr in curves[variant]:
            assert psnr < np.interp(bpp, rates, psnrs) - 0.5
