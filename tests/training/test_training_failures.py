"""Trainings that cannot go on: what is wrong is named, and as much as possible is kept."""

import subprocess
import sys
from dataclasses import replace

import pytest

from codec_lib import data
from codec_lib.models import architecture
from codec_lib.training.loop import train
from codec_lib.training.objectives import RateDistortionObjective
from tests.training.runs import read_log, tiny

pytest.importorskip("lightning_fabric")
pytest.importorskip("pytorch_optimizer")


@pytest.mark.parametrize(
    ("size", "model", "options", "said"),
    [
        ((90, 40), "hyperprior", {}, r"thin\.png is 90 x 40; at least 64 x 64"),
        ((180, 200), "flagship", {"goal": "ms-ssim"}, r"thin\.png is 180 x 200; at least 192 x 192"),
        ((180, 200), "flagship", {"goal": "pairs", "only": ["g_s"]}, r"thin\.png is 180 x 200"),
    ],
)
def test_a_validation_picture_that_is_too_small_is_named_before_training(
    tmp_path, size, model, options, said
):
    for name, side in (("data", (200, 200)), ("validation", size)):
        (tmp_path / name).mkdir()
        data.sample("astronaut").crop((0, 0, *side)).save(tmp_path / name / "thin.png")
    options = {"crop": 192, "batch": 1, "validation": str(tmp_path / "validation"), **options}
    settings = tiny(str(tmp_path / "data"), tmp_path / "run", **options)
    with pytest.raises(ValueError, match=said):
        train(replace(settings, model=model, widths={"N": 8, "M": 16}))
    assert not (tmp_path / "run").exists()


def test_a_run_whose_validation_fails_can_go_on(pictures, tmp_path):
    class Model(architecture("hyperprior")):
        def objective(self, settings):
            return Blind(self, settings)

    class Blind(RateDistortionObjective):
        def validate(self, folder):
            raise ValueError("validation: a picture is gone")

    with pytest.raises(ValueError, match="is gone"):
        train(tiny(pictures, tmp_path, validation=pictures), Model)
    train(tiny(pictures, tmp_path, validation=pictures))  # nothing left to do but to validate
    assert [row["step"] for row in read_log(tmp_path)] == ["2"]


def test_a_run_that_diverges_says_so(pictures, tmp_path):
    with pytest.raises(ValueError, match=r"loss: \S+, with a gradient of (nan|inf); allowed is"):
        train(tiny(pictures, tmp_path, steps=5, lr=1e30, lr_other=1e30, precision="32-true"))


def test_a_bar_needs_a_terminal(pictures, tmp_path):
    options = ["--widths", "N", "4", "M", "6", "--device", "cpu", "--crop", "64", "--steps", "1"]
    command = [sys.executable, "-m", "codec_lib", "train", "hyperprior", "--data", pictures, *options]
    ended = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
