"""Where codes of learned centres begin: the symbols that explain most, one after the other."""

import pytest
import torch

from codec_lib.layers import folding, pursuit
from codec_lib.layers.block_transform import analysis, synthesis
from codec_lib.layers.centres import Centres


@pytest.fixture(scope="module")
def centres():
    return Centres(6).requires_grad_(False)


def test_every_symbol_explains_something_and_large_coefficients_come_first(centres):
    torch.manual_seed(0)
    h = torch.randn(4096, 4) * torch.tensor([8.0, 1.0, 4.0, 0.5])
    left = h.clone()
    chosen = pursuit.pursue(h, centres.nearest, 6)
    before = left.square().sum()
    for k, gain, offset, d in chosen:
        left -= centres.nearest(gain * h[:, k] + offset)[:, None] * d
        assert left.square().sum() < before
        before = left.square().sum()
    assert [k for k, *_ in chosen[:2]] == [0, 2]
    assert before < 0.1 * h.square().sum()


@torch.no_grad()
def test_transforms_that_begin_so_show_the_picture(centres):
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 12, 12), scale_factor=8, mode="bicubic")
    encoder, decoder = analysis(32, 25), synthesis(24, 32)
    pursuit.start(encoder, decoder, smooth, centres.nearest, 24)
    values = centres.nearest(encoder(smooth)[:, :24])
    error = (decoder(values) - smooth).square().mean()
    assert error < 0.15 * smooth.var()
    values[:, 8:] = 0
    coarse = (decoder(values) - smooth).square().mean()
    assert error < coarse < 0.5 * smooth.var()


@torch.no_grad()
@pytest.mark.parametrize(
    "grey", [torch.full((2, 3, 32, 32), 0.5), torch.rand(2, 1, 32, 32).repeat(1, 3, 1, 1)]
)
def test_pictures_without_colours_leave_no_weight_that_is_no_number(centres, grey):
    torch.manual_seed(0)
    for start in (
        lambda *networks: pursuit.start(*networks, grey, centres.nearest, 24),
        lambda *networks: folding.start(*networks, grey, 24),
    ):
        networks = analysis(48, 25), synthesis(24, 48)
        start(*networks)
        assert all(p.isfinite().all() for network in networks for p in network.parameters())
