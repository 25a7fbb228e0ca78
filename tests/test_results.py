"""The stored measurements: made with what is shipped, complete, and as good as the pages say."""

import os

import numpy as np
import pytest

import codec_lib as cl
from benchmarks import renew
from benchmarks.determinism import WHOLE as STEPWISE
from benchmarks.kodak import MODELS
from codec_lib import data, weights
from codec_lib.measure import metrics

KODAK, PHOTOGRAPHS = data.results("kodak"), data.results("photographs")
CODERS = data.results("entropy_coders")["coders"]


def curve(model):
    return [(mean["bpp"], mean["psnr"]) for mean in KODAK["curves"][model]["means"]]


@pytest.mark.parametrize("model", MODELS)
def test_results_are_of_the_shipped_weights_on_all_24_pictures(model):
    measured = KODAK["curves"][model]
    assert measured["weights"] == weights.load(model).digest
    assert len(measured["rows"]) == 24 * 8
    assert [mean["quality"] for mean in measured["means"]] == list(range(1, 9))


@pytest.mark.parametrize("model", MODELS)
def test_means_are_the_means_of_the_rows(model):
    measured = KODAK["curves"][model]
    for mean in measured["means"]:
        rows = [row for row in measured["rows"] if row["quality"] == mean["quality"]]
        assert mean["bpp"] == pytest.approx(np.mean([8 * row["bytes"] / (768 * 512) for row in rows]))
        assert mean["psnr"] == pytest.approx(np.mean([row["psnr"] for row in rows]))


@pytest.mark.parametrize("model", MODELS)
def test_files_are_within_one_percent_and_64_bytes_of_the_estimate(model):
    for row in KODAK["curves"][model]["rows"]:
        assert abs(row["bytes"] - row["estimated_bytes"]) <= 0.01 * row["estimated_bytes"] + 64, row


@pytest.mark.parametrize("model", PHOTOGRAPHS["curves"])
def test_photographs_are_of_the_shipped_weights_and_all_there(model):
    measured = PHOTOGRAPHS["curves"][model]
    assert measured["weights"] == weights.load(model).digest
    pictures = {row["picture"] for row in measured["rows"]}
    assert len(pictures) == 24
    assert len(measured["rows"]) == 24 * 8
    for mean in measured["means"]:
        rows = [row for row in measured["rows"] if row["quality"] == mean["quality"]]
        assert mean["psnr"] == pytest.approx(np.mean([row["psnr"] for row in rows]))


@pytest.mark.parametrize("rival", ["jpeg", "webp"])
def test_the_summary_of_photographs_follows_from_their_curves(rival):
    summary = data.results("photographs_summary")[f"bd_rate_psnr_vs_{rival}"]
    rivals = data.results("photographs_baselines")["curves"]

    def points(curves, name):
        return [(mean["bpp"], mean["psnr"]) for mean in curves[name]["means"]]

    for model in PHOTOGRAPHS["curves"]:
        found = metrics.bd_rate(points(rivals, rival), points(PHOTOGRAPHS["curves"], model))
        assert summary[model] == pytest.approx(found)


def test_the_hyperprior_needs_fewer_bits_than_the_factorized_prior_at_every_rate():
    theirs = sorted((psnr, bpp) for bpp, psnr in curve("factorized"))
    quality, log_rate = [psnr for psnr, _ in theirs], [np.log(bpp) for _, bpp in theirs]
    compared = [(bpp, psnr) for bpp, psnr in curve("hyperprior") if quality[0] <= psnr <= quality[-1]]
    assert len(compared) >= 5
    for bpp, psnr in compared:
        assert np.log(bpp) < np.interp(psnr, quality, log_rate)


def test_the_hyperprior_saves_at_least_a_tenth_of_jpegs_bits():
    jpeg = [(m["bpp"], m["psnr"]) for m in data.results("kodak_baselines")["curves"]["jpeg"]["means"]]
    saved = metrics.bd_rate(jpeg, curve("hyperprior"))
    assert saved <= -10
    assert data.results("kodak_summary")["bd_rate_psnr_vs_jpeg"]["hyperprior"] == pytest.approx(saved)


def test_the_production_coder_is_fast_and_tight():
    ours = CODERS["codec_lib.rans"]
    assert ours["encode_times_compressai"] >= 20
    assert ours["decode_times_compressai"] >= 12
    for row in data.results("entropy_coders")["overheads"]:
        assert row["rans_bytes"] <= 1.0005 * row["ideal_bytes"] + 32, row


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("what", ["encode streams", "decode streams", "encode files", "decode files"])
def test_the_whole_codec_is_half_as_fast_again_as_compressai(threads, what):
    measured = data.results("speed")
    assert measured["weights"] == weights.load("hyperprior").digest
    assert measured["threads"][threads][what]["times_compressai"] >= 1.5


def test_integer_networks_agree_in_every_way_and_float_ones_do_not():
    measured = data.results("determinism")["hyperprior"]
    assert measured["probabilities"] == weights.load("hyperprior").probabilities
    assert measured["latents"] == 24 * 3
    differ = measured["indexes_that_differ"]
    assert len(differ["integer"]) >= 5
    assert set(differ["integer"].values()) == {0}
    assert sum(differ["float"].values()) > 0
    assert abs(measured["cost_of_integers_percent"]) < 0.1
    assert measured["cost_of_nearest_scale_percent"] > 0


@pytest.mark.parametrize("name", STEPWISE)
def test_files_that_are_read_step_by_step_hold_the_same_integers_in_every_way(name):
    measured = data.results("determinism")[name]
    assert measured["probabilities"] == weights.load(name).probabilities
    assert measured["files"] == 24
    assert measured["integers"] > 24 * 150 * 32 * 48
    assert len(measured["integers_that_differ"]) >= 3
    assert set(measured["integers_that_differ"].values()) == {0}


def test_every_shipped_model_was_checked_for_determinism():
    measured = data.results("determinism")
    assert {"hyperprior", *measured["channel_priors"], *STEPWISE} == set(weights.available())
    for row in measured["channel_priors"].values():
        assert row["symbols"] > 0
        assert row["indexes_that_differ"] == 0


@pytest.mark.skipif("CODEC_LIB_DATA" not in os.environ, reason="needs the Kodak pictures at hand")
@pytest.mark.parametrize("model", MODELS)
def test_a_stored_row_can_be_measured_again(model):
    row = next(
        r for r in KODAK["curves"][model]["rows"] if r["picture"] == "kodim23.png" and r["quality"] == 3
    )
    file = cl.encode(data.kodak()[22], model=model, quality=3)
    assert len(file) == pytest.approx(row["bytes"], rel=0.002)  # the analysis is float
    assert metrics.psnr(np.asarray(_rgb(data.kodak()[22])), cl.decode(file)) == pytest.approx(
        row["psnr"], abs=0.02
    )


def _rgb(path):
    from PIL import Image

    return Image.open(path).convert("RGB")


@pytest.mark.parametrize("name", ["published_kodak", "published_codecs", "published_overfitted"])
def test_published_curves_name_their_source_and_rise_with_the_rate(name):
    published = data.results(name)
    assert "commit" in published["source"]
    assert published["license"]
    for curve in published["curves"].values():
        rates, psnrs = zip(*curve["points"], strict=True)
        assert curve["path"]
        assert list(rates) == sorted(rates)
        assert list(psnrs) == sorted(psnrs)


def test_make_benchmark_renews_all_that_was_measured():
    """Published numbers are the only ones that no command makes."""
    names = {path.stem for path in renew.RESULTS.glob("*.json") if not path.stem.startswith("published_")}
    assert names == set(renew.MINUTES | renew.TRAINING)
    for name in names:
        assert renew.command_of(name).startswith("python -m benchmarks."), name
