"""Metrics, baselines, evaluation: what the results tables are made with."""

import io
import math
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from codec_lib import data
from codec_lib.measure import baselines, evaluate, metrics

PHOTO = data.sample("astronaut").crop((100, 0, 292, 192))


def test_psnr_is_the_formula():
    a = np.zeros((4, 4, 3), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 10  # MSE 100 / 48
    assert metrics.psnr(a, b) == pytest.approx(10 * math.log10(255**2 * 48 / 100))
    assert metrics.psnr(a, a) == math.inf


def test_metrics_do_not_wrap_around_like_uint8():
    a, b = np.full((2, 2, 3), 3, np.uint8), np.full((2, 2, 3), 250, np.uint8)
    assert metrics.psnr(a, b) == metrics.psnr(b, a) == pytest.approx(10 * math.log10(255**2 / 247**2))


def test_metrics_take_eight_bit_pictures_only():
    with pytest.raises(ValueError, match="float64"):
        metrics.psnr(np.zeros((2, 2, 3)), np.zeros((2, 2, 3)))


def test_ms_ssim_is_one_for_equal_pictures_and_falls_with_noise():
    pytest.importorskip("pytorch_msssim")
    noise = np.random.default_rng(0).normal(0, 20, (192, 192, 3))
    noisy = np.clip(np.asarray(PHOTO) + noise, 0, 255).astype(np.uint8)
    assert metrics.ms_ssim(PHOTO, PHOTO) == pytest.approx(1)
    assert 0.5 < metrics.ms_ssim(PHOTO, noisy) < 0.99


def test_ms_ssim_refuses_pictures_too_small_for_five_scales():
    pytest.importorskip("pytorch_msssim")
    with pytest.raises(ValueError, match="160"):
        metrics.ms_ssim(PHOTO.crop((0, 0, 160, 192)), PHOTO.crop((0, 0, 160, 192)))


def test_ssimulacra2_is_100_for_equal_pictures_and_falls_along_its_marks():
    photo = PHOTO.convert("RGB")
    scores = [metrics.ssimulacra2(photo, photo)]
    for quality in (95, 60, 10):
        seen = baselines.decode("jpeg", baselines.encode("jpeg", photo, quality))
        scores.append(metrics.ssimulacra2(photo, seen))
    assert scores[0] == pytest.approx(100)
    assert all(a > b for a, b in pairwise(scores))
    assert scores[1] > 75
    assert scores[3] < 50


def test_ssimulacra2_takes_grey_and_refuses_what_it_cannot_see():
    grey = PHOTO.convert("L")
    assert metrics.ssimulacra2(grey, grey) == pytest.approx(100)
    for a, b in ((PHOTO, PHOTO.crop((0, 0, 64, 64))), (PHOTO.crop((0, 0, 7, 64)),) * 2):
        with pytest.raises(ValueError, match="SSIMULACRA2 needs equal sides, from 8 pixels"):
            metrics.ssimulacra2(a, b)


def test_bd_rate_of_half_the_bits_is_minus_fifty_percent():
    pytest.importorskip("bjontegaard")
    anchor = [(0.25, 28.0), (0.5, 31.0), (1.0, 34.0), (2.0, 37.0)]
    halved = [(rate / 2, quality) for rate, quality in reversed(anchor)]
    assert metrics.bd_rate(anchor, halved) == pytest.approx(-50, abs=1e-6)
    assert metrics.bd_rate(halved, anchor) == pytest.approx(100, abs=1e-6)


@pytest.mark.parametrize(
    "points",
    [
        [(0.2, 30.0), (0.4, 29.0), (0.8, 33.0)],
        [(0.2, 30.0), (0.4, 32.0)],
        [(1, 50.0), (2, 51.0), (3, 52.0)],
    ],
    ids=["falling", "two points", "no overlap"],
)
def test_bd_rate_refuses_what_has_no_answer(points):
    pytest.importorskip("bjontegaard")
    with pytest.raises(ValueError, match=r"rise|common"):
        metrics.bd_rate([(0.25, 28.0), (0.5, 31.0), (1.0, 34.0), (2.0, 37.0)], points)


@pytest.mark.parametrize("name", baselines.BASELINES)
def test_a_baseline_writes_real_files_that_get_better_with_quality(name):
    if name.startswith("heic"):
        pytest.importorskip("pillow_heif")
    if name == "jxl":
        pytest.importorskip("imagecodecs")
    low, _, high = (baselines.BASELINES[name].qualities[k] for k in (0, 1, -1))
    files = [baselines.encode(name, PHOTO, quality) for quality in (low, high)]
    errors = [metrics.psnr(PHOTO, baselines.decode(name, data)) for data in files]
    assert len(files[0]) < len(files[1]) < PHOTO.width * PHOTO.height * 3
    assert 15 < errors[0] < errors[1]


def test_jpeg_is_a_progressive_420_file_that_pillow_reads():
    image = Image.open(io.BytesIO(baselines.encode("jpeg", PHOTO, 80)))
    assert image.format == "JPEG"
    assert image.info["progressive"] == 1


def test_a_budget_is_kept_and_used():
    data = baselines.at_size("jpeg", PHOTO, 4000)
    assert 3000 < len(data) <= 4000


def test_a_large_budget_gets_the_best_file_there_is():
    assert baselines.at_size("jpeg", PHOTO, 10**7) == baselines.encode("jpeg", PHOTO, 100)


def test_pictures_of_other_shapes_have_no_psnr():
    row = np.zeros((1, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="expected equal shapes"):
        metrics.psnr(row, np.zeros((8, 8, 3), np.uint8))


def test_an_unknown_baseline_is_refused():
    with pytest.raises(ValueError, match="'heic-x'; there are jpeg"):
        baselines.encode("heic-x", PHOTO, 50)
    with pytest.raises(ValueError, match="'gif'; there are jpeg"):
        baselines.decode("gif", b"")


@pytest.mark.parametrize("name", ["jpeg2k", "jxl"])
def test_a_size_is_not_asked_of_a_format_whose_quality_is_no_percentage(name):
    with pytest.raises(ValueError, match=f"'{name}'; sizes can be asked of jpeg, webp, avif"):
        baselines.at_size(name, PHOTO, 4000)


def test_a_process_that_has_encoded_nothing_decodes_heic():
    pytest.importorskip("pillow_heif")
    code = (
        "import sys; from codec_lib.measure import baselines\n"
        "print(baselines.decode('heic', sys.stdin.buffer.read()).shape)"
    )
    file = baselines.encode("heic", PHOTO, 50)
    done = subprocess.run([sys.executable, "-c", code], input=file, capture_output=True)
    assert done.stdout.decode().strip() == str((PHOTO.height, PHOTO.width, 3)), done.stderr.decode()


def test_evaluation_counts_the_bytes_of_files(tmp_path):
    PHOTO.save(tmp_path / "photo.png")
    measured = evaluate.evaluate(
        [tmp_path / "photo.png"],
        lambda image, quality: baselines.encode("jpeg", image, quality),
        lambda file: baselines.decode("jpeg", file),
        [20, 80],
    )
    size = len(baselines.encode("jpeg", PHOTO, 20))
    assert measured["rows"][0]["bytes"] == size
    assert measured["means"][0]["bpp"] == 8 * size / 192**2
    assert measured["means"][0]["psnr"] == measured["rows"][0]["psnr"]


def test_pictures_of_one_name_in_two_folders_are_told_apart(tmp_path):
    paths = [tmp_path / folder / "photo.png" for folder in ("a", "b/c")]
    for path in paths:
        path.parent.mkdir(parents=True)
        PHOTO.save(path)
    for given, names in ((paths, ["a/photo.png", "b/c/photo.png"]), (paths[:1], ["photo.png"])):
        measured = evaluate.evaluate(given, lambda image, quality: b"1", lambda file: PHOTO, [1])
        assert [row["picture"] for row in measured["rows"]] == names


def test_samples_need_no_network():
    assert data.sample("astronaut").size == (512, 512)
    assert data.sample("coffee").mode == "RGB"
