"""Stored measurements of networks around standard codecs: of the shipped weights, and what pages say."""

import pytest

from codec_lib import data, weights
from codec_lib.measure import metrics

AROUND = {"around-jpeg": "jpeg", "around-webp": "webp"}


@pytest.fixture(scope="module")
def measured():
    return data.results("codec_in_the_loop")


def curve(row, key="psnr"):
    return [(m["bpp"], m[key]) for m in row["means"]]


@pytest.mark.parametrize("name", AROUND)
def test_they_are_of_the_shipped_weights(measured, name):
    assert measured["shipped"][name]["weights"] == weights.load(name).digest


@pytest.mark.parametrize(
    ("name", "key", "is_halved", "most"),
    [
        ("around-jpeg", "psnr", True, -30),
        ("around-jpeg", "ms_ssim", True, -40),
        ("around-jpeg", "psnr", False, -15),
        ("around-jpeg", "ms_ssim", False, -15),
        ("around-webp", "ms_ssim", True, -10),
        ("around-webp", "psnr", False, 0),
        ("around-webp", "ms_ssim", False, 0),
    ],
)
def test_networks_around_a_codec_save_its_bits(measured, name, key, is_halved, most):
    alone, around = measured["plain"][AROUND[name]], measured["shipped"][name]
    part = {"means": [m for m in around["means"] if (m["quality"] < 4) == is_halved]}
    assert metrics.bd_rate(curve(alone, key), curve(part, key)) < most


def test_halving_around_webp_does_not_pay_in_psnr(measured):
    part = {"means": [m for m in measured["shipped"]["around-webp"]["means"] if m["quality"] < 4]}
    assert metrics.bd_rate(curve(measured["plain"]["webp"]), curve(part)) > 0


def test_files_grow_with_quality(measured):
    for name in AROUND:
        rates = [m["bpp"] for m in measured["shipped"][name]["means"]]
        assert rates == sorted(rates)


def test_variants_were_trained_alike_and_measured_on_the_same_pictures(measured):
    rows = measured["variants"]
    assert set(rows) == {
        "straight", "dropped", "proxy", "rate unseen", "bicubic",
        "compaction alone", "reconstruction alone",
    }  # fmt: skip
    assert len({tuple(m["quality"] for m in row["means"]) for row in rows.values()}) == 1
