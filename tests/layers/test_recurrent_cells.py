"""Recurrent cells compute the equations, remember, and reach every parameter."""

import pytest
import torch

from codec_lib.layers.binarizer import SLOPE, Binarizer
from codec_lib.layers.recurrent import CELLS, RESIDUAL_SHARE, ConvGRU, ConvLSTM, ResidualGRU


def inputs(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_an_lstm_is_its_equations():
    cell, x = ConvLSTM(3, 5, hidden_kernel=3), inputs(1)
    _, (h, c) = cell(inputs(0), None)
    i, f, o = (torch.sigmoid(cell.W[gate](x) + cell.U[gate](h)) for gate in "ifo")
    expected_c = f * c + i * torch.tanh(cell.W["g"](x) + cell.U["g"](h))
    expected_h = o * expected_c.tanh()
    output, state = cell(x, (h, c))
    torch.testing.assert_close(output, expected_h)
    torch.testing.assert_close(state, (expected_h, expected_c))


@torch.no_grad()
@pytest.mark.parametrize("kind", [ConvGRU, ResidualGRU])
def test_a_gru_is_its_equations(kind):
    cell, x = kind(3, 5, hidden_kernel=3), inputs(1)
    _, (h,) = cell(inputs(0), None)
    z, r = (torch.sigmoid(cell.W[gate](x) + cell.U[gate](h)) for gate in "zr")
    expected = (1 - z) * h + z * torch.tanh(cell.W["h"](x) + cell.U["h"](r * h))
    if kind is ResidualGRU:
        expected = expected + RESIDUAL_SHARE * cell.W_h(h)
    output, (state,) = cell(x, (h,))
    torch.testing.assert_close(state, expected)
    if kind is ResidualGRU:
        expected = expected + RESIDUAL_SHARE * cell.W_x(x)
    torch.testing.assert_close(output, expected)


@torch.no_grad()
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("stride", "side"), [(1, 1), (1, 3), (2, 3)])
def test_a_cell_can_begin_as_a_convolution_that_soon_forgets(name, stride, side):
    torch.manual_seed(0)
    cell, weight = CELLS[name](3, 5, stride=stride), torch.randn(4, 3, side, side)
    cell.start_as(weight)
    x = 0.01 * inputs()
    expected = torch.nn.functional.conv2d(x, weight, None, stride, side // 2)
    first, state = cell(x, None)
    assert (first[:, :4] - expected).abs().mean() < 0.1 * expected.abs().mean()
    later, _ = cell(0 * x, state)
    assert later[:, :4].abs().mean() < 0.2 * expected.abs().mean()


@torch.no_grad()
@pytest.mark.parametrize("name", CELLS)
def test_no_state_is_a_state_of_zeros(name):
    cell = CELLS[name](3, 5, stride=2)
    zeros = tuple(torch.zeros(2, 5, 4, 5) for _ in cell(inputs(), None)[1])
    for a, b in zip(cell(inputs(), None), cell(inputs(), zeros), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_reach_every_parameter_and_the_first_input(name):
    cell, first, state = CELLS[name](3, 5), inputs(0).requires_grad_(), None
    for x in (first, inputs(1), inputs(2)):
        output, state = cell(x, state)
    output.sum().backward()
    assert first.grad.abs().max() > 0
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in cell.parameters())


def test_bits_are_minus_one_and_one_and_a_zero_is_a_one():
    binarizer = Binarizer(3, 4).eval()
    with torch.no_grad():
        binarizer.project.weight.zero_()
        binarizer.project.bias.copy_(torch.tensor([0.0, -0.0, -1e-9, 1e-9]))
    assert binarizer(inputs())[0, :, 0, 0].tolist() == [1, 1, -1, 1]


def trained_on_noise(is_drawn):
    """A binarizer in training, its input, and a: E[b] where bits are drawn."""
    torch.manual_seed(0)
    binarizer = Binarizer(3, 1).train()
    binarizer.is_drawn = is_drawn
    x = torch.randn(1, 3, 200, 200).requires_grad_()
    e = binarizer.project(x)
    return binarizer, x, torch.tanh(SLOPE * e / e.square().mean().sqrt())


@pytest.mark.parametrize("is_drawn", [False, True])
def test_the_gradient_of_bits_is_that_of_a(is_drawn):
    binarizer, x, a = trained_on_noise(is_drawn)
    b = binarizer(x)
    assert (b.abs() - 1).abs().max() < 1e-6
    weight = torch.randn_like(a)
    (of_b,), (of_a,) = (torch.autograd.grad((weight * t).sum(), x, retain_graph=True) for t in (b, a))
    torch.testing.assert_close(of_b, of_a)


def test_bits_that_are_drawn_are_right_on_average_and_others_are_those_of_coding():
    binarizer, x, a = trained_on_noise(is_drawn=True)
    drawn = binarizer(x)
    for low, high in ((-1, -0.9), (-0.9, 0), (0, 0.5), (0.5, 1)):
        there = (a > low) & (a < high)
        assert (drawn[there].mean() - a[there].mean()).abs() < 0.05
    binarizer.is_drawn = False
    torch.testing.assert_close(binarizer(x), binarizer.eval()(x))
