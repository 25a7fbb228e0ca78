"""Learned centres and an importance map that is not sent: the rate reaches the encoder through the mask."""

import copy

import pytest
import torch

from codec_lib.models.conditional_probability import ConditionalProbability
from codec_lib.training.settings import Settings
from tests.models.pictures import picture

SETTINGS = Settings("conditional-probability", [], "")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ConditionalProbability(N=16, C=6, L=6, K=6).eval().requires_grad_(False).freeze()


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (37, 53)])
def test_symbols_come_back(model, size):
    x = picture(*size)
    sections = model.compress(x, 5.0)
    symbols = model.read(sections, 5.0, *size)["y"]
    assert symbols.min() >= 0
    assert symbols.max() < 6
    assert model.decompress(sections, 5.0, *size).shape == x.shape


@torch.no_grad()
def test_the_forward_pass_shows_what_is_decoded(model):
    x = picture()
    out = model(x.float() / 255, torch.tensor([3.0]))
    sections = model.compress(x, 3.0)
    decoded = model.decompress(sections, 3.0, 40, 56)
    assert (decoded.float() - 255 * out.x_hat.clamp(0, 1)).abs().max() <= 0.51
    assert 8 * len(sections["y"]) == pytest.approx(out.bits["y"].item(), rel=0.05, abs=12 * 8)


@torch.no_grad()
def test_what_is_masked_is_the_centre_nearest_to_zero(model):
    x = picture().float() / 255
    closed = copy.deepcopy(model)
    closed.importance.offset[0] = -1.0
    symbols, z_bar, mask = closed.latents(x, torch.tensor([1.0]))
    zero = model.centres.centres.abs().argmin()
    assert (mask == 0).any()
    assert (symbols[mask == 0] == zero).all()
    assert torch.allclose(z_bar, model.centres.values(symbols))


def test_the_rate_reaches_the_encoder_through_the_mask_alone():
    model = ConditionalProbability(N=16, C=6, L=6, K=6)
    out = model(picture(32, 32).float() / 255, torch.tensor([4.0]))
    out.rate.sum().backward()
    assert model.importance.conv.weight.grad.abs().max() > 0
    assert model.encoder[-1].weight.grad.abs().max() == 0  # the latents
    assert model.centres.centres.grad is None


def test_training_reaches_every_parameter():
    model = ConditionalProbability(N=16, C=6, L=6, K=6)
    (player,) = model.objective(SETTINGS).players()
    loss, _ = player.loss(model, torch.rand(2, 3, 32, 32))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


@torch.no_grad()
def test_coefficients_are_smaller_at_lower_qualities():
    torch.manual_seed(0)
    model = ConditionalProbability(N=48, C=24, L=6, K=6).eval()
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 12, 12), scale_factor=8, mode="bicubic")
    model.start(smooth)
    errors, used = [], []
    for quality in (1.0, 4.5, 8.0):
        out = model(smooth, torch.full((2,), quality))
        symbols, _, _ = model.latents(smooth, torch.full((2,), quality))
        errors.append(out.mse(smooth).mean().item())
        used.append((symbols != 2).float().mean().item())
    assert errors[0] > errors[1] > errors[2]
    assert used[0] < used[1] < used[2]
