"""Claims about the map of bits of a file."""

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import data
from codec_lib.measure.bit_map import bit_map


@pytest.fixture(scope="module")
def photo():
    return data.sample("astronaut").crop((100, 20, 301, 150))  # a size that no stride divides


@pytest.mark.parametrize(("model", "quality"), [("flagship", 1), ("flagship", 4.5), ("context", 3)])
def test_the_sum_of_the_map_is_the_length_of_the_section(photo, model, quality):
    file = cl.encode(photo, model, quality=quality)
    length = {section.name: section.length for section in cl.inspect(file).sections}["y"]
    assert 0 <= length - bit_map(file).sum() / 8 < 24  # the coder's states


def test_grey_squares_cost_less_than_noise():
    picture = np.full((128, 128, 3), 128, np.uint8)
    picture[:, 64:] = np.random.default_rng(0).integers(0, 256, (128, 64, 3))
    with pytest.warns(cl.PictureWarning):
        file = cl.encode(picture, quality=4)
    bits = bit_map(file)
    assert bits[:, :3].max() < bits[:, 5:].min()


def test_a_file_of_another_prior_is_refused_by_name(photo):
    with pytest.raises(ValueError, match="hyperprior"):
        bit_map(cl.encode(photo, "hyperprior", quality=3))
