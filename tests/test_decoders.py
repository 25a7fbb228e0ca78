"""Another decoder shows the same file, and only the files of its own weights."""

import json
import warnings

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import data, decoders, weights
from codec_lib.cli import main
from codec_lib.measure import evaluate, metrics
from codec_lib.models.flagship import Flagship


@pytest.fixture(scope="module")
def photo():
    return data.sample("astronaut").crop((150, 40, 250, 130))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Small untrained weights `base` and `other`, and a decoder `bright` for the first."""
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    for seed, name in enumerate(("base", "other")):
        torch.manual_seed(seed)
        weights.save(Flagship(N=8, M=16), "flagship", tmp_path / f"{name}.safetensors", {})
    brighter("base", tmp_path / "decoders" / "bright.safetensors")
    return tmp_path


def brighter(name, path):
    trained = weights.load(name)
    model = Flagship(N=8, M=16)
    model.load_state_dict(trained.model.state_dict())
    with torch.no_grad():
        model.g_s[-3].bias.add_(0.25)
    decoders.save(model, trained, path, {"for": "tests"})


def test_one_file_is_shown_by_either_decoder(folder, photo):
    file = cl.encode(photo, "base", quality=4)
    plain, bright = (np.asarray(cl.decode(file, decoder=d)).astype(int) for d in (None, "bright"))
    between = (plain > 20) & (plain < 200)
    assert (bright - plain)[between].mean() == pytest.approx(255 * 0.25 / 4, abs=1)
    assert np.array_equal(np.asarray(cl.decode(file)), plain)  # the first decoder is as it was


def test_a_decoder_warns_of_settings_that_it_was_not_trained_for(folder, photo):
    card = folder / "decoders" / "bright.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"range": [1, 5]}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cl.decode(cl.encode(photo, "base", quality=5), decoder="bright")
    with pytest.warns(cl.PictureWarning, match="trained for 1 to 5, the file has 6"):
        cl.decode(cl.encode(photo, "base", quality=6), decoder="bright")


@pytest.mark.parametrize("odd", [[1, "x"], "abc", [1], None, {"1": 2}])
def test_a_range_that_is_none_is_refused_in_one_line(folder, photo, odd):
    card = folder / "decoders" / "bright.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"range": odd}))
    with pytest.raises(cl.BitstreamError, match=r"bright\.json has the range .*; expected are two numbers"):
        cl.decode(cl.encode(photo, "base", quality=5), decoder="bright")


def test_a_broken_card_does_not_hide_the_others(folder, capsys):
    (folder / "decoders" / "bright.json").write_text("{")
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "decoder bright\n  problem: weights: bright.json is no model card" in listed
    assert {"base", "other"} <= set(listed.splitlines())


def test_a_decoder_is_a_name(folder, photo):
    with pytest.raises(ValueError, match=r"decoder: \[\]; there are bright"):
        cl.decode(cl.encode(photo, "base"), decoder=[])


def test_evaluation_takes_a_decoder(folder, photo):
    path = folder / "photo.png"
    photo.save(path)
    plain, bright = (
        evaluate.evaluate_model([path], "base", [4], "cpu", decoder)["rows"][0]
        for decoder in (None, "bright")
    )
    assert plain["bytes"] == bright["bytes"]
    assert plain["psnr"] != bright["psnr"]


def test_only_what_differs_is_kept(folder):
    path = decoders.paths()["bright"]
    assert path.stat().st_size < 0.1 * (folder / "base.safetensors").stat().st_size
    assert weights.card_of(path)["for"] == "tests"


def test_files_of_other_weights_and_unknown_names_are_refused(folder, photo):
    file = cl.encode(photo, "other", quality=4)
    with pytest.raises(ValueError, match=r"bright shows files of base \w+; this one is of other \w+"):
        cl.decode(file, decoder="bright")
    with pytest.raises(ValueError, match="decoder: 'dark'; there are bright"):
        cl.decode(file, decoder="dark")


@pytest.mark.parametrize("damage", ["cut", "no tensors", "other digest", "other shapes", "other names"])
def test_a_file_that_is_no_decoder_is_refused_in_one_line(folder, photo, damage):
    file, path = cl.encode(photo, "base", quality=4), folder / "decoders" / "bright.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:100])
        path.with_suffix(".json").unlink()
    elif damage == "no tensors":
        path.write_bytes(b"{}")
        path.with_suffix(".json").unlink()
    elif damage == "other digest":
        path.with_suffix(".json").write_text(json.dumps({"sha256": "0" * 64}))
    else:
        from safetensors.torch import load_file, save_file

        trained, state = weights.load("base"), load_file(path)
        metadata = {"weights": "base", "probabilities": trained.probabilities}
        name = next(iter(state))
        value = state.pop(name)
        state |= {name: value.flatten()[:1]} if damage == "other shapes" else {"g_x": value}
        save_file(state, path, metadata)
        path.with_suffix(".json").unlink()
    with pytest.raises(cl.BitstreamError, match="decoder: ") as caught:
        cl.decode(file, decoder="bright")
    assert "\n" not in str(caught.value)


def test_what_writes_files_must_not_differ(folder):
    trained = weights.load("base")
    model = Flagship(N=8, M=16)
    model.load_state_dict(trained.model.state_dict())
    with torch.no_grad():
        model.g_a[2].bias.add_(1)
    with pytest.raises(ValueError, match="g_a differ too"):
        decoders.save(model, trained, folder / "decoders" / "x.safetensors", {})


def test_the_command_decodes_by_name_and_lists_decoders(folder, photo, capsys):
    file = folder / "photo.clc"
    file.write_bytes(cl.encode(photo, "base", quality=4))
    for name in ((), ("--decoder", "bright")):
        assert main(["decode", str(file), str(folder / f"{len(name)}.png"), *name]) == 0
    assert (folder / "0.png").read_bytes() != (folder / "2.png").read_bytes()
    assert main(["decode", str(file), str(folder / "x.png"), "--decoder", "dark"]) == 1
    assert "there are bright" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert "decoder bright" in capsys.readouterr().out


SHIPPED = [path.stem for path in (weights.SHIPPED / decoders.FOLDER).glob("*.safetensors")]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("quality", [1, 2.5, 4.3])
def test_shipped_decoders_show_files_of_the_flagship_a_little_differently(name, quality, photo):
    file = cl.encode(photo, "flagship", quality=quality)
    own, other = cl.decode(file), cl.decode(file, decoder=name)
    assert own.size == other.size == photo.size
    assert 28 < metrics.psnr(own, other) < 60
    assert metrics.psnr(photo, own) - metrics.psnr(photo, other) < 1.5
