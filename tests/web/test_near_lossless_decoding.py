"""Near-lossless files in the page: every pixel is Python's, and so is the verdict on damaged files."""

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import container, data, weights
from tests.web.conftest import PICTURES
from tests.web.page import Page, copied, turned
from tests.web.test_damage import verdict
from tools import damage, web_near_lossless, web_weights
from tools.setup_cell import ROOT

PHOTO = data.sample("astronaut")
IMAGES = {name: image for name, (image, _) in PICTURES.items()}
CASES = 600
FILES = {  # picture and tau
    "colour": (IMAGES["colour"], 0),
    "odd": (IMAGES["odd"], 2),
    "one": (IMAGES["one"], 1),
    "narrow": (IMAGES["narrow"], 5),
    "grey": (IMAGES["grey"], 0),
    "grey-bound": (IMAGES["grey"], 4),
    "alpha": (IMAGES["alpha"], 3),
    "grey-alpha": (IMAGES["grey-alpha"], 20),
    "thin": (PHOTO.resize((700, 37)), 1),  # its tiles are cut into parts
    "high": (PHOTO.resize((63, 300)), 0),
    "tiles": (PHOTO.resize((790, 65)), 7),  # two of them, side by side
    "tower": (PHOTO.resize((66, 523)), 2),  # two of them, one below the other
}


@pytest.fixture(scope="module")
def decoded(site, tmp_path_factory):
    """Files by Python, what the page says of them, and the page."""
    files = {
        name: cl.encode(image, web_near_lossless.NAME, tau=tau) for name, (image, tau) in FILES.items()
    }
    page = Page(site, tmp_path_factory.mktemp("near-lossless"))
    return files, dict(zip(files, page.decode(**files), strict=True)), page


@pytest.mark.parametrize("name", FILES)
def test_every_pixel_is_that_of_python(decoded, name):
    files, answers, page = decoded
    expected, (image, tau) = cl.decode(files[name]), FILES[name]
    assert answers[name]["mode"] == expected.mode == image.mode
    found = page.rgba(name, *image.size)
    assert np.array_equal(found, np.asarray(expected.convert("RGBA")))
    assert answers[name]["promise"] == tau
    colours = np.asarray(image.convert("RGBA"))[:, :, :3].astype(int)
    assert np.abs(found[:, :, :3] - colours).max() <= tau


def test_progress_grows_to_all(decoded):
    for answer in decoded[1].values():
        assert answer["shares"] == sorted(answer["shares"])
        assert answer["shares"][-1] == 1


@pytest.mark.parametrize("name", ["colour", "grey", "alpha"])
@pytest.mark.filterwarnings("ignore::codec_lib.PictureWarning")
def test_a_file_without_its_residual_is_a_preview_that_promises_nothing(decoded, page, name):
    short = cl.truncate(decoded[0][name], stages=1)
    (answer,) = page.decode(file=short)
    expected = cl.decode(short)
    assert answer["promise"] is None
    assert np.array_equal(page.rgba("file", *expected.size), np.asarray(expected.convert("RGBA")))


def test_golden_files_decode_to_the_pixels_of_python(page):
    golden = ROOT / "tests" / "golden" / "files"
    files = {path.name: path.read_bytes() for path in golden.glob(f"{web_near_lossless.NAME}-*.clc")}
    assert len(files) == 3
    page.decode(**files)
    for name, content in files.items():
        expected = cl.decode(content)
        assert np.array_equal(page.rgba(name, *expected.size), np.asarray(expected.convert("RGBA")))


@pytest.fixture(scope="module")
def judged(site, tmp_path_factory):
    """Damaged files by seed, what the page says of each (a crash fails here), and the page."""
    originals = damage.originals([web_near_lossless.NAME])
    files = {str(seed): damage.case(seed, originals).data for seed in range(CASES)}
    page = Page(site, tmp_path_factory.mktemp("damaged"))
    return files, dict(zip(files, page.decode(**files), strict=True)), page


@pytest.mark.filterwarnings("ignore::codec_lib.PictureWarning")
def test_of_damaged_files_the_page_says_what_python_says(judged):
    files, answers, page = judged
    accepted = {seed for seed, content in files.items() if verdict(content)}
    assert {seed for seed, answer in answers.items() if "refused" not in answer} == accepted
    assert CASES / 100 < len(accepted) < CASES / 2, "else nothing is compared"
    for seed in accepted:
        expected = cl.decode(files[seed])
        found = page.rgba(seed, *expected.size)
        assert np.array_equal(found, np.asarray(expected.convert("RGBA"))), f"seed {seed}"


def test_a_refusal_is_one_line_and_names_a_field(judged):
    for seed, answer in judged[1].items():
        if "refused" in answer:
            assert "\n" not in answer["refused"], seed
            assert ": " in answer["refused"], seed


def test_the_weights_carry_both_digests_and_are_short():
    trained = weights.load(web_near_lossless.NAME)
    (content,) = web_near_lossless.files().values()
    assert content[8:24].hex() == trained.digest + trained.probabilities
    assert int.from_bytes(content[4:8], "little") == len(content) < 6_000_000


def test_one_changed_weight_is_seen(site, tmp_path, decoded):
    """The control: were the comparison blind, this would pass."""
    (path,) = site.glob(f"{web_near_lossless.NAME}-*.bin")
    layer = web_weights.Arrays(weights.find(web_near_lossless.NAME)).exact("corrected.5.0")
    changed = turned(path.read_bytes(), layer, 24 + 8 * web_near_lossless.C)
    other = copied(site, tmp_path / "site", **{path.name: changed})
    page, files = Page(other, tmp_path), {name: decoded[0][name] for name in ("narrow", "odd")}
    answers = dict(zip(files, page.decode(**files), strict=True))
    expected = {name: np.asarray(cl.decode(content).convert("RGBA")) for name, content in files.items()}
    assert np.array_equal(page.rgba("odd", 203, 131), expected["odd"]), "tau 2 has another network"
    if "refused" not in answers["narrow"]:
        assert not np.array_equal(page.rgba("narrow", 3, 129), expected["narrow"])


def test_a_picture_above_the_limit_is_refused_kindly(page):
    head, sections = damage.parts_of(cl.encode(Image.new("RGB", (8, 8)), web_near_lossless.NAME, tau=0))
    large = type(head)(**{**vars(head), "width": 2049, "height": 1024})
    (answer,) = page.decode(file=container.write(large, sections))
    assert answer["refused"] == "size: 2049 x 1024; this page takes 2 megapixels at most"
