"""The page finds the integers that Python finds, and pixels that are at most one level off."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import container, weights
from codec_lib.filtering import choice as filters
from codec_lib.models.transform import TransformCodec
from tests import icc
from tests.web.conftest import PICTURES
from tests.web.page import Page, copied, turned
from tools import web_weights

GOLDEN = Path(__file__).parents[1] / "golden" / "files"


def model() -> TransformCodec:
    loaded = weights.load(web_weights.NAME).model
    assert isinstance(loaded, TransformCodec)
    return loaded


def arguments(data: bytes) -> tuple:
    """What `Model.read` wants to know of a file."""
    file = container.read(data)
    return file.take(["z", "y"]), file.header.value, file.header.height, file.header.width


FILTERED = {  # coded with a filter of their own
    f"{name}-filtered": PICTURES[name] for name in ("colour", "odd", "chunks")
} | {"grey-filtered": (PICTURES["colour"][0].convert("L"), 5)}


@pytest.fixture(scope="module")
def decoded(site, tmp_path_factory):
    """Files by Python, what the page says of them, and the page."""
    files = {name: cl.encode(image, quality=quality) for name, (image, quality) in PICTURES.items()}
    files |= {name: cl.encode(image, quality=q, effort=1) for name, (image, q) in FILTERED.items()}
    page = Page(site, tmp_path_factory.mktemp("decoded"))
    return files, dict(zip(files, page.decode(**files), strict=True)), page


@pytest.mark.parametrize("name", PICTURES)
def test_latents_are_those_of_python(decoded, name):
    files, _, page = decoded
    expected = model().read(*arguments(files[name]))
    found = page.integers(name, *PICTURES[name][0].size[::-1])
    assert all(np.array_equal(found[part], expected[part].numpy()) for part in "yz")


@pytest.mark.parametrize("name", [*PICTURES, *FILTERED])
def test_pixels_are_one_level_off_at_most(decoded, name):
    files, answers, page = decoded
    assert ("f" in container.read(files[name]).names) == (name in FILTERED)
    picture = cl.decode(files[name])
    assert (answers[name]["width"], answers[name]["height"]) == picture.size
    found = page.picture(name, answers[name]["mode"])
    assert np.array_equal(page.rgba(name, *picture.size), np.asarray(found.convert("RGBA")))
    difference = np.abs(np.asarray(found).astype(int) - np.asarray(picture).astype(int))
    assert difference.max() <= 1
    # A level differs where a sample lies within a float's error of a rounding border: 13 layers of sums of
    # up to 1152 terms of size 4, 2^-24 each, are 0.007 levels. Another rounding would change half of them.
    assert (difference > 0).sum() <= max(1, 0.02 * difference.size)


def test_alpha_is_exact(decoded):
    _, _, page = decoded
    for name in ("alpha", "grey-alpha"):
        image = PICTURES[name][0]
        found = page.rgba(name, *image.size)[:, :, 3]
        assert np.array_equal(found, np.asarray(image.getchannel("A")))


@pytest.mark.parametrize("name", PICTURES)
def test_the_map_of_bits_is_that_of_python(decoded, name):
    files, _, page = decoded
    expected = model().bit_map(*arguments(files[name]))
    # 320 logarithms a place, each below 2^7, summed in another order: 2^-52 times 320 times 320 times 2^7.
    assert np.abs(page.bits(name) - expected.ravel()).max() < 2.0**-52 * 320**2 * 2**7


def test_progress_grows_to_all(decoded):
    _, answers, _ = decoded
    for answer in answers.values():
        assert answer["shares"] == sorted(answer["shares"])
        assert answer["shares"][-1] == 1


def test_golden_files_decode_to_their_symbols(page):
    expected = json.loads((GOLDEN / "symbols.json").read_text())["symbols"]
    files = {path.name: path.read_bytes() for path in GOLDEN.glob("flagship-[0-9]*.clc")}
    assert len(files) == 3
    page.decode(**files)
    for name, data in files.items():
        integers = page.integers(name, *arguments(data)[2:])
        integers["f"] = filters.read(container.read(data).take()["f"])[0].numpy()  # pixels tell the page's
        state = hashlib.sha256(b"".join(np.ascontiguousarray(integers[k]).tobytes() for k in "fyz"))
        assert state.hexdigest() == expected[name]


def test_a_colour_profile_goes_into_the_png(page):
    wide = icc.matrix(icc.P3_PRIMARIES)
    image = PICTURES["odd"][0].copy()
    image.info["icc_profile"] = wide
    page.decode(file=cl.encode(image))
    assert page.picture("file", "RGB").info["icc_profile"] == wide


def test_one_changed_weight_is_seen(site, tmp_path):
    """The control: were the comparison blind, this would pass."""
    listed = json.loads((site / "weights.json").read_text())["decoder"]["file"]
    layer = web_weights.Arrays(weights.find(web_weights.NAME)).exact("parameters.0")
    changed = turned((site / listed).read_bytes(), layer, 24 + 8 * web_weights.K)
    other = copied(site, tmp_path / "site", **{listed: changed})
    image, quality = PICTURES["colour"]
    data = cl.encode(image, quality=quality)
    page = Page(other, tmp_path)
    (answer,) = page.decode(file=data)
    if "refused" not in answer:
        found = page.integers("file", image.height, image.width)
        assert not np.array_equal(found["y"], model().read(*arguments(data))["y"].numpy())


def test_a_picture_above_the_limit_is_refused_kindly(page):
    header = container.read(cl.encode(Image.new("RGB", (8, 8)))).header
    fields = {**vars(header), "width": 4097, "height": 4096}
    data = container.write(type(header)(**fields), {"z": b"", "y": b""})
    (answer,) = page.decode(file=data)
    assert answer["refused"] == "size: 4097 x 4096; this page takes 16 megapixels at most"
