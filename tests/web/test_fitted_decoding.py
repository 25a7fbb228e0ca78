"""Files of the codec for one picture in the page: pixels within a level of Python's, equal verdicts."""

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import container, data, weights
from codec_lib.fitting import fit
from tests.web.conftest import PICTURES
from tests.web.page import Page
from tests.web.test_damage import verdict
from tools import damage, web_fitted
from tools.setup_cell import ROOT

CASES = 600
GOLDEN = ROOT / "tests" / "golden"
IMAGES = {name: image for name, (image, _) in PICTURES.items() if name != "chunks"}


def differs(found: np.ndarray, expected: Image.Image) -> int:
    """The largest difference of a sample."""
    return int(np.abs(found.astype(int) - np.asarray(expected.convert("RGBA"))).max())


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Of all modes, of odd sizes, and one whose network looks far."""
    made = {
        name: cl.encode(image, web_fitted.NAME, quality=4, effort=0, device="cpu")
        for name, image in IMAGES.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "FAR_FROM", 0)
        made["far"] = cl.encode(IMAGES["odd"], web_fitted.NAME, quality=6, effort=1, device="cpu")
    return made


@pytest.fixture(scope="module")
def decoded(files, site, tmp_path_factory):
    """What the page says of the files, and the page."""
    page = Page(site, tmp_path_factory.mktemp("fitted"))
    return dict(zip(files, page.decode(**files), strict=True)), page


@pytest.mark.parametrize("name", [*IMAGES, "far"])
def test_pixels_are_within_a_level_of_pythons(files, decoded, name):
    answers, page = decoded
    expected = cl.decode(files[name], device="cpu")
    assert answers[name]["mode"] == expected.mode
    found = page.rgba(name, *expected.size)
    assert differs(found, expected) <= 1
    assert np.mean(found != np.asarray(expected.convert("RGBA"))) < 0.001


def test_progress_grows_to_all(decoded):
    for answer in decoded[0].values():
        assert answer["shares"] == sorted(answer["shares"])
        assert answer["shares"][-1] == 1


def test_golden_files_are_decoded(page):
    paths = (GOLDEN / "files").glob(f"{web_fitted.NAME}-*")
    contents = {path.name: path.read_bytes() for path in paths}
    assert len(contents) == 3
    page.decode(**contents)
    for name, content in contents.items():
        expected = cl.decode(content, device="cpu")
        assert differs(page.rgba(name, *expected.size), expected) <= 1


def test_a_file_of_earlier_weights_is_refused_by_their_name(page):
    (answer,) = page.decode(file=(GOLDEN / "earlier" / "fitted-8.clc").read_bytes())
    assert answer["refused"].startswith("weights: the file needs ")


def test_of_damaged_files_the_page_says_what_python_says(site, tmp_path):
    originals = damage.originals([web_fitted.NAME])
    damaged = {str(seed): damage.case(seed, originals).data for seed in range(CASES)}
    page = Page(site, tmp_path)
    answers = dict(zip(damaged, page.decode(**damaged), strict=True))
    accepted = {seed for seed, content in damaged.items() if verdict(content)}
    assert {seed for seed, answer in answers.items() if "refused" not in answer} == accepted
    assert CASES / 100 < len(accepted) < CASES / 2, "else nothing is compared"
    for seed, answer in answers.items():
        if "refused" in answer:
            assert "\n" not in answer["refused"], seed
            assert ": " in answer["refused"], seed


def test_the_weights_carry_both_digests_and_are_short():
    trained = weights.load(web_fitted.NAME)
    (content,) = web_fitted.files().values()
    assert content[8:24].hex() == trained.digest + trained.probabilities
    assert int.from_bytes(content[4:8], "little") == len(content) < 200_000


def test_grids_of_another_size_are_refused(files, page):
    head, sections = damage.parts_of(files["odd"])
    turned = type(head)(**{**vars(head), "width": head.height, "height": head.width})
    (answer,) = page.decode(file=container.write(turned, sections))
    assert answer["refused"] == "section y: bad header"


def test_a_picture_above_the_limit_is_refused_kindly(files, page):
    head, sections = damage.parts_of(files["odd"])
    large = type(head)(**{**vars(head), "width": 2049, "height": 1024})
    (answer,) = page.decode(file=container.write(large, sections))
    assert answer["refused"] == "size: 2049 x 1024; this page takes 2 megapixels at most"


def test_a_photo_of_a_quarter_megapixel_is_decoded(page):
    photo = data.sample("astronaut")
    file = cl.encode(photo, web_fitted.NAME, quality=3, effort=0, device="cpu")
    page.decode(photo=file)
    assert differs(page.rgba("photo", *photo.size), cl.decode(file, device="cpu")) <= 1
