"""Options that train nothing are refused before anything is written, by the library and the command."""

import io

import pytest
import torch
from PIL import Image

from codec_lib.models import architecture
from codec_lib.training.loop import train
from codec_lib.training.settings import Settings
from tests.command import assert_one_line, run

pytest.importorskip("lightning_fabric")
pytest.importorskip("pytorch_optimizer")

WRONG = [
    {"steps": 0}, {"steps": -1}, {"batch": 0}, {"crop": 0}, {"crop": 64.5}, {"batch": True},
    {"minutes": 0.0}, {"minutes": -1.0}, {"minutes": float("nan")}, {"minutes": float("inf")},
    {"lr": float("nan")}, {"lr": -1.0}, {"lr_other": float("inf")}, {"enlarge": 0.0}, {"enlarge": 1e9},
    {"soft": 5.0}, {"soft": -0.1}, {"seed": -1}, {"seed": 2**70},
    {"quality": 99.0}, {"quality": float("nan")},
    {"distortion": -1.0}, {"check_minutes": -1.0}, {"precision": "8"}, {"widths": {"N": -3, "M": 6}},
    {"widths": {"N": 2.5, "M": 6}}, {"seed": 1.5},
]  # fmt: skip


@pytest.fixture
def pictures(tmp_path):
    """A folder with a grey picture in it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("L", (200, 200), 99).save(folder / "grey.png")
    return str(folder)


def tiny(pictures, out, model="hyperprior", **options) -> Settings:
    defaults = {"steps": 1, "batch": 1, "crop": 64, "device": "cpu", "precision": "32-true"}
    return Settings(model, **{"data": [pictures], "out": str(out), **defaults, **options})


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_a_value_out_of_range_is_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"^{name}: ") as complaint:
        tiny("", "", **options).check()
    assert "\n" not in str(complaint.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"crop": 65}, "crop: 65; hyperprior needs multiples of 64"),
        ({"crop": 32, "model": "near-lossless"}, "crop: 32; near-lossless needs multiples of 64"),
        ({"crop": 24, "model": "recurrent"}, "crop: 24; recurrent needs multiples of 16"),
        ({"crop": 65, "model": "codec-in-the-loop"}, "crop: 65; codec-in-the-loop needs multiples of 2"),
        ({"widths": {"Q": 5}}, "widths: Q; there are N, M"),
        ({"widths": {"N": 0}}, "widths: N 0; allowed is 1 or more"),
        ({"start": "factorized"}, "start: factorized; its model .* does not fit"),
        ({"start": "hyperprior", "widths": {"N": 4}}, "start: hyperprior; its model .* does not fit"),
        ({"start": "hyperprior", "model": "pyramid"}, "start: hyperprior; its model .* does not fit"),
        ({"model": "recurrent", "only": ["encoder", "prior"]}, "the prior of recurrent is trained alone"),
        (
            {"model": "importance-map", "only": ["decoder", "prior.last"]},
            "only: decoder, prior.last; the prior of importance-map is trained alone",
        ),
        ({"device": "tpu"}, "device: 'tpu'; allowed are cpu, cuda and auto"),
        ({"validation": "nowhere"}, "no pictures in nowhere"),
        ({"data": ["nowhere"]}, "no pictures in nowhere"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_model_or_the_machine_is_named(pictures, tmp_path, options, complaint):
    out = tmp_path / "run"
    with pytest.raises(ValueError, match=complaint):
        train(tiny(pictures, out, **options))
    assert not out.exists()


def test_a_missing_gpu_is_named(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device: cuda; PyTorch finds no GPU here"):
        train(tiny(pictures, tmp_path / "run", device="cuda"))


def saved(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content", [b"nothing", b"\x80\x02.", b"PK\x03\x04", saved({"step": 1}), saved([1])]
)
def test_a_checkpoint_that_is_none_is_named_and_kept(pictures, tmp_path, content):
    (tmp_path / "last.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"out: .*last\.ckpt is no checkpoint of such a run"):
        train(tiny(pictures, tmp_path))
    assert (tmp_path / "last.ckpt").read_bytes() == content


@pytest.mark.parametrize(
    "name",
    ["flagship", "recurrent", "pyramid", "importance-map", "conditional-probability", "codec-in-the-loop"],
)
def test_crops_of_the_smallest_side_that_is_allowed_train(pictures, tmp_path, name):
    few = {"flagship": {"N": 4, "M": 8}, "codec-in-the-loop": {"K": 4, "D": 1}}.get(name, {})
    stride = architecture(name)(**few).stride
    assert train(tiny(pictures, tmp_path / "run", name, crop=stride, widths=few)).exists()


@pytest.mark.parametrize(
    "options", [("--steps", "-1"), ("--minutes", "nan"), ("--soft", "5"), ("--quality", "99"), ("--lr=-1",)]
)
def test_such_a_command_line_exits_with_2(tmp_path, options):
    result = run("train", "hyperprior", "--data", ".", "--out", "run", *options, cwd=tmp_path)
    assert_one_line(result, 2)
    assert options[0].partition("=")[0].strip("-") in result.stderr
    assert not list(tmp_path.iterdir())
