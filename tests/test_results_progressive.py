"""Files that can be cut, at true rates; a published figure agrees with files, not with its axis."""

import numpy as np
import pytest

from benchmarks.recurrent_ablations import RUNS
from codec_lib import data, weights

PROGRESSIVE, ABLATIONS = data.results("progressive")["curves"], data.results("recurrent_ablations")
MEASURED, PUBLISHED = data.results("plotted_rates"), data.results("published_progressive")
CODECS = ("jpeg", "webp")


@pytest.mark.parametrize("codec", CODECS)
def test_our_files_are_as_long_as_the_authors_say(codec):
    true = PUBLISHED["plotted"][codec]["true_bpp"]
    for row, bpp in list(zip(MEASURED["curves"][codec], true, strict=False))[2:]:
        assert row["bpp"] == pytest.approx(bpp, rel=0.08)


def test_webp_is_drawn_at_more_than_its_rate_and_jpeg_from_its_fifth_file_on():
    for codec, first in (("webp", 0), ("jpeg", 4)):
        for row in MEASURED["curves"][codec][first:12]:
            assert row["plotted_bpp"] > row["bpp"]


@pytest.mark.parametrize("codec", CODECS)
def test_points_lie_where_the_script_puts_them(codec):
    rows = MEASURED["curves"][codec]
    assert [row["plotted_bpp"] for row in rows] == [0.125 * k for k in range(1, len(rows) + 1)]
    assert [row["psnr"] for row in rows] == sorted(row["psnr"] for row in rows)


def test_the_gain_of_gdn_was_published_for_every_iteration():
    plain, gdn = (PUBLISHED["iterations"][name]["psnr"] for name in ("lstm", "gdn"))
    assert len(plain) == len(gdn) == 16
    assert all(0.1 < b - a < 0.7 for a, b in zip(plain, gdn, strict=True))


@pytest.mark.parametrize("name", PROGRESSIVE)
def test_every_iteration_of_the_shipped_weights_is_coded_and_gains(name):
    rows = PROGRESSIVE[name]["means"]
    assert PROGRESSIVE[name]["weights"] == weights.load(name).digest
    assert [row["iterations"] for row in rows] == list(range(1, 17))
    for key in ("bpp", "psnr", "ms_ssim"):
        assert [row[key] for row in rows] == sorted(row[key] for row in rows)
    assert all(row["coded_bytes"] <= row["raw_bytes"] for row in rows)
    assert rows[0]["coded_bytes"] < 0.9 * rows[0]["raw_bytes"]


def test_the_small_codec_keeps_up_with_the_published_one_at_first_and_falls_behind():
    rates, psnr = zip(*PUBLISHED["curves"]["toderici"]["psnr"], strict=True)
    rows = PROGRESSIVE["recurrent"]["means"]
    ahead = [row["psnr"] - np.interp(row["bpp"], rates, psnr) for row in rows]
    assert ahead[1] > -0.1
    assert max(ahead[7:]) < -1


def test_ms_ssim_at_half_a_bit_is_at_least_that_of_jpeg():
    ours, jpeg = (
        PROGRESSIVE["recurrent"]["means"],
        data.results("kodak_baselines")["curves"]["jpeg"]["means"],
    )
    at = [
        np.interp(0.5, *zip(*((r["bpp"], r["ms_ssim"]) for r in rows), strict=True))
        for rows in (ours, jpeg)
    ]
    assert at[0] >= at[1]


def test_the_ablations_are_those_that_the_benchmark_makes():
    assert {(row["variant"], row["seed"]) for row in ABLATIONS["rows"]} == {
        (n, seed) for n, _, seed in RUNS
    }
    assert len(ABLATIONS["rows"]) == len(RUNS)
    assert f"--steps {ABLATIONS['steps']} " in ABLATIONS["command"]
