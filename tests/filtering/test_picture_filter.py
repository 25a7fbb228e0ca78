"""What a filter computes: features by hand, the same in bands, borders that repeat."""

import pytest
import torch
from torch import nn

from codec_lib.filtering.layer import CLIP, COLOURS, FEATURES, REACH, PictureFilter, in_rows
from codec_lib.layers.bands import in_bands, input_of

GREEN = 1  # the colour that the tests look at


def some(height=80, width=50, seed=0):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def weights(seed=1):
    return 0.1 * torch.randn(COLOURS, FEATURES, generator=torch.Generator().manual_seed(seed))


def test_weights_of_zero_leave_a_picture_alone():
    assert torch.equal(PictureFilter(torch.zeros(COLOURS, FEATURES))(some()), some())


def test_features_are_those_by_hand():
    x = some()
    features, row, column = torch.cat(list(in_rows(x)), 2)[0, :, 40, 20].tolist(), 40, 20
    pixel = x[0, :, row, column].tolist()
    r, g, b = (value - 0.5 for value in pixel)
    expected = [1, r, g, b, r * r, r * g, r * b, g * g, g * b, b * b]
    for distance in (1, 2, 3):
        for down, right in ((distance, 0), (0, distance)):
            before, after = (
                [x[0, c, row + s * down, column + s * right].item() - pixel[c] for c in range(3)]
                for s in (-1, 1)
            )
            expected += [a + b for a, b in zip(before, after, strict=True)]
            expected += [
                sum(min(max(v, -CLIP), CLIP) for v in pair) for pair in zip(before, after, strict=True)
            ]
    assert features == pytest.approx(expected, abs=1e-6)


def test_the_loop_gives_what_the_features_give():
    x, W = some(70, 131), weights()
    parts = [nn.functional.conv2d(features, W[:, :, None, None]) for features in in_rows(x)]
    assert torch.allclose(PictureFilter(W)(x), x + torch.cat(parts, 2), atol=1e-5)


def test_gradients_pass():
    x = some(20, 30).requires_grad_()
    PictureFilter(weights())(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().min() > 0


@pytest.mark.parametrize("size", [(1, 1), (2, 70), (65, 3), (129, 64)])
def test_any_size_and_beyond_the_edges_the_border_repeats(size):
    x, layer = some(*size), PictureFilter(weights())
    wide = nn.functional.pad(x, 4 * (REACH,), mode="replicate")
    inner = layer(wide)[..., REACH:-REACH, REACH:-REACH]
    assert torch.allclose(layer(x), inner, atol=1e-6)


def test_bands_give_what_the_whole_picture_gives():
    layers = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), PictureFilter(weights()))
    x = some(200, 40)
    with torch.inference_mode():
        assert torch.allclose(in_bands(layers, x, band=32), layers(x), atol=1e-5)
    assert input_of(layers, slice(50, 60), 200) == slice(50 - REACH - 1, 60 + REACH + 1)
