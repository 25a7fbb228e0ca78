"""Code for GPUs, on a machine without one: devices are not mixed, and what cannot run there runs here."""

import os
import subprocess
import sys

import pytest
import torch

from codec_lib import weights
from codec_lib.models import MODELS
from codec_lib.priors import symbols

CODING = [
    "flagship hyperprior checkerboard context factorized tucodec flagship-ms-ssim autoencoder",
    "near-lossless pyramid around-jpeg around-webp importance-map",
    "primed recurrent recurrent-gdn conditional-probability",
]


def run(kind: str, models: list[str]) -> None:
    command = [sys.executable, "-m", "tests.pretended_gpu", kind, *models]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, env=os.environ)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == models


@pytest.mark.parametrize("models", CODING)
def test_a_gpu_writes_and_shows_what_the_cpu_does(models):
    run("coding", models.split())


def test_every_shipped_model_that_uses_a_gpu_was_tried_there():
    assert set(" ".join(CODING).split()) == set(weights.available()) - {"fitted"}


def test_what_is_looked_at_again_lies_on_one_device():
    run("looking-again", ["fitted", "flagship"])


def test_every_loss_can_be_taken_on_a_gpu():
    run("training", [name for name in MODELS if name != "fitted"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="of a machine without a GPU")
def test_where_kernels_do_not_run_latents_are_coded_on_the_cpu():
    assert symbols.gpu_coder(torch.device("cuda", 0)) is None
