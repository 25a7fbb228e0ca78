"""Maps of small numbers: coarse to fine, every place once, from what is known already."""

import numpy as np
import pytest
import torch

from codec_lib.entropy import rans
from codec_lib.errors import SectionError
from codec_lib.exact.frozen import Frozen
from codec_lib.priors.coarse_to_fine import NAME, CoarseToFine, steps

T = 16
SIZES = [(1, 1), (1, 9), (6, 1), (5, 7), (8, 8), (9, 17), (32, 48)]


@pytest.fixture(scope="module")
def coder():
    coder = CoarseToFine(T, Frozen())
    coder.freeze()
    return coder


def smooth(height, width, largest=T):
    """A map as of a picture: large where a disc is, small elsewhere."""
    i, j = np.mgrid[0:height, 0:width]
    distance = np.hypot(i - height / 2, j - width / 3)
    return torch.from_numpy(np.clip(largest + 3 - distance, 1, largest).astype(np.int64))


@pytest.mark.parametrize("size", SIZES)
def test_each_place_comes_once_and_neighbours_come_before(size):
    known = np.zeros(size, int)
    for step, (rows, columns, taps) in enumerate(steps(*size), 1):
        assert (known[rows, columns] == 0).all()
        for down, right in taps:
            i, j = rows + down, columns + right
            inside = (i >= 0) & (i < size[0]) & (j >= 0) & (j < size[1])
            assert (known[i[inside], j[inside]] > 0).all()
        known[rows, columns] = step
    assert (known > 0).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("largest", [1, 2, 7, T])
def test_maps_come_back(coder, size, largest):
    noise = torch.randint(1, largest + 1, size, generator=torch.Generator().manual_seed(largest))
    for counts in (noise, smooth(*size, largest)):
        data = coder.encode(counts, largest)
        assert torch.equal(coder.decode(data, *size, largest), counts)


def test_a_map_of_its_largest_number_is_empty(coder):
    assert coder.encode(torch.full((4, 5), 7), 7) == b""
    assert len(coder.encode(torch.full((4, 5), 7), 8)) > 0


def test_a_smooth_map_takes_less_than_a_bit_a_place(coder):
    assert 8 * len(coder.encode(smooth(64, 96), T)) < 64 * 96


@pytest.mark.parametrize("change", [lambda s: s[:-2], lambda s: s + b"\0\0", lambda s: s[:3]])
def test_damage_is_refused_by_the_name_of_the_section(coder, change):
    data = coder.encode(smooth(16, 16), T)
    with pytest.raises(SectionError, match=r"^section map: "):
        coder.decode(change(data), 16, 16, T)


@pytest.mark.parametrize("wrong", [0, 9, -5])
def test_a_number_that_no_tile_can_have_is_refused(coder, wrong):
    symbols, indexes = np.full(1, wrong, np.int32), np.zeros(1, np.int32)
    data = rans.encode(symbols, indexes, coder.frozen.tables(NAME))
    with pytest.raises(SectionError, match=f"a number of the map: {wrong}, expected 1 to 8"):
        coder.decode(data, 1, 1, 8)
