"""Haar packets: orthogonal, complete if nothing is left out, and what is left out matters least."""

import pytest
import torch
from torch.nn import functional as F

from codec_lib import data, picture
from codec_lib.layers.haar import haar_packet


def there_and_back(x, widths):
    """x from the coefficients of the last layer."""
    rows = haar_packet(widths)
    for r in rows:
        x = F.conv2d(x, r, stride=2)
    for r in rows[::-1]:
        x = F.conv_transpose2d(x, 4 * r, stride=2)
    return x


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_with_all_channels_nothing_is_lost(layers):
    widths = [3 * 4**n for n in range(1, layers + 1)]
    x = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(there_and_back(x, widths), x)


def test_the_first_coefficient_is_the_mean_of_brightness():
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    y = x
    for r in haar_packet([12, 48, 96]):
        y = F.conv2d(y, r, stride=2)
    assert y[0, 0].item() == pytest.approx(x[:, 0].mean().item(), abs=1e-6)


def test_more_channels_keep_more_of_a_photo():
    x = picture.to_tensor(data.sample("astronaut")) - 0.5
    x = torch.stack((x[:, 1], x[:, 0] - x[:, 1], x[:, 2] - x[:, 1]), 1)
    errors = [(there_and_back(x, [12, 48, 96, M]) - x).square().mean() for M in (64, 128, 192, 320)]
    psnr = [-10 * error.log10().item() for error in errors]
    assert psnr == sorted(psnr)
    assert psnr[2] > 28
