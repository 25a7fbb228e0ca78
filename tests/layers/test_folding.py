"""Where binary codes begin: transforms that send, and read, the best bits of cosines' coefficients."""

import pytest
import torch

from codec_lib.layers import folding
from codec_lib.layers.affine import UNIT
from codec_lib.layers.block_transform import analysis, synthesis
from codec_lib.layers.dct import block_transform

COUNT, WIDTH = 24, 48


@pytest.fixture(scope="module")
def x():
    """Blocks of coefficients that fall off with their number, as those of pictures do."""
    torch.manual_seed(0)
    rows, _ = block_transform(192)
    sizes = 12.0 / (1 + torch.arange(192.0))
    blocks = (torch.randn(2, 8, 8, 192) * sizes) @ rows
    return torch.pixel_shuffle(blocks.movedim(-1, 1), 8) / UNIT + 0.5


@pytest.fixture(scope="module")
def begun(x):
    torch.manual_seed(0)
    encoder, decoder = analysis(WIDTH, COUNT + 1), synthesis(COUNT, WIDTH)
    folding.start(encoder, decoder, x, COUNT)
    return encoder, decoder


def test_a_coefficient_is_the_sum_that_its_folds_stand_for():
    u = torch.tensor([5.0, -3.0, 0.5, -9.0])
    means = [u.abs().mean()]
    folded = u.abs() - means[0]
    means.append(folded.abs().mean())
    left = folded.abs() - means[1]
    assert torch.allclose(u, u.sign() * (means[0] + folded.sign() * (means[1] + left)))


def test_bits_are_taken_by_the_error_they_remove_and_in_their_order():
    means = torch.tensor([[4.0, 1.5], [2.0, 0.7], [1.0, 0.3], [0.5, 0.2], [0.2, 0.1]])
    chosen = folding.most_telling(means, 5)
    assert chosen == [(0, 1), (0, 2), (1, 1), (0, 3), (1, 2)]


@torch.no_grad()
def test_the_error_falls_with_every_bit_as_the_means_say(x, begun):
    encoder, decoder = begun
    means, sizes = folding.fold(x)
    bits = folding.most_telling(means, COUNT)
    signs = torch.where(encoder(x)[:, :COUNT] >= 0, 1.0, -1.0)
    expected = sizes[0].square().sum()
    for count, bit in enumerate(bits, 1):
        expected = expected - means[bit.d - 1, bit.k].square()
        if count % 8 == 0:
            sent = signs.clone()
            sent[:, count:] = 0
            error = (decoder(sent) - x).square().sum(1).mean() * UNIT**2 * 64
            assert error == pytest.approx(expected.item(), rel=0.1)
    assert {bit.d for bit in bits} >= {1, 2, 3}


@torch.no_grad()
def test_what_is_a_bit_is_about_as_large_as_one(x, begun):
    size = begun[0](x)[:, :COUNT].square().mean((0, 2, 3)).sqrt()
    assert size.min() > 0.8
    assert size.max() < 1.25


def test_transforms_that_are_too_narrow_are_refused(x):
    with pytest.raises(ValueError, match="widths: N is 47, expected at least 48"):
        folding.start(analysis(47, COUNT + 1), synthesis(COUNT, 47), x, COUNT)
