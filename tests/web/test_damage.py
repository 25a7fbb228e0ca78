"""Of a damaged file the page says what Python says; no file makes the module trap, or run for ever."""

import warnings

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import container, weights
from tests.web.page import Page
from tools import damage, web_weights

CASES = 1000


@pytest.fixture(scope="module")
def originals():
    return damage.originals([web_weights.NAME])


def verdict(data: bytes) -> bool:
    """Whether Python decodes a file. The page has no pictures of 16 bits, which Python could preview."""
    inspection = container.inspect(data)
    if inspection.header and inspection.header.mode.endswith(";16"):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cl.PictureWarning)
            cl.decode(data)
    except cl.BitstreamError:
        return False
    return True


@pytest.fixture(scope="module")
def judged(originals, site, tmp_path_factory):
    """Damaged files by seed, what the page says of each (a crash fails here), and the page."""
    files = {str(seed): damage.case(seed, originals).data for seed in range(CASES)}
    page = Page(site, tmp_path_factory.mktemp("damaged"))
    return files, dict(zip(files, page.decode(**files), strict=True)), page


def test_the_page_accepts_what_python_accepts(judged):
    files, answers, _ = judged
    accepted = {seed for seed, data in files.items() if verdict(data)}
    assert {seed for seed, answer in answers.items() if "refused" not in answer} == accepted
    assert CASES / 100 < len(accepted) < CASES / 2, "else nothing is compared"


def test_a_damaged_stream_that_decodes_gives_the_symbols_that_python_gets(judged):
    files, answers, page = judged
    model = weights.load(web_weights.NAME).model
    for seed in (seed for seed, answer in answers.items() if "refused" not in answer):
        file = container.read(files[seed])
        head = file.header
        expected = model.read(file.take(["z", "y"]), head.value, head.height, head.width)
        found = page.integers(seed, head.height, head.width)
        assert all(np.array_equal(found[part], expected[part].numpy()) for part in "yz"), f"seed {seed}"


def test_a_refusal_is_one_line_and_names_a_field(judged):
    for seed, answer in judged[1].items():
        if "refused" in answer:
            assert "\n" not in answer["refused"], seed
            assert ": " in answer["refused"], seed


def test_a_header_that_lies_gets_no_memory(originals, page):
    """65536 x 256 pixels claimed by a few bytes: refused before y has any memory."""
    head, sections = damage.parts_of(originals[0].data)
    giant = {"width": 65536, "height": 256}
    data = container.write(type(head)(**{**vars(head), **giant}), sections)
    (small,) = page.decode(small=originals[0].data)
    (answer,) = page.ask({"decode": "small"})
    page.folder.joinpath("giant").write_bytes(data)
    refused, after = page.ask({"decode": "giant"}, {"decode": "small"})
    assert refused["refused"].startswith("section z: ")
    assert small["memory"] == answer["memory"] <= after["memory"] < small["memory"] + 2**21
