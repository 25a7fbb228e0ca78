"""Mixtures of logistics: probabilities that sum to one, for every tau."""

import math

import pytest
import torch

from codec_lib.density import logistic_mixture as lm
from codec_lib.density.logistic_mixture import Mixture
from codec_lib.entropy.mixture_density import OUTPUTS


def mixture(pixels: int, seed: int = 0) -> Mixture:
    """The same distribution at every pixel; colours differ and depend on each other."""
    torch.manual_seed(seed)
    outputs = 0.5 * torch.randn(1, OUTPUTS, 1, 1) + lm.initial_bias()[:, None, None]
    return Mixture.from_outputs(outputs.expand(-1, -1, 1, pixels))


def mass(values: list[int], x_tilde: int, tau: int = 0) -> torch.Tensor:
    """P of each value as a residual: three equal, independent colours share the bits."""
    found = mixture(1)
    found = Mixture(
        found.mu[:, :1].expand(-1, 3, -1, -1, -1), found.log_sigma[:, :1].expand(-1, 3, -1, -1, -1),
        torch.zeros_like(found.beta), found.logits,
    )  # fmt: skip
    below = torch.full((1, 3, 1, 1), float(x_tilde))
    each = [lm.bits(torch.full_like(below, float(v)), below, found, tau) for v in values]
    return 2.0 ** (-torch.cat(each) / 3)


def test_eight_bins_by_hand():
    """One component with mu = 1 and sigma = 2; P(r) is a difference of two sigmoids."""
    values = torch.arange(-3, 5).float()
    found = Mixture(
        torch.full((1, 3, 1, 1, 8), 1.0), torch.full((1, 3, 1, 1, 8), math.log(2)),
        torch.zeros(1, 3, 1, 1, 8), torch.zeros(1, 1, 1, 8),
    )  # fmt: skip
    r = values.expand(1, 3, 1, 8)
    expected = 0.0
    for v in values.tolist():
        p = 1 / (1 + math.exp(-(v + 0.5 - 1) / 2)) - 1 / (1 + math.exp(-(v - 0.5 - 1) / 2))
        expected -= 3 * math.log2(p)
    assert lm.bits(r, torch.full_like(r, 100.0), found).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("tau", [0, 1, 2, 5, 7, 20])
@pytest.mark.parametrize("x_tilde", [0, 3, 128, 255])
def test_the_symbols_of_a_sample_have_probabilities_that_sum_to_one(x_tilde, tau):
    step = 2 * tau + 1
    low, high = -((x_tilde + tau) // step), (255 - x_tilde + tau) // step
    total = mass([q * step for q in range(low, high + 1)], x_tilde, tau).sum().item()
    assert total == pytest.approx(1, abs=(high - low) * lm.MASS_MIN + 1e-4)


@pytest.mark.parametrize("tau", [1, 3])
def test_a_quantized_residual_has_the_probability_of_all_that_it_stands_for(tau):
    for v in (0, 2 * tau + 1, -2 * (2 * tau + 1)):
        whole = mass([v], 128, tau).item()
        parts = mass(list(range(v - tau, v + tau + 1)), 128).sum().item()
        assert whole == pytest.approx(parts, rel=1e-3)


def test_later_colours_are_predicted_from_earlier_ones():
    found = mixture(1)
    found.beta = torch.ones_like(found.beta)
    x_tilde = torch.full((1, 3, 1, 1), 128.0)
    r = torch.tensor([10.0, 12.0, 11.0]).view(1, 3, 1, 1)
    moved = Mixture(found.mu.clone(), found.log_sigma, torch.zeros_like(found.beta), found.logits)
    moved.mu[:, 1] += 10
    moved.mu[:, 2] += 10 + 12
    torch.testing.assert_close(lm.bits(r, x_tilde, found), lm.bits(r, x_tilde, moved))
