"""Tucodec begins from a scale hyperprior: its latents and pictures are nearly those, and then its own."""

import pytest
import torch

from codec_lib.models.scale_hyperprior import ScaleHyperprior
from codec_lib.models.tucodec import Tucodec


@torch.no_grad()
def test_it_begins_close_to_the_hyperprior_it_starts_from():
    torch.manual_seed(0)
    before, model = ScaleHyperprior(N=8, M=12).eval(), Tucodec(N=8, M=12, K=4).eval()
    model.start_from(before)
    x = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), scale_factor=8, mode="bicubic")
    y, y_before = model.g_a(x), before.g_a(x)
    assert 0 < (y - y_before).square().mean() < 0.15 * y_before.square().mean()
    shown, shown_before = model.g_s(y_before), before.g_s(y_before)
    assert 0 < (shown - shown_before).square().mean() < 0.15 * shown_before.square().mean()


def test_it_begins_from_its_own_kind_exactly_and_from_nothing_else():
    torch.manual_seed(0)
    before, model = Tucodec(N=8, M=12, K=4), Tucodec(N=8, M=12, K=4)
    model.start_from(before)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.start_from(ScaleHyperprior(N=8, M=16))
    with pytest.raises(RuntimeError, match="and this one has not"):
        model.start_from(torch.nn.ModuleDict({"other": torch.nn.Conv2d(1, 1, 1)}))
