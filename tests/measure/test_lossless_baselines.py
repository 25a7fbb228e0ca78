"""The lossless baselines are lossless, and the near-lossless one keeps its bound."""

import numpy as np
import pytest

from codec_lib import data
from codec_lib.measure import lossless_baselines


@pytest.fixture(scope="module")
def picture():
    return np.asarray(data.sample("coffee").crop((100, 100, 197, 163)))


@pytest.mark.parametrize("name", lossless_baselines.LOSSLESS)
def test_every_baseline_gives_the_same_picture_back(name, picture):
    random = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    for image in (picture, random, picture[:1, :1]):
        decoded = lossless_baselines.decode(name, lossless_baselines.encode(name, image))
        assert np.array_equal(decoded, image)


@pytest.mark.parametrize("tau", range(0, 21))
def test_prequantized_samples_are_within_tau(tau):
    samples = np.arange(256, dtype=np.uint8)
    restored = lossless_baselines.restore(lossless_baselines.prequantize(samples, tau), tau)
    assert np.abs(restored.astype(int) - samples).max() == tau


@pytest.mark.parametrize("tau", [0, 1, 2, 5])
def test_near_keeps_the_bound_and_a_larger_one_makes_a_shorter_file(tau, picture):
    file = lossless_baselines.encode_near(picture, tau)
    error = np.abs(lossless_baselines.decode_near(file).astype(int) - picture)
    assert error.max() == tau
    assert len(lossless_baselines.encode_near(picture, tau + 1)) < len(file)


def test_difference_planes_make_jpeg_ls_a_fair_opponent(picture):
    import imagecodecs

    plain = sum(len(imagecodecs.jpegls_encode(np.ascontiguousarray(picture[..., k]))) for k in range(3))
    assert len(lossless_baselines.encode("jpegls", picture)) < plain


def test_an_unknown_baseline_is_refused(picture):
    with pytest.raises(ValueError, match="there are png"):
        lossless_baselines.encode("gif", picture)
    with pytest.raises(ValueError, match="there are png"):
        lossless_baselines.decode("gif", b"")
