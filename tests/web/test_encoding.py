"""What the page writes, Python reads: the same symbols, the same header, as good a picture."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import container, weights
from codec_lib.header import Header
from codec_lib.measure import metrics
from codec_lib.search import largest_within
from codec_lib.setting import QUALITY
from tests.web.conftest import PICTURES
from tests.web.page import Page
from tools import web_weights


@pytest.fixture(scope="module")
def written(site, tmp_path_factory):
    """Files by the page, and the page."""
    page = Page(site, tmp_path_factory.mktemp("written"))
    files = page.encode(**PICTURES)
    page.decode(**files)
    return files, page


@pytest.mark.parametrize("name", PICTURES)
def test_python_reads_the_same_symbols(written, name):
    files, page = written
    file = container.read(files[name])
    head = file.header
    model = weights.load(web_weights.NAME).model
    read = model.read(file.take(["z", "y"]), head.value, head.height, head.width)
    found = page.integers(name, head.height, head.width)
    assert all(np.array_equal(found[part], read[part].numpy()) for part in "yz")


@pytest.mark.parametrize("name", PICTURES)
def test_the_header_is_that_of_python(written, name):
    image, quality = PICTURES[name]
    trained = weights.load(web_weights.NAME)
    expected = Header(
        trained.name, trained.digest, trained.probabilities, *image.size, image.mode, "quality", quality
    )
    assert container.read(written[0][name]).header == expected


@pytest.mark.parametrize("name", PICTURES)
def test_the_file_is_as_good_as_that_of_python(written, name):
    """Floats that sum in another order move a latent now and then: a few of 2^16 symbols at most."""
    image, quality = PICTURES[name]
    ours, other = written[0][name], cl.encode(image, quality=quality)
    latents = {data: container.read(data).take(["z", "y"]) for data in (ours, other)}
    sizes = [sum(map(len, sections.values())) for sections in latents.values()]
    assert abs(sizes[0] - sizes[-1]) <= max(2, 0.001 * sizes[-1])
    psnrs = [metrics.psnr(image.convert("RGB"), cl.decode(data).convert("RGB")) for data in (ours, other)]
    assert psnrs[0] == pytest.approx(psnrs[1], abs=0.01)


def test_alpha_comes_back_exactly(written):
    for name in ("alpha", "grey-alpha"):
        image = PICTURES[name][0]
        found = cl.decode(written[0][name])
        assert found.mode == image.mode
        assert np.array_equal(np.asarray(found.getchannel("A")), np.asarray(image.getchannel("A")))


def test_qualities_are_kept_to_steps_and_their_range(page):
    image = Image.new("RGB", (9, 7), "teal")
    files = page.encode(low=(image, 0.2), high=(image, 11), between=(image, 3.3))
    values = {name: container.read(data).header.value for name, data in files.items()}
    assert values == {"low": 1, "high": 8, "between": round(3.3 * 256) / 256}


def test_values_that_no_table_has_are_escaped(page):
    """Stripes of single pixels have symbols outside of their rows, in both streams."""
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (256, 128)))
    data = page.encode(stripes=(stripes, 8))["stripes"]
    page.decode(stripes=data)
    sections = container.read(data).take(["z", "y"])
    assert all(stream[0] >> 4 > 0 for stream in sections.values()), "no escapes: another picture is needed"
    read = weights.load(web_weights.NAME).model.read(sections, 8, 256, 256)
    found = page.integers("stripes", 256, 256)
    assert all(np.array_equal(found[part], read[part].numpy()) for part in "yz")


def test_a_second_quality_after_another_file_is_as_good_as_the_first(page):
    """Pixels are analyzed once; neither another quality nor another picture disturbs what is kept."""
    (image, quality), (other, _) = PICTURES["odd"], PICTURES["colour"]
    files = page.encode(first=(image, quality), other=(other, 2))
    job = {"rgba": "first.in", "width": image.width, "height": image.height}
    again = {"quality": 7, "decode": "other"}
    page.ask({"encode": job, "quality": quality, "to": "second", "again": again})
    assert (page.folder / "second").read_bytes() == files["first"]


def test_a_large_photo_is_decoded_within_200_megabytes(page):
    """12 megapixels are 4032 x 3024: what a pixel may take, beside what is there before any picture."""
    small, large = Image.new("RGB", (1, 1)), Image.new("RGB", (2048, 1024), "teal")
    page.encode(small=(small, 4), large=(large, 4))
    before, after = page.ask({"decode": "small"}, {"decode": "large"})
    a_pixel = (after["memory"] - before["memory"]) / (large.width * large.height)
    assert 0 < a_pixel < (200e6 - before["memory"]) / (4032 * 3024)


def test_the_search_for_a_size_tries_what_python_tries(page):
    random, asked = np.random.default_rng(0), []
    for _ in range(200):
        sizes = (random.integers(1, 400) + np.cumsum(random.integers(0, 60, 257))).tolist()
        asked.append((sizes, int(random.integers(1, 9000))))
    answers = page.ask(*({"search": {"sizes": sizes, "target": target}} for sizes, target in asked))
    in_steps = replace(QUALITY, finest=2.0)  # 257 of them
    for (sizes, target), answer in zip(asked, answers, strict=True):
        tried = []

        def make(value: float, sizes: list[int] = sizes, tried: list[int] = tried) -> bytes:
            tried.append(round((value - in_steps.coarsest) / in_steps.step))
            return bytes(sizes[tried[-1]])

        try:
            length = len(largest_within(make, target, in_steps))
        except ValueError:
            length = None
        assert (answer["length"], answer["tried"]) == (length, tried)
