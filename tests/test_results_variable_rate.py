"""The comparison of one network for every rate with networks for one: complete, and the loss is small."""

import math

import pytest
import torch

from benchmarks.variable_rate import QUALITIES, VARIANTS, OneGain
from codec_lib import data
from codec_lib.layers.gain import lambda_of

MEASURED = data.results("variable_rate")
SETS = ("validation", "kodak")
VARIABLE = [name for name, variant in VARIANTS.items() if variant.quality is None]


def points(pictures):
    return [
        (name, quality, point)
        for name, variant in MEASURED["variants"].items()
        for quality, point in variant[pictures].items()
    ]


def test_the_file_names_its_command_and_its_minutes():
    assert MEASURED["command"].startswith("python -m benchmarks.variable_rate --minutes ")
    assert f"--minutes {MEASURED['minutes']:g} " in MEASURED["command"]


@pytest.mark.parametrize("pictures", SETS)
def test_every_variant_is_measured_at_every_quality_that_it_was_trained_for(pictures):
    every = {
        (name, f"{quality:g}")
        for name, variant in VARIANTS.items()
        for quality in QUALITIES
        if variant.quality in (None, quality)
    }
    assert {(name, quality) for name, quality, _ in points(pictures)} == every
    assert all(point["pictures"] == 24 for _, _, point in points("kodak"))


def test_one_gain_is_the_mean_of_all_channels_in_logarithms():
    unit = OneGain(2, initial=4.0)
    unit.log_gain.data[:, 0] += 1
    gain, inverse = unit(torch.tensor([4.0]))
    assert gain.flatten().tolist() == pytest.approx([4 * math.exp(0.5)] * 2)
    assert inverse.flatten().tolist() == pytest.approx([1 / 4] * 2)


def test_all_variants_took_the_same_number_of_steps():
    assert len({variant["step"] for variant in MEASURED["variants"].values()}) == 1


@pytest.mark.parametrize("pictures", SETS)
def test_cost_is_rate_and_weighted_error(pictures):
    for _, quality, point in points(pictures):
        weight = lambda_of(float(quality)).item()
        assert point["cost"] == pytest.approx(point["bpp"] + weight * point["mse"])


@pytest.mark.parametrize("pictures", SETS)
@pytest.mark.parametrize("name", VARIABLE)
def test_a_higher_quality_costs_more_and_shows_more(name, pictures):
    low, high = MEASURED["variants"][name][pictures].values()
    assert low["bpp"] < high["bpp"]
    assert low["psnr"] < high["psnr"]


@pytest.mark.parametrize("pictures", SETS)
@pytest.mark.parametrize("quality", [f"{quality:g}" for quality in QUALITIES])
def test_one_network_for_every_rate_loses_less_than_a_tenth_of_the_rate(quality, pictures):
    variants = MEASURED["variants"]
    single = variants[f"only quality {quality}"][pictures][quality]
    for name in VARIABLE:
        excess = variants[name][pictures][quality]["cost"] - single["cost"]
        loss = MEASURED["loss_percent"][name][pictures][quality]
        assert loss == pytest.approx(100 * excess / single["bpp"])
    assert MEASURED["loss_percent"]["all qualities"][pictures][quality] < 10
