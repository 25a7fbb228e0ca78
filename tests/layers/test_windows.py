"""Windows: cores cover a map once, and see as far beyond their border as they should."""

import pytest
import torch

from codec_lib.layers.windows import windows


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (8, 8), (9, 20)])
@pytest.mark.parametrize("factor", [1, 3])
def test_cores_put_together_are_the_map(size, factor):
    height, width = size
    whole = torch.arange(2 * height * width * factor**2).view(2, height * factor, width * factor)
    again = torch.zeros_like(whole)
    for window in windows(height, width, side=4, margin=2):
        window.put(again, window.of(whole, factor), factor)
    assert torch.equal(again, whole)


def test_each_place_is_in_one_core_with_its_margin_around_it():
    count = torch.zeros(9, 20)
    for window in windows(9, 20, side=4, margin=2):
        count[window.core] += 1
        for core, outer, size in zip(window.core, window.outer, (9, 20), strict=True):
            assert outer.start == max(core.start - 2, 0)
            assert outer.stop == min(core.stop + 2, size)
    assert (count == 1).all()
