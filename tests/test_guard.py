"""Pictures that a codec for photographs does badly are noticed, and photographs are not bothered."""

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import data, guard, picture

ROWS, COLUMNS = np.indices((128, 128))
BAD = {
    "checkerboard": (ROWS + COLUMNS) % 2 * 255,
    "coarser checkerboard": (ROWS // 3 + COLUMNS // 3) % 2 * 255,
    "lines": COLUMNS % 2 * 255,
    "noise": np.random.default_rng(0).integers(0, 256, (128, 128)),
    "half a photo": np.where(
        COLUMNS < 64, np.asarray(data.sample().convert("L"))[:128, :128], (ROWS + COLUMNS) % 2 * 255
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("model", ["flagship", "hyperprior", "factorized", "autoencoder"])
def test_a_file_below_twenty_decibels_comes_with_a_warning_that_names_a_better_model(name, model):
    samples = BAD[name].astype(np.uint8)
    with pytest.warns(
        cl.PictureWarning, match=r"codes this picture at .* dB only; near-lossless would keep it"
    ):
        file = cl.encode(samples, model, quality=1)
    error = np.mean((np.asarray(cl.decode(file)).astype(float) - samples) ** 2)
    assert 10 * np.log10(255**2 / error) < guard.POOR


@pytest.mark.filterwarnings("error::codec_lib.PictureWarning")
@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_photographs_are_coded_without_a_word(name):
    cl.encode(data.sample(name), quality=1)
    assert not guard.is_suspicious(picture.to_levels(data.sample(name)))


@pytest.mark.filterwarnings("error::codec_lib.PictureWarning")
def test_what_is_kept_exactly_needs_no_warning():
    cl.encode(BAD["noise"].astype(np.uint8), "near-lossless")


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (9, 3), (40, 41), (200, 7)])
def test_any_size_can_be_looked_at(size):
    flat = torch.full((1, 3, *size), 77, dtype=torch.uint8)
    assert not guard.is_suspicious(flat)
