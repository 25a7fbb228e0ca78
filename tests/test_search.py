"""Files of a wanted size: never too long, close to the target, few trials."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec_lib as cl
from codec_lib import data
from codec_lib.search import largest_within
from codec_lib.setting import QUALITY, TAU

FINEST = QUALITY.step


@given(
    growth=st.floats(0.05, 1.5),
    bend=st.floats(-0.05, 0.05),
    start=st.integers(20, 10**5),
    share=st.floats(0.01, 0.99),
)
def test_any_growing_size_is_hit_from_below(growth, bend, start, share):
    trials = []

    def size(quality):
        return int(start * math.exp(growth * quality + bend * (quality - 1) * (8 - quality)))

    def make(quality):
        trials.append(quality)
        assert quality == round(quality / FINEST) * FINEST
        return bytes(size(quality))

    target = int(size(1) + share * (size(8) - size(1)))
    length = len(largest_within(make, target))
    assert length <= target
    grid = [size(1 + k * FINEST) for k in range(int(7 / FINEST) + 1)]
    best = max(s for s in grid if s <= target)
    assert length >= min(best, 0.995 * target)
    assert len(trials) <= 20


def test_a_target_that_no_quality_reaches():
    with pytest.raises(ValueError, match="target: 50 bytes; the smallest file has 200"):
        largest_within(lambda quality: bytes(int(200 * quality)), 50)
    assert len(largest_within(lambda quality: bytes(int(200 * quality)), 10**6)) == 1600


@pytest.mark.parametrize("model", ["flagship", "hyperprior", "factorized"])
@pytest.mark.parametrize("target", [4000, 6500, 9000])
def test_files_are_within_two_percent_of_a_target(model, target):
    file = cl.encode(data.sample("astronaut").crop((100, 0, 356, 256)), model, target_bytes=target)
    assert 0.98 * target <= len(file) <= target


def test_targets_go_with_alpha_and_not_with_qualities_or_tau():
    picture = np.dstack((np.array(data.sample().resize((96, 80))), np.arange(7680).reshape(80, 96) % 251))
    file = cl.encode(picture.astype(np.uint8), target_bytes=2000)
    assert len(file) <= 2000
    with pytest.raises(ValueError, match="only one can be given"):
        cl.encode(picture.astype(np.uint8), quality=3, target_bytes=2000)
    for target in (0, -1, float("nan"), "2000"):
        with pytest.raises(ValueError, match="allowed is any number above 0"):
            cl.encode(picture.astype(np.uint8), target_bytes=target)


def test_a_setting_that_falls_as_files_grow_is_searched_as_well():
    made = largest_within(lambda tau: bytes(1000 - 40 * int(tau)), 700, TAU)
    assert len(made) == 680  # tau = 8; tau = 7 would take 720


def test_near_lossless_files_are_hit_by_the_largest_tau_that_is_needed():
    photo = data.sample("astronaut").crop((100, 0, 164, 64))
    sizes = {tau: len(cl.encode(photo, "near-lossless", tau=tau)) for tau in (3, 4)}
    file = cl.encode(photo, "near-lossless", target_bytes=(sizes[3] + sizes[4]) // 2)
    assert len(file) == sizes[4]
    assert cl.verify(photo, file).largest_error == 4
