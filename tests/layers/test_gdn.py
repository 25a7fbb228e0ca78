"""Divisive normalization and gain units: equations, inverses, bounds, and what training starts from."""

import pytest
import torch

from codec_lib.layers.gain import GainUnit, lambda_of
from codec_lib.layers.gdn import GDN
from codec_lib.layers.lower_bound import lower_bound


def randomized(layer: GDN) -> GDN:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        layer.beta_root.copy_(torch.rand(layer.beta_root.shape, generator=generator) + 0.5)
        layer.gamma_root.copy_(torch.rand(layer.gamma_root.shape, generator=generator) * 0.5)
    return layer


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_the_equation_written_out(inverse):
    layer = randomized(GDN(3, inverse)).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    energy = layer.beta[:, None, None] + torch.einsum("ij,bjhw->bihw", layer.gamma, x**2)
    expected = x * energy.sqrt() if inverse else x / energy.sqrt()
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_agrees_with_compressai_in_outputs_and_gradients(inverse):
    reference_layers = pytest.importorskip("compressai.layers")
    ours, theirs = randomized(GDN(4, inverse)), reference_layers.GDN(4, inverse)
    with torch.no_grad():
        theirs.beta.copy_(ours.beta_root)
        theirs.gamma.copy_(ours.gamma_root)
    x = torch.randn(2, 4, 6, 6)
    for layer in (ours, theirs):
        layer.x = x.clone().requires_grad_()
        layer.y = layer(layer.x)
        layer.y.square().sum().backward()
    torch.testing.assert_close(ours.y, theirs.y)
    torch.testing.assert_close(ours.x.grad, theirs.x.grad)
    torch.testing.assert_close(ours.beta_root.grad, theirs.beta.grad)
    torch.testing.assert_close(ours.gamma_root.grad, theirs.gamma.grad)


def test_gdn_parameters_stay_in_range_wherever_an_optimizer_leaves_them():
    layer = GDN(2)
    with torch.no_grad():
        layer.beta_root.fill_(-3)
        layer.gamma_root.fill_(-3)
    assert (layer.beta > 0).all()
    assert (layer.gamma >= 0).all()
    assert torch.isfinite(layer(torch.randn(1, 2, 3, 3))).all()


def test_lower_bound_lets_a_parameter_come_back():
    x = torch.tensor([-1.0, -1.0, 2.0], requires_grad=True)
    (lower_bound(x, 0.0) * torch.tensor([-1.0, 1.0, 1.0])).sum().backward()
    assert x.grad.tolist() == [-1.0, 0.0, 1.0]  # down there only the upward pull passes


def test_gain_between_two_qualities_is_their_geometric_mean():
    unit = GainUnit(3, initial=2.0)
    with torch.no_grad():
        unit.log_gain.normal_()
    low, middle, high = unit(torch.tensor([3.0, 3.5, 4.0]))[0].flatten(1)
    torch.testing.assert_close(middle, (low * high).sqrt())


def test_gain_covers_the_ends_of_the_range():
    unit = GainUnit(2)
    gain, inverse = unit(torch.tensor([1.0, 8.0]))
    torch.testing.assert_close(gain[0].flatten(), unit.log_gain[0].exp())
    torch.testing.assert_close(gain[1].flatten(), unit.log_gain[7].exp())
    torch.testing.assert_close(gain * inverse, torch.ones_like(gain))  # as initialised


def test_lambda_of_runs_through_the_published_lambdas():
    published = torch.tensor([0.0018, 0.0035, 0.0067, 0.013, 0.025, 0.0483, 0.0932, 0.18])
    torch.testing.assert_close(lambda_of(torch.arange(1, 9)), published, rtol=0.02, atol=0)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_strips_change_nothing(inverse, layout):
    layer, x = GDN(6, inverse), torch.randn(2, 6, 50, 70).contiguous(memory_format=layout)
    with torch.no_grad():
        layer.gamma_root += 0.2 * torch.rand(6, 6)
        fast = layer(x)
    torch.testing.assert_close(fast, layer(x).detach(), atol=1e-6, rtol=1e-5)


def test_mixed_precision_without_gradients_gives_about_the_same():
    torch.manual_seed(0)
    layer, x = GDN(8, inverse=True), torch.randn(2, 8, 9, 7)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = layer(x.bfloat16())
    torch.testing.assert_close(mixed.float(), layer(x), atol=0.05, rtol=0.02)
