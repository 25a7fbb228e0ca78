"""Files whose picture has a filter of its own: what it gains, and that every way of decoding knows it."""

import warnings

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import container, data, decoders
from codec_lib.errors import BitstreamError, PictureWarning
from codec_lib.measure import metrics

MODELS = ["flagship", "hyperprior", "factorized", "context"]
models = pytest.mark.parametrize("name", MODELS)


def photo():
    return data.sample("coffee").crop((0, 0, 251, 187))


@pytest.fixture(scope="module")
def files():
    return {name: cl.encode(photo(), name, quality=4, effort=1) for name in MODELS}


def difference(a, b):
    return np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max()


@models
def test_the_filter_is_a_stage_that_gains(files, name):
    file = files[name]
    assert container.read(file).names[-1] == "f"
    before, after = (metrics.psnr(photo(), cl.decode(file, stages=stages)) for stages in (1, 2))
    assert after > before + 0.15
    assert difference(cl.decode(file), cl.decode(file, stages=2)) == 0


@models
def test_effort_0_writes_no_filter(name):
    assert "f" not in container.read(cl.encode(photo(), name, quality=4, effort=0)).names


@models
@pytest.mark.parametrize("window", [(0, 0, 60, 50), (101, 37, 202, 139), (240, 180, 251, 187)])
def test_a_window_is_a_part_of_the_whole(files, name, window):
    part = cl.decode(files[name], window=window)
    assert difference(part, cl.decode(files[name]).crop(window)) <= 1


def test_a_file_without_its_filter_is_a_whole_one(files):
    short = cl.truncate(files["flagship"], stages=1)
    assert container.read(short).names == ("z", "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert difference(cl.decode(short), cl.decode(files["flagship"], stages=1)) == 0


def test_a_damaged_filter_leaves_the_picture_before_it(files):
    file = bytearray(files["flagship"])
    file[-5] ^= 1
    with pytest.raises(BitstreamError, match=r"section f.*1 of 2 stages is intact"):
        cl.decode(bytes(file))
    assert difference(cl.decode(bytes(file), stages=1), cl.decode(files["flagship"], stages=1)) == 0


def test_another_decoder_leaves_it_out(files):
    name = next(iter(decoders.paths()))
    short = cl.truncate(files["flagship"], stages=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        assert difference(*(cl.decode(file, decoder=name) for file in (files["flagship"], short))) == 0


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_grey_and_transparent_pictures_have_filters_too(mode):
    picture = photo().convert(mode)
    file = cl.encode(picture, "hyperprior", quality=5, effort=1)
    assert "f" in container.read(file).names
    decoded = cl.decode(file)
    assert decoded.mode == mode
    assert metrics.psnr(picture, decoded) > metrics.psnr(picture, cl.decode(file, stages=1)) + 0.05
