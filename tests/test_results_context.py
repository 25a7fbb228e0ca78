"""The measurements of the context chapter: of the shipped weights, complete, as good as the pages say."""

import numpy as np
import pytest

from codec_lib import data, weights
from codec_lib.measure import metrics

MEASURED = data.results("context")
PUBLISHED = data.results("published_context")["curves"]
QUALITIES = (2, 4, 6)
MODELS = ("hyperprior", "checkerboard", "context")


def means(model):
    return {mean["quality"]: mean for mean in MEASURED["means"] if mean["model"] == model}


@pytest.mark.parametrize("model", MODELS)
def test_results_are_of_the_shipped_weights_on_all_24_pictures(model):
    assert MEASURED["weights"][model] == weights.load(model).digest
    rows = [row for row in MEASURED["rows"] if row["model"] == model]
    assert len({row["picture"] for row in rows}) == len(MEASURED["pictures"]) == 24
    assert len(rows) == 24 * len(QUALITIES)
    assert MEASURED["threads"] == 1


@pytest.mark.parametrize("model", MODELS)
def test_means_are_the_means_of_the_rows(model):
    for quality, mean in means(model).items():
        rows = [r for r in MEASURED["rows"] if (r["model"], r["quality"]) == (model, quality)]
        theirs = [r for r in MEASURED["rows"] if (r["model"], r["quality"]) == ("hyperprior", quality)]
        for key in ("bytes", "bytes_z", "bytes_y", "psnr"):
            assert mean[key] == pytest.approx(np.mean([row[key] for row in rows]))
        saved = 1 - sum(row["bytes"] for row in rows) / sum(row["bytes"] for row in theirs)
        assert mean["saved_percent"] == pytest.approx(100 * saved)


@pytest.mark.parametrize("model", ["checkerboard", "context"])
@pytest.mark.parametrize("quality", QUALITIES)
def test_neighbours_save_bytes_at_every_quality_and_the_picture_stays_as_good(model, quality):
    ours, hyperprior = means(model)[quality], means("hyperprior")[quality]
    assert ours["saved_percent"] > 0
    assert ours["psnr"] == pytest.approx(hyperprior["psnr"], abs=0.1)


def test_the_wavefront_holds_the_numbers_of_the_raster_scan_in_fewer_steps_and_seconds():
    for row in MEASURED["serial"]["rows"]:
        assert row["latents_that_differ"] == 0
        assert (row["raster_steps"], row["wavefront_steps"]) == (1536, 110)
        assert row["wavefront_s"] < row["raster_s"]
        assert abs(row["wavefront_bytes_y"] - row["raster_bytes_y"]) <= 64  # the order of symbols differs


def test_the_wavefront_takes_at_most_a_second_a_picture():
    assert MEASURED["seconds"]["context"]["longest_read_s"] <= 1


def test_a_checkerboard_decodes_hardly_slower_than_the_hyperprior():
    assert MEASURED["seconds"]["checkerboard"]["decode_times_hyperprior"] <= 1.3


def test_published_rates_have_the_order_that_the_chapter_tells():
    rates = {
        name: metrics.bd_rate(PUBLISHED["hyperprior"]["points"], PUBLISHED[name]["points"])
        for name in ("mean", "checkerboard", "context")
    }
    assert rates["context"] < rates["checkerboard"] < rates["mean"] < 0
    assert min(PUBLISHED["context"]["decode_s"]) > 5 * max(PUBLISHED["hyperprior"]["decode_s"])
