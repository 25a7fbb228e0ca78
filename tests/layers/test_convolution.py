"""A transposed convolution is a sub-pixel convolution."""

import pytest
import torch
from torch import nn

from codec_lib.layers.convolution import deconv, subpixel_weight


@pytest.mark.parametrize(("kernel", "stride"), [(5, 2), (9, 4), (3, 1), (3, 2), (7, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_with_few_outputs_it_is_the_same_layer_in_other_words(kernel, stride, bias):
    layer = deconv(4, 3, kernel, stride, bias)
    x = torch.randn(2, 4, 5, 6)
    with torch.no_grad():
        fast = layer(x)
    expected = nn.ConvTranspose2d.forward(layer, x)
    assert fast.shape == (2, 3, 5 * stride, 6 * stride)
    torch.testing.assert_close(fast, expected.detach(), atol=1e-5, rtol=1e-5)


def test_sub_pixel_weights_by_hand():
    # One dimension of a 5-tap kernel, stride 2: even outputs see taps 4, 2, 0, odd ones 3 and 1.
    weight = torch.zeros(1, 1, 5, 5)
    weight[0, 0, :, 2] = torch.arange(1.0, 6.0)
    phases, radius = subpixel_weight(weight, 2)
    assert radius == 1
    assert phases[0, 0, :, 1].tolist() == [5, 3, 1]
    assert phases[2, 0, :, 1].tolist() == [0, 4, 2]
