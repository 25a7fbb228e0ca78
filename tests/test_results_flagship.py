"""The stored measurements of the flagship: what the pages claim of it."""

import pytest

from codec_lib import data, weights
from codec_lib.measure import metrics
from codec_lib.models.flagship import DISTORTION_WEIGHT, SHRINKAGE

KODAK = data.results("kodak")["curves"]
RIVALS = data.results("kodak_baselines")["curves"]
SUMMARY = data.results("kodak_summary")


def curve(found):
    return [(mean["bpp"], mean["psnr"]) for mean in found["means"]]


@pytest.mark.parametrize(("rival", "percent"), [("jpeg", -35), ("hyperprior", -15), ("webp", -10)])
def test_it_needs_far_fewer_bits_than_jpeg_the_hyperprior_and_webp(rival, percent):
    theirs = (KODAK | RIVALS)[rival]
    assert metrics.bd_rate(curve(theirs), curve(KODAK["flagship"])) <= percent


def test_it_needs_fewer_bits_than_avif_and_heic_and_as_many_where_these_aim_at_psnr():
    """What README says: as they come both choose for the eye."""
    found = {name: metrics.bd_rate(curve(RIVALS[name]), curve(KODAK["flagship"])) for name in RIVALS}
    assert found["webp"] == pytest.approx(-21, abs=2)
    assert -7 < found["avif"] < found["heic"] < -2
    assert found["heic-psnr"] == pytest.approx(0, abs=2)
    assert 1 < found["avif-psnr"] < 5


def test_the_summary_follows_from_the_curves():
    for rival in ("jpeg", "webp"):
        found = metrics.bd_rate(curve(RIVALS[rival]), curve(KODAK["flagship"]))
        assert SUMMARY[f"bd_rate_psnr_vs_{rival}"]["flagship"] == pytest.approx(found)


def test_distances_from_means_pay_and_the_best_weight_is_close_to_theory():
    measured = data.results("encoder_decisions")
    found = measured["bd_rate_psnr_vs_rounding"]
    integers, means = ({float(w): bd for w, bd in found[name].items()} for name in ("integers", "means"))
    assert measured["weights"] == weights.load("flagship").digest
    assert measured["shipped"] == {"weight": DISTORTION_WEIGHT, "shrinkage": SHRINKAGE}
    assert means[DISTORTION_WEIGHT] < -0.8
    assert means[DISTORTION_WEIGHT] - min(means.values()) < 0.2
    assert means[DISTORTION_WEIGHT] < min(integers.values()) - 0.2
    assert integers[min(integers)] > 0  # 6 / ln 2
    assert min(measured["mean_size_of_ones"]) < 1 - SHRINKAGE < max(measured["mean_size_of_ones"])
    assert all(percent > 1 for percent in measured["gaussian_tables_percent"])


def test_a_prior_of_symbols_pays_where_the_encoder_decides():
    measured = data.results("rate_of_symbols")
    noise, symbols = measured["bd_rate_psnr"]["noise"], measured["bd_rate_psnr"]["symbols"]
    assert measured["weights"] == weights.load("flagship").digest
    assert noise["rounds"] == 0 > noise["decides"] > symbols["decides"] + 1
    assert symbols["decides"] - symbols["rounds"] < noise["decides"]  # more than both by themselves


def test_its_decoder_is_small():
    decoder = SUMMARY["decoders"]["flagship"]
    assert decoder["multiplications_a_pixel"] < 20_000
    assert decoder["multiplications_a_pixel"] == decoder["of_the_synthesis"] + decoder["of_the_prior"]
    assert 0.05 < decoder["of_the_prior"] / decoder["of_the_synthesis"] < 0.15
    assert decoder["decoder_bytes"] < decoder["bytes"] < 16e6


def test_a_hundred_megapixels_take_less_than_four_gib():
    measured = data.results("large_picture")
    assert measured["weights"] == weights.load("flagship").digest
    assert measured["size"][0] * measured["size"][1] > 100e6
    for way in ("encode", "decode"):
        assert measured[way]["peak_gib"] < 4
    assert measured["bands"]["at_most_by"] <= 1
    assert measured["bands"]["that_differ"] < 1e-3 * measured["bands"]["samples"]


def test_two_averages_put_jpeg_2000_on_two_sides_of_webp():
    def points(name, picture):
        return [(row["bpp"], row["psnr"]) for row in RIVALS[name]["rows"] if row["picture"] == picture]

    pictures = {row["picture"] for row in RIVALS["webp"]["rows"]}
    each = [metrics.bd_rate(points("webp", name), points("jpeg2k", name)) for name in pictures]
    assert SUMMARY["bd_rate_psnr_vs_webp"]["jpeg2k"] > 3
    assert sum(each) / len(each) < -3
