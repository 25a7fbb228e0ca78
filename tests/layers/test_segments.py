"""Where codes of learned centres begin: the segments of coefficients that say most."""

import itertools
import math

import pytest
import torch

from codec_lib.layers import folding, segments
from codec_lib.layers.block_transform import analysis, synthesis
from codec_lib.layers.centres import Centres

LEVELS, COUNT, WIDTH = 6, 24, 48
NONE = torch.zeros(1, 1)  # extremes that need nothing


@pytest.fixture(scope="module")
def centres():
    return Centres(LEVELS).requires_grad_(False)


def decoded(symbols, code, width):
    """Coefficients from the levels of their segments: the definition, one segment after the other."""
    u = code.means.repeat(len(symbols), 1)
    for level, (k, side, _) in zip(symbols.T, code.segments, strict=True):
        u[:, k] += code.step * level * (side or 1)
    return u


def test_segments_add_up_to_the_coefficient_at_the_step():
    torch.manual_seed(0)
    u = torch.randn(2048, 4) * torch.tensor([8.0, 1.0, 4.0, 0.5]) + torch.tensor([3.0, 0.0, 0.0, 0.0])
    code = segments.best(u, COUNT, LEVELS, NONE)
    columns = []
    for k, side, before in code.segments:
        v = (u[:, k] - code.means[k]) / code.step
        if side == 0:
            columns.append(v.round().clamp(-2, 3))
        else:
            begins = (3 if side > 0 else 2) + 3 * before
            columns.append((side * v - begins).round().clamp(0, 3))
    error = decoded(torch.stack(columns, 1), code, 4) - u
    assert error.square().mean() < 1.2 * code.step**2 / 12
    assert error.square().sum(0)[0] < 0.02 * u[:, 0].square().sum()


def test_large_coefficients_come_first_and_flanks_in_their_order():
    torch.manual_seed(0)
    code = segments.best(torch.randn(2048, 4) * torch.tensor([8.0, 1.0, 4.0, 0.5]), 16, LEVELS, NONE)
    assert code.segments[0] == (0, 0, 0)
    assert sum(s.k == 0 for s in code.segments) > sum(s.k == 2 for s in code.segments) > 0
    for side in (-1, 1):
        flanks = [s.before for s in code.segments if s.k == 0 and s.side == side]
        assert flanks == list(range(len(flanks)))


def test_more_segments_have_smaller_steps():
    torch.manual_seed(0)
    u = torch.randn(2048, 16) * 8 / (1 + torch.arange(16.0))
    steps = [segments.best(u, count, LEVELS, NONE).step for count in (8, 16, 32)]
    assert steps[0] > steps[1] > steps[2]


def test_what_extremes_need_is_there_though_it_never_occurs():
    torch.manual_seed(0)
    u = torch.randn(2048, 4) * torch.tensor([2.0, 1.0, 1.0, 0.5])
    extremes = torch.tensor([[-20.0, 0, 0, 0], [16.0, 0, 0, 0]])
    without, code = (segments.best(u, COUNT, LEVELS, e) for e in (NONE, extremes))
    for extreme in (-20.0, 16.0):
        assert not (abs(reach(without, 0, extreme)) >= abs(extreme))
        assert abs(reach(code, 0, extreme)) >= abs(extreme) - code.step / 2
    assert len(code.segments) == COUNT


def reach(code, k: int, side: float) -> float:
    """How far the segments of coefficient k go on one side."""
    flanks = sum(s.k == k and s.side * side > 0 for s in code.segments)
    return code.means[k].item() + code.step * ((3 if side > 0 else -2) + math.copysign(3 * flanks, side))


@torch.no_grad()
@pytest.mark.parametrize("most", [1.0, 1.25])
def test_blocks_of_one_colour_are_not_cut_short(centres, most):
    torch.manual_seed(0)
    x = torch.rand(4, 3, 64, 64) * 0.2 + 0.4
    encoder, decoder = analysis(128, 96), synthesis(96, 128)
    segments.start(encoder, decoder, x, centres.centres, most)
    plain = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))[:, :, None, None].expand(
        -1, -1, 40, 40
    )
    scaled = 0.5 + (plain - 0.5) * most
    error = (decoder(centres.nearest(encoder(scaled))) - scaled)[:, :, 16:24, 16:24].mean((2, 3))
    assert error.abs().max() < 0.15  # of what begins at random


@torch.no_grad()
def test_transforms_that_begin_so_send_and_read_them(centres):
    torch.manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(2, 3, 12, 12), scale_factor=8, mode="bicubic")
    encoder, decoder = analysis(WIDTH, COUNT), synthesis(COUNT, WIDTH)
    segments.start(encoder, decoder, smooth, centres.centres)
    values = centres.nearest(encoder(smooth))
    error = (decoder(values) - smooth).square().mean()
    assert error < 0.15 * smooth.var()
    values[:, 8:] = 0
    coarse = (decoder(values) - smooth).square().mean()
    assert error < coarse < 0.6 * smooth.var()


@torch.no_grad()
@pytest.mark.parametrize(
    "grey", [torch.full((2, 3, 32, 32), 0.5), torch.rand(2, 1, 32, 32).repeat(1, 3, 1, 1)]
)
def test_pictures_without_colours_leave_no_weight_that_is_no_number(centres, grey):
    torch.manual_seed(0)
    for start in (
        lambda *networks: segments.start(*networks, grey, centres.centres),
        lambda *networks: folding.start(*networks, grey, 24),
    ):
        networks = analysis(WIDTH, 24), synthesis(24, WIDTH)
        start(*networks)
        assert all(p.isfinite().all() for network in networks for p in network.parameters())


def test_transforms_that_are_too_narrow_are_refused(centres):
    with pytest.raises(ValueError, match="expected at least 24"):
        segments.start(analysis(16, 24), synthesis(24, 16), torch.rand(1, 3, 32, 32), centres.centres)
