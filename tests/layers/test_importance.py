"""Importance maps and centres: what they let through, and which gradient comes back."""

import pytest
import torch

from codec_lib.layers.centres import Centres
from codec_lib.layers.importance import Importance, level_of, mask_of, ramp, staircase

N, L = 8, 4


def test_a_level_enables_its_share_of_channels_and_every_level_is_used():
    p = torch.linspace(0, 1, 1001).view(1, 1, 1, -1)
    level = level_of(p, L)
    assert level.unique().tolist() == list(range(L + 1))
    assert torch.equal(mask_of(level, N, L).sum(1, keepdim=True), level * N // L)
    assert torch.equal(staircase(p, N, L), mask_of(level, N, L).float())


@pytest.mark.parametrize("p", [0.05, 0.3, 0.61, 0.95])
def test_the_staircase_passes_on_what_comes_from_behind_near_its_level(p):
    """Against a loop over the paper's equation, for a gradient that differs from channel to channel."""
    x = torch.full((1, 1, 1, 1), p, requires_grad=True)
    behind = torch.randn(N, generator=torch.Generator().manual_seed(0))
    (staircase(x, N, L)[0, :, 0, 0] * behind).sum().backward()
    expected = sum(
        L * behind[k - 1].item() for k in range(1, N + 1) if L * p - 1 <= -(-k * L // N) < L * p + 2
    )
    assert x.grad.item() == pytest.approx(expected, rel=1e-5)
    assert expected != 0


def test_the_ramp_opens_one_channel_after_the_other():
    x = torch.tensor([0.2, 0.55]).view(1, 1, 1, 2).requires_grad_()
    mask = ramp(x, N)
    assert mask[0, :, 0, 0].tolist() == pytest.approx([1, 0.6, 0, 0, 0, 0, 0, 0])
    assert mask.sum(1).flatten().tolist() == pytest.approx([0.2 * N, 0.55 * N])
    mask.sum().backward()
    assert x.grad.flatten().tolist() == [N, N]


def test_every_quality_has_an_offset_of_its_own():
    importance = Importance(3, torch.linspace(-3.5, 3.5, 8))
    p = importance(torch.zeros(3, 1, 2, 2), torch.tensor([1.0, 4.5, 8.0]))
    assert torch.allclose(p[:, 0, 0, 0], torch.sigmoid(torch.tensor([-3.5, 0.0, 3.5])))


def test_symbols_are_those_of_the_nearest_centres():
    centres = Centres(5)
    z = 3 * torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    symbols, z_bar = centres(z)
    torch.testing.assert_close(z_bar, centres.values(symbols))
    nearest = (z[..., None] - 0.8 * torch.arange(-2, 3)).abs().min(-1).values
    torch.testing.assert_close((z - centres.values(symbols)).abs(), nearest)


def test_centres_and_latents_learn_from_the_soft_sum():
    centres, z = Centres(3), torch.tensor([0.4, -1.7], requires_grad=True)
    _, z_bar = centres(z)
    weights = torch.softmax(-((z[:, None] - centres.centres) ** 2), -1)
    soft = (weights * centres.centres).sum()
    ours = torch.autograd.grad(z_bar.sum(), (z, centres.centres))
    for a, b in zip(ours, torch.autograd.grad(soft, (z, centres.centres)), strict=True):
        torch.testing.assert_close(a, b)
