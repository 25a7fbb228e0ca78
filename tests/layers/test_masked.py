"""Causal convolutions see what is decoded before them, and nothing else."""

import pytest
import torch

from codec_lib.exact.order import LAG, SLANTED
from codec_lib.layers.conditional import ConditionalConv2d
from codec_lib.layers.masked import MaskedConv2d


def step(i: int, j: int) -> int:
    return LAG * i + j


@pytest.mark.parametrize("kernel", [3, 5, 7, 9])
def test_taps_are_earlier_in_the_raster_and_in_the_slanted_order(kernel):
    found = [tuple(tap) for tap in SLANTED.taps(kernel).tolist()]
    reach = kernel // 2
    window = [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]
    assert found == [(i, j) for i, j in window if (i, j) < (0, 0) and step(i, j) < 0]


def test_a_picture_takes_as_many_steps_as_there_are_values_of_step():
    assert len(SLANTED.steps(5, 9)) == len({step(i, j) for i in range(5) for j in range(9)})


def test_only_pixels_behind_a_changed_one_notice_it():
    torch.manual_seed(0)
    layer = MaskedConv2d(2, 4, 7, SLANTED.taps(7))
    x = torch.randn(1, 2, 12, 14)
    before, seen = layer(x), set(map(tuple, SLANTED.taps(7).tolist()))
    x[0, 1, 5, 6] += 1
    changed = (layer(x) - before).abs().amax((0, 1)) > 0
    for i in range(12):
        for j in range(14):
            assert changed[i, j] == ((5 - i, 6 - j) in seen), (i, j)


def test_weights_outside_of_the_mask_do_nothing():
    layer = MaskedConv2d(1, 1, 5, SLANTED.taps(5))
    x = torch.randn(1, 1, 6, 6)
    before = layer(x)
    with torch.no_grad():
        layer.weight[layer.weight * (1 - layer.mask) != 0] = 9.0
    assert torch.equal(layer(x), before)


def test_a_conditional_convolution_is_a_plain_one_under_each_setting():
    torch.manual_seed(0)
    layer = ConditionalConv2d(3, 5, settings=2)
    with torch.no_grad():
        layer.scale.normal_()
        layer.bias.normal_()
    x = torch.randn(2, 3, 4, 6)
    for setting in (0, 1):
        torch.testing.assert_close(layer.at(setting)(x), layer(x, setting))
    assert not torch.allclose(layer(x, 0), layer(x, 1))


def test_a_new_conditional_convolution_does_not_depend_on_the_setting():
    layer = ConditionalConv2d(3, 5, settings=3)
    x = torch.randn(1, 3, 2, 2)
    torch.testing.assert_close(layer(x, 0), layer(x, 2))
    torch.testing.assert_close(layer(x, 0), torch.nn.functional.conv2d(x, layer.weight))


def test_a_conditional_convolution_can_begin_as_a_plain_one():
    layer, plain = ConditionalConv2d(3, 5, settings=3), torch.nn.Conv2d(3, 5, 1)
    assert layer.is_new()
    layer.start_from(plain)
    assert layer.is_new()
    x = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(layer(x, 1), plain(x))
    with torch.no_grad():
        layer.bias[0] += 1
    assert not layer.is_new()
