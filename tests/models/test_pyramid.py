"""Six bit planes, and a feedback loop that makes codes as long as they should be."""

import pytest
import torch

from codec_lib.layers.dct import BLOCK
from codec_lib.models import pyramid
from codec_lib.models.base import pad, samples
from codec_lib.models.pyramid import BINS, PLANES, Pyramid, numbers_of, planes_of, value
from codec_lib.training.codelength import magnitude
from codec_lib.training.settings import Settings
from tests.models.pictures import picture

SETTINGS = Settings("pyramid", [], "")


def untrained():
    torch.manual_seed(0)
    return Pyramid(N=16, C=8, K=8, scales=3)


@pytest.fixture(scope="module")
def model():
    return untrained().eval().requires_grad_(False).freeze()


def test_planes_are_the_bits_of_magnitudes_and_then_the_signs():
    k = torch.arange(1.0 - BINS, BINS).view(1, 1, 1, -1)
    planes = planes_of(k)
    assert planes.shape[1] == PLANES
    assert torch.equal(numbers_of(planes), k)
    assert torch.equal(numbers_of(torch.cat((planes[:, :-1], -planes[:, -1:]), 1)), -k)
    assert (planes[0, :, 0, 0, BINS - 1] == -1).all()  # a zero: nothing but zeros


def test_rounding_is_no_more_than_half_a_step_off():
    y = torch.linspace(-0.95, 0.95, 2001).view(1, 1, 1, -1)
    assert (value(Pyramid.quantize(y)) - y).abs().max() <= 0.5 / BINS + 1e-6


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (37, 53)])
def test_what_is_read_are_the_planes_of_what_was_sent(model, size):
    x = picture(*size)
    sections = model.compress(x, 5.0)
    assert tuple(sections) == model.stages(5.0)[0]
    gain, _ = model.gain(torch.tensor([5.0]))
    k = model.quantize(model.analyze(pad(samples(x), BLOCK)) * gain)
    read = torch.stack(list(model.read(sections, 5.0, *size).values()))
    assert torch.equal(numbers_of(read[None]), k)
    assert model.decompress(sections, 5.0, *size).shape == x.shape


@torch.no_grad()
def test_the_forward_pass_shows_what_is_decoded_and_its_bits(model):
    x = picture()
    out = model(x.float() / 255, torch.tensor([6.0]))
    sections = model.compress(x, 6.0)
    decoded = model.decompress(sections, 6.0, 40, 56)
    assert (decoded.float() - 255 * out.x_hat.clamp(0, 1)).abs().max() <= 0.51
    written = 8 * sum(map(len, sections.values()))
    assert written == pytest.approx(out.bits["planes"].item(), rel=0.02, abs=PLANES * 8 * 8)


def test_training_reaches_every_parameter():
    model = untrained()
    (player,) = model.objective(SETTINGS).players()
    loss, note = player.loss(model, torch.rand(2, 3, 64, 64))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert "of their target" in note


def test_alpha_rises_where_codes_are_too_long_and_falls_where_they_are_too_short():
    model = untrained()
    objective, before = model.objective(SETTINGS), model.log_alpha.clone()
    objective.adapt(torch.tensor([2.0, 7.5]), torch.tensor([1.5, 0.5]))
    change = (model.log_alpha - before)[:, 0]
    assert change[1] > 0
    assert change[6] == change[7] < 0
    assert change[[0, 2, 3, 4, 5]].abs().max() == 0


def test_small_and_smooth_numbers_have_a_small_penalty():
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    flat = torch.full_like(noise, 3.0)
    assert magnitude(noise) < magnitude(10 * noise)
    assert magnitude(flat) < magnitude(flat + 3 * noise)
    assert magnitude(0 * noise) == 0


@torch.no_grad()
def test_a_picture_in_windows_is_the_picture_as_a_whole(model, monkeypatch):
    x = picture(96, 120)
    whole = model.compress(x, 5.0)
    monkeypatch.setattr(pyramid, "WINDOW", 5)
    assert model.compress(x, 5.0) == whole
    monkeypatch.setattr(pyramid, "MARGIN", 0)
    assert model.compress(x, 5.0) != whole
