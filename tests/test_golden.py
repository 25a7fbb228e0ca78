"""Files written once decode to the same symbols here, whatever this machine and its versions are."""

import json
from pathlib import Path

import pytest
import torch

import codec_lib as cl
from codec_lib import container, data, weights
from codec_lib.measure import metrics
from tests.symbols import symbols_of

FOLDER = Path(__file__).parent / "golden" / "files"
EXPECTED = json.loads((FOLDER / "symbols.json").read_text())["symbols"]
files = pytest.mark.parametrize("name", EXPECTED)


def test_every_shipped_model_has_golden_files():
    assert {path.name for path in FOLDER.glob("*.clc")} == set(EXPECTED)
    assert {name.rsplit("-", 1)[0] for name in EXPECTED} == set(weights.available())


@files
def test_a_golden_file_decodes_to_its_symbols(name):
    assert symbols_of((FOLDER / name).read_bytes()) == EXPECTED[name]


@files
def test_a_golden_file_decodes_to_its_symbols_without_onednn(name):
    with torch.backends.mkldnn.flags(enabled=False):
        assert symbols_of((FOLDER / name).read_bytes()) == EXPECTED[name]


@files
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_golden_file_decodes_to_its_symbols_on_a_gpu(name):
    file = container.read((FOLDER / name).read_bytes())
    header = file.header
    arguments = file.take(), header.value, header.height, header.width
    here, there = (weights.load(header.model, device).model.read(*arguments) for device in ("cpu", "cuda"))
    assert all(torch.equal(here[key], there[key].cpu()) for key in here)


def test_files_from_before_the_coder_learned_decode_as_ever():
    earlier = (FOLDER.parent / "earlier" / "near-lossless-2.clc").read_bytes()
    now = (FOLDER / "near-lossless-2.clc").read_bytes()
    assert len(now) < 0.95 * len(earlier)
    assert symbols_of(earlier) == EXPECTED["near-lossless-2.clc"]


def test_fits_from_earlier_starting_points_and_from_before_they_looked_far_decode_as_ever():
    folder = FOLDER.parent / "earlier"
    for name, expected in json.loads((folder / "symbols.json").read_text()).items():
        assert symbols_of((folder / name).read_bytes()) == expected


@files
def test_a_golden_file_is_the_picture(name):
    original = data.sample("astronaut").crop((130, 0, 386, 200))
    least = 22 if name == "importance-map-1.clc" else 24  # it has less than 0.07 bits a pixel
    assert metrics.psnr(original, cl.decode((FOLDER / name).read_bytes())) > least
