"""Decoding orders: every place once, and nothing seen that is decoded later."""

import pytest
import torch

from codec_lib.exact.order import CHECKERBOARD, SLANTED, Order
from codec_lib.layers.convolution import of_row
from codec_lib.layers.masked import MaskedConv2d

ORDERS = {"slanted": SLANTED, "checkerboard": CHECKERBOARD}
WINDOW = 5
SIZES = [(1, 1), (1, 7), (6, 1), (4, 4), (7, 9)]


def context(order: Order) -> MaskedConv2d:
    return MaskedConv2d(2, 3, WINDOW, order.taps(WINDOW), bias=False)


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_place_is_decoded_once(name, height, width):
    places = torch.cat(ORDERS[name].steps(height, width))
    assert sorted(places.tolist()) == list(range(height * width))


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_no_place_sees_one_of_its_own_step(name, height, width):
    order = ORDERS[name]
    step = torch.empty(height * width, dtype=torch.long)
    for number, places in enumerate(order.steps(height, width)):
        step[places] = number
    step = step.view(height, width)
    for i in range(height):
        for j in range(width):
            for di, dj in order.taps(WINDOW).tolist():
                if 0 <= i + di < height and 0 <= j + dj < width:
                    assert step[i + di, j + dj] != step[i, j]
                    if name == "slanted":
                        assert step[i + di, j + dj] < step[i, j]


@pytest.mark.parametrize("name", ORDERS)
def test_a_context_depends_on_its_taps_and_on_nothing_else(name):
    torch.manual_seed(0)
    layer = context(ORDERS[name])
    x = torch.randn(1, 2, 9, 9, requires_grad=True)
    layer(x)[0, :, 4, 4].sum().backward()
    touched = (x.grad[0].abs().sum(0) > 0).nonzero() - 4
    assert {tuple(t) for t in touched.tolist()} == {tuple(t) for t in ORDERS[name].taps(WINDOW).tolist()}


@pytest.mark.parametrize("name", ORDERS)
def test_gathered_neighbours_give_the_same(name):
    torch.manual_seed(0)
    layer = context(ORDERS[name])
    x = torch.randn(1, 2, 9, 9)
    seen = torch.stack([x[0, :, 4 + di, 4 + dj] for di, dj in ORDERS[name].taps(WINDOW).tolist()], 1)
    outputs = of_row(layer.gathered_weight())(seen.flatten()[None, :, None, None])
    torch.testing.assert_close(outputs.flatten(), layer(x)[0, :, 4, 4])


@pytest.mark.parametrize("part", [(4, 4), (1, 3), (100, 100)])
def test_parts_go_through_their_steps_together(part):
    steps = SLANTED.steps(9, 13, part)
    assert sorted(torch.cat(steps).tolist()) == list(range(9 * 13))
    assert len(steps) == len(SLANTED.steps(min(9, part[0]), min(13, part[1])))
    for number, places in enumerate(steps):
        rows, columns = places // 13 % part[0], places % 13 % part[1]
        assert (2 * rows + columns == number).all()
