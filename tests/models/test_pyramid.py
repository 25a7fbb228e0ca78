"""Six bit planes, each a stage, and a feedback loop that makes codes as long as they should be."""

import pytest
import torch

from codec_lib.models.pyramid import PLANES, Pyramid, numbers_of, planes_of, value
from codec_lib.training.codelength import magnitude
from codec_lib.training.settings import Settings

SETTINGS = Settings("pyramid", [], "")


def untrained():
    torch.manual_seed(0)
    return Pyramid(N=16, C=8, K=8, scales=3)


@pytest.fixture(scope="module")
def model():
    return untrained().eval().requires_grad_(False).freeze()


def picture(height=40, width=56):
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (1, 3, height, width), generator=generator, dtype=torch.uint8)


def test_planes_are_the_bits_of_numbers_and_the_first_ones_their_middle():
    k = torch.arange(1 - 2 ** (PLANES - 1), 2 ** (PLANES - 1) + 1.0).view(1, 1, 1, -1)
    planes = planes_of(k)
    assert torch.equal(numbers_of(planes), k)
    for t in range(1, PLANES):
        coarse = numbers_of(planes[:, :t])
        assert (coarse - k).abs().max() == (2 ** (PLANES - t) - 1) / 2
        assert len(coarse.unique()) == 2**t


def test_rounding_up_and_the_middle_of_the_bin_are_no_more_than_half_a_step_off():
    y = torch.linspace(-0.95, 0.95, 2001).view(1, 1, 1, -1)
    assert (value(Pyramid.quantize(y)) - y).abs().max() <= 2.0**-PLANES + 1e-6


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (37, 53)])
def test_every_plane_is_a_stage(model, size):
    x = picture(*size)
    sections = model.compress(x, 5.0)
    assert [(name,) for name in sections] == list(model.stages(5.0))
    for count in range(1, PLANES + 1):
        first = dict(list(sections.items())[:count])
        decoded = model.decompress(first, 5.0, *size)
        assert decoded.shape == x.shape
        kept = model.read(first, 5.0, *size)
        coarse = numbers_of(torch.stack(list(kept.values()))[None])
        exact = numbers_of(torch.stack(list(model.read(sections, 5.0, *size).values()))[None])
        assert (coarse - exact).abs().max() <= (2 ** (PLANES - count) - 1) / 2


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
