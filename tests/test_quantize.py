"""Quantizers: noise, straight through, soft, and decisions by rate and distortion."""

import math

import pytest
import torch

from codec_lib import quantize


def test_noise_is_uniform_and_not_normal():
    u = quantize.noise(torch.zeros(200_000))
    assert u.abs().max() <= 0.5
    assert u.var().item() == pytest.approx(1 / 12, rel=0.02)
    assert (u.abs() < 0.25).float().mean().item() == pytest.approx(0.5, abs=0.01)


def test_noised_density_at_an_integer_is_the_probability_of_rounding_to_it():
    torch.manual_seed(0)
    y = torch.randn(400_000) * 1.3
    noised = quantize.noise(y)
    for k in (-2, 0, 1):
        density = ((noised - k).abs() < 0.05).float().mean().item() / 0.1
        probability = (y.round() == k).float().mean().item()
        assert density == pytest.approx(probability, rel=0.05)


def test_straight_through_rounds_forward_and_is_the_identity_backward():
    y = torch.tensor([-1.4, 0.49, 2.51], requires_grad=True)
    out = quantize.straight_through(y)
    assert out.tolist() == pytest.approx([-1.0, 0.0, 3.0])
    (out * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert y.grad.tolist() == [1.0, 2.0, 3.0]


def test_soft_quantization_hardens_as_the_temperature_falls():
    y = torch.linspace(-3, 3, 61) + 0.013
    gaps = [(quantize.soft(y, t) - y.round()).abs().mean().item() for t in (1.0, 0.1, 0.01, 0.001)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 0.01


def test_soft_quantization_has_a_gradient():
    y = torch.tensor([0.4], requires_grad=True)
    quantize.soft(y, 0.1).backward()
    assert math.isfinite(y.grad.item())
    assert y.grad.item() > 0.1


def test_a_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature is 0"):
        quantize.soft(torch.zeros(1), 0)


def chosen(y, weight, costs, shrinkage=0.0):
    quantizer = quantize.RateDistortionQuantizer(costs, weight, shrinkage)
    return quantizer(y, torch.zeros(y.shape, dtype=torch.uint8))


def test_a_symbol_is_worth_its_bits_or_becomes_smaller():
    costs = torch.tensor([[9.0, 5.0, 1.0, 5.0, 9.0]])  # 4 bits a step away from zero, symbols -2 to 2
    y = torch.tensor([0.55, 0.75, -0.55, -0.75, 1.6, 1.9, 0.4, 3.4])
    # from s to s - 1 costs weight (2 (y - s) + 1) more distortion: below 4 bits while y - s < -0.3
    assert chosen(y, 10.0, costs).tolist() == [0, 1, 0, -1, 1, 2, 0, 3]
    assert torch.equal(chosen(y, 1e6, costs), y.round())


def test_distances_are_from_what_a_decoder_shows():
    costs = torch.tensor([[9.0, 5.0, 1.0, 5.0, 9.0]])
    y = torch.tensor([0.65, 0.6, -0.65, -0.6, 1.55, 1.45])
    # 0 instead of 1, weight 10: y^2 - (y - 0.8)^2 below 0.4, y below 0.65; 1 instead of 2: y below 1.5
    assert chosen(y + 1e-3, 10.0, costs, 0.2).tolist() == [1, 0, 0, 0, 2, 1]
    assert chosen(y - 1e-3, 10.0, costs, 0.2).tolist() == [0, 0, -1, 0, 2, 1]


def test_no_choice_costs_more_than_rounding_and_some_cost_less():
    torch.manual_seed(0)
    y = torch.randn(5000) * 2
    costs, weight = torch.arange(-40, 41).abs()[None].float(), 8.0

    def cost(symbols):
        return costs[0, symbols.long() + 40] + weight * (y - symbols) ** 2

    symbols = chosen(y, weight, costs)
    moved = symbols != y.round()
    assert moved.any()
    assert (cost(symbols)[moved] < cost(y.round())[moved]).all()
    assert torch.equal(symbols[moved].abs(), y.round()[moved].abs() - 1)
