"""Files of weights: what is saved comes back, and nothing else is taken for them."""

import json
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import codec_lib as cl
from codec_lib import data, weights
from codec_lib.errors import BitstreamError
from codec_lib.folders import pool, tree
from codec_lib.measure import evaluate
from codec_lib.models import MODELS, architecture

ITERATIVE = {"N": 4, "M": 32, "K": 8}
WIDTHS = {
    "fitted": {},
    "near-lossless": {"N": 4, "M": 6, "C": 8},
    "recurrent": ITERATIVE,
    "primed": ITERATIVE,
    "recurrent-gdn": ITERATIVE,
    "importance-map": {"N": 16, "n": 16, "L": 4, "K": 6},
    "codec-in-the-loop": {"K": 8, "D": 1},
    "conditional-probability": {"N": 16, "C": 6, "L": 6, "K": 6},
    "pyramid": {"N": 16, "C": 8, "K": 8},
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("is_channels_last", [False, True])
def test_what_was_saved_is_loaded_whatever_its_memory_layout(name, is_channels_last, tmp_path):
    torch.manual_seed(0)
    model = architecture(name)(**WIDTHS.get(name, {"N": 4, "M": 6})).eval()
    model = model.channels_last() if is_channels_last else model
    path = tmp_path / f"{name}.safetensors"
    weights.save(model, name, path, {"note": "untrained"})
    trained = weights.load(str(path))
    for key, value in model.state_dict().items():
        kept = value.half().float() if value.ndim >= 4 else value
        assert torch.equal(kept, trained.model.state_dict()[key]), key
    assert trained.model.widths == model.widths
    levels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    value = model.setting.default
    shown = trained.model.decompress(trained.model.compress(levels, value), value, 64, 64)
    state = {
        key: value.half().float() if value.ndim >= 4 else value for key, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    again = model.freeze().decompress(model.compress(levels, value), value, 64, 64)
    assert (shown.int() - again.int()).abs().max() <= 1
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"].startswith(trained.digest)
    assert card["note"] == "untrained"


@pytest.mark.parametrize("name", weights.available())
def test_shipped_weights_are_small_and_match_their_cards(name):
    assert (weights.SHIPPED / f"{name}.safetensors").stat().st_size <= 12_000_000
    assert weights.load(name).name == name


def test_a_file_that_lacks_something_is_refused(tmp_path):
    for metadata in (
        None,
        {"architecture": "hyperprior"},
        {"architecture": "nothing", "widths": "{}", "frozen": "{}"},
    ):
        path = tmp_path / "half.safetensors"
        save_file({"g_a.0.weight": np.zeros(3, np.float32)}, path, metadata)
        with pytest.raises(BitstreamError, match="holds no model"):
            weights.load(str(path))


def test_two_weights_of_one_architecture_both_decode(tmp_path, monkeypatch):
    photo = data.sample("astronaut").crop((100, 0, 164, 64))
    for seed, name in enumerate(("mine", "yours")):
        torch.manual_seed(seed)
        weights.save(
            architecture("hyperprior")(N=4, M=6), "hyperprior", tmp_path / f"{name}.safetensors", {}
        )
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    files = {name: cl.encode(photo, name) for name in ("mine", "yours", "hyperprior")}
    for name, file in files.items():
        assert cl.inspect(file).header.model == name
        assert cl.decode(file).size == (64, 64)
        assert weights.load(name).architecture == "hyperprior"
    assert len({cl.inspect(file).header.weights for file in files.values()}) == 3


def by_old_and_new(path: Path, old: Path) -> tuple[bytes, bytes]:
    """A file by weights that were then renamed to `old`, and one by others that got their name."""
    photo, files = data.sample("astronaut").crop((100, 0, 164, 64)), []
    for seed in range(2):
        torch.manual_seed(seed)
        weights.save(architecture("hyperprior")(N=4, M=6), "hyperprior", path, {})
        files.append(cl.encode(photo, path.stem))
        if seed == 0:
            for suffix in (".safetensors", ".json"):
                path.with_suffix(suffix).rename(old.with_suffix(suffix))
    return files[0], files[1]


@pytest.mark.parametrize("has_card", [True, False])
def test_files_of_weights_that_were_replaced_are_read_with_the_old_ones(tmp_path, monkeypatch, has_card):
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    old = tmp_path / "mine of last year.safetensors"
    file, later = by_old_and_new(tmp_path / "mine.safetensors", old)
    if not has_card:
        old.with_suffix(".json").unlink()
    assert cl.decode(file) != cl.decode(later)
    old.unlink()
    with pytest.raises(BitstreamError, match="weights: file needs mine"):
        cl.decode(file)


def test_weights_that_were_replaced_decode_and_have_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    (tmp_path / weights.EARLIER).mkdir()
    path = tmp_path / "mine.safetensors"
    file, later = by_old_and_new(path, tmp_path / weights.EARLIER / path.name)
    assert cl.decode(file) != cl.decode(later)
    assert list(weights.available()) == ["mine"]


def test_kept_weights_are_found_when_nothing_has_their_name_any_more(tmp_path, monkeypatch):
    photo, path = data.sample("astronaut").crop((100, 0, 164, 64)), tmp_path / "mine.safetensors"
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    weights.save(architecture("hyperprior")(N=4, M=6), "hyperprior", path, {})
    file = cl.encode(photo, "mine")
    expected = cl.decode(file)
    for kept in (path, path.with_suffix(".json")):
        kept.rename(tmp_path / f"old{kept.suffix}")
    assert cl.decode(file) == expected
    (tmp_path / "old.safetensors").unlink()
    with pytest.raises(BitstreamError, match="model: 'mine'; there are"):
        cl.decode(file)


@pytest.mark.parametrize("has_card", [True, False])
def test_broken_weights_in_front_of_those_of_the_library_hide_nothing(tmp_path, monkeypatch, has_card):
    photo = data.sample("astronaut").crop((100, 0, 164, 64))
    file = cl.encode(photo, "hyperprior")
    expected = cl.decode(file)
    (tmp_path / "hyperprior.safetensors").write_bytes(b"no weights")
    if has_card:  # which says what the file should be
        shutil.copy(weights.SHIPPED / "hyperprior.json", tmp_path)
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    assert cl.decode(file) == expected
    with pytest.raises(BitstreamError, match=r"weights: hyperprior\.safetensors"):
        cl.encode(photo, "hyperprior")


def test_loading_draws_no_random_number_of_the_application():
    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    weights._load.cache_clear()
    weights.load("hyperprior")
    assert torch.rand(()) == expected


@pytest.mark.parametrize(("own", "shipped"), [("a", "z"), ("z", "a")])
def test_of_one_name_own_weights_come_first_and_files_of_the_shipped_ones_are_read(
    tmp_path, monkeypatch, own, shipped
):
    photo, files = data.sample("astronaut").crop((100, 0, 164, 64)), []
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / shipped)
    for seed, folder in enumerate((shipped, own)):
        torch.manual_seed(seed)
        path = tmp_path / folder / "mine.safetensors"
        weights.save(architecture("hyperprior")(N=4, M=6), "hyperprior", path, {})
        monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(path.parent))
        files.append(cl.encode(photo, "mine"))
    (tmp_path / own / "broken.safetensors").write_bytes(b"no weights")
    (tmp_path / own / "broken.json").write_text("no card")
    assert weights.paths()["mine"] == tmp_path / own / "mine.safetensors"
    assert len({cl.inspect(file).header.weights for file in files}) == 2
    assert [cl.decode(file).size for file in files] == [photo.size, photo.size]


def test_weights_that_have_changed_on_disk_are_loaded_anew(tmp_path):
    path = tmp_path / "mine.safetensors"
    digests = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        weights.save(architecture("factorized")(N=4, M=6), "factorized", path, {})
        digests.append(weights.load(str(path)).digest)
    assert digests[0] != digests[1]


def test_a_card_says_what_the_model_takes_and_whether_it_promises():
    cards = weights.available()
    assert cards["near-lossless"]["setting"] == "tau"
    assert [name for name, card in cards.items() if card["promises"]] == ["near-lossless"]


def test_the_minutes_of_all_runs_are_counted_by_device_those_before_the_first_card_included():
    early = {"training": {"minutes": 10, "minutes_before": 80, "device": "cpu"}}
    card = {"before": [early], "training": {"minutes": 5, "device": "cuda:0"}}
    assert weights.minutes_of_training(card) == {"cpu": 90, "cuda": 5}


def test_weights_that_began_as_others_were_not_trained_for_less_than_these():
    cards = weights.available()
    begun = weights.minutes_of_training(cards["hyperprior"])["cpu"]
    for name in ("context", "checkerboard", "tucodec", "near-lossless"):
        assert weights.minutes_of_training(cards[name])["cpu"] > begun


def test_weights_by_their_path_encode_anything_and_no_more(tmp_path):
    """Nothing else would find them to decode: not even the guard may need that."""
    torch.manual_seed(0)
    path = tmp_path / "own.safetensors"
    weights.save(architecture("hyperprior")(N=4, M=6), "hyperprior", path, {})
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with pytest.warns(cl.PictureWarning, match="own codes this picture at"):
        file = cl.encode(noise, path)
    assert cl.inspect(file).header.model == "own"
    with pytest.raises(ValueError, match="CODEC_LIB_WEIGHTS"):
        evaluate.evaluate_model([], str(path))
    with pytest.raises(ValueError, match="CODEC_LIB_WEIGHTS"):
        tree.encode_all(tmp_path, tmp_path / "out", pool.run, print, model=str(path))
    weights.check_readable(weights.SHIPPED / "hyperprior.safetensors")


def test_weights_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "mine.safetensors"
    model = architecture("factorized")(N=4, M=6)
    weights.save(model, "factorized", path, {})
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", full_disk := Mock(side_effect=OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        weights.save(architecture("factorized")(N=4, M=8), "factorized", path, {})
    assert full_disk.called
    assert path.read_bytes() == before
    assert weights.load(str(path)).model.widths == {"N": 4, "M": 6}
