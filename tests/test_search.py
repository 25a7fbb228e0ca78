"""Files of a wanted size: never too long, close to the target, few trials."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec_lib as cl
from codec_lib import data, search
from codec_lib.fitting.fit import CHECK
from codec_lib.fitting.passes import Passes
from codec_lib.models import fitted
from codec_lib.progress import Stop, listening
from codec_lib.search import allocate, largest_within
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


sets = st.lists(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0, 100)), min_size=1, max_size=5),
    min_size=1, max_size=5,
)  # fmt: skip


def total(points, chosen):
    sizes, errors = zip(*(own[k] for own, k in zip(points, chosen, strict=True)), strict=True)
    return sum(sizes), sum(errors)


@given(points=sets, share=st.floats(0, 1))
def test_small_sets_are_solved_as_by_brute_force(points, share):
    ends = [sum(pick(size for size, _ in own) for own in points) for pick in (min, max)]
    budget = round(ends[0] + share * (ends[1] - ends[0]))
    chosen = allocate(points, budget)
    every = itertools.product(*(range(len(own)) for own in points))
    fitting = [total(points, choice) for choice in every if total(points, choice)[0] <= budget]
    assert total(points, chosen)[0] <= budget
    assert total(points, chosen)[1] == pytest.approx(min(error for _, error in fitting))


@given(points=sets, share=st.floats(0, 1))
def test_the_way_of_large_sets_stays_within_the_budget_and_leaves_no_single_change(points, share):
    ends = [sum(pick(size for size, _ in own) for own in points) for pick in (min, max)]
    budget = round(ends[0] + share * (ends[1] - ends[0]))
    chosen = search._improved(points, search._on_the_hulls(points, budget), budget)
    size, error = total(points, chosen)
    assert size <= budget
    for picture, own in enumerate(points):
        for to in range(len(own)):
            other = [*chosen[:picture], to, *chosen[picture + 1 :]]
            assert total(points, other)[0] > budget or total(points, other)[1] >= error - 1e-9


@given(
    points=st.lists(
        st.lists(st.tuples(st.integers(1, 99), st.floats(0, 9)), min_size=6, max_size=6),
        min_size=6,
        max_size=9,
    ),
    place=st.integers(0, 5),
)
def test_a_large_set_is_never_worse_than_the_same_place_for_all(points, place):
    size, error = total(points, [place] * len(points))
    chosen = allocate(points, size)
    assert total(points, chosen)[0] <= size
    assert total(points, chosen)[1] <= error + 1e-9


def test_a_large_set_of_convex_curves_comes_close_to_the_bound():
    """24 pictures, about 40 points each, against the dual bound."""
    generator = np.random.default_rng(0)
    points = []
    for scale in generator.uniform(0.2, 5, 24):
        sizes = np.unique(np.geomspace(500, 50_000, 40).astype(int))
        points.append([(int(size), scale * 1e6 / size) for size in sizes])
    budget = 24 * 9000
    chosen = allocate(points, budget)
    size, error = total(points, chosen)
    bounds = []  # that no allocation can be below, one for each price of a byte
    for price in np.geomspace(1e-6, 1, 400):
        least = sum(min(e + price * s for s, e in own) for own in points)
        bounds.append(least - price * budget)
    assert size <= budget
    assert max(bounds) <= error < 1.01 * max(bounds)
    same = min(range(len(points[0])), key=lambda k: abs(sum(own[k][0] for own in points) - budget))
    assert error < 0.9 * sum(own[same][1] for own in points)  # than one size for all


@pytest.mark.parametrize(
    ("points", "budget", "problem"),
    [
        ([[(5, 1.0)], []], 10, "picture 1 has none"),
        ([[(5, 1.0)], [(6, 1.0)]], 10, "the smallest files have 11"),
    ],
)
def test_what_cannot_be_allocated_is_said(points, budget, problem):
    with pytest.raises(ValueError, match=problem):
        allocate(points, budget)


def test_a_step_that_does_not_fit_does_not_stop_the_other_pictures():
    points = [[(1, 1e6), (1002, 0.0)], [(1, 10.0), (991, 0.0)], *([[(1, 9.0), (11, 0.0)]] * 20)]
    chosen = allocate(points, 22 + 1000)
    assert chosen == [0, 0, *([1] * 20)]


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_search_that_is_stopped_gives_the_best_file_so_far(after):
    stop, trials = Stop(), []

    def make(quality):
        trials.append(bytes(int(100 * 2**quality)))
        stop.is_asked = len(trials) == after
        return trials[-1]

    best = largest_within(make, 3000, stop=stop)
    assert len(trials) == after
    whole = trials[: max(after - 1, 1)]  # the last one was cut short, and nobody knows what it shows
    assert best == max((file for file in whole if len(file) <= 3000), key=len)


def test_a_search_that_is_stopped_before_anything_fits_ends_the_program():
    with pytest.raises(KeyboardInterrupt):
        largest_within(lambda quality: bytes(5000), 3000, stop=Stop(is_asked=True))


@pytest.mark.parametrize(("model", "effort"), [("hyperprior", 1), ("fitted", 0)])
@pytest.mark.parametrize("report", [1, 2])
def test_one_interruption_ends_a_search_with_effort(model, effort, report, monkeypatch):
    """Every trial would go on with what it has found, and the next one would begin."""
    monkeypatch.setattr(fitted, "ITERATIONS", (2 * CHECK,) * len(fitted.ITERATIONS))
    photo, reports = data.sample("astronaut").crop((150, 20, 214, 84)), []

    def interrupt_once(state):
        reports.append(state.total)
        if len(reports) == report:
            raise KeyboardInterrupt

    with listening(interrupt_once):
        file = cl.encode(photo, model, target_bytes=3000, effort=effort)
    assert len(file) <= 3000
    assert cl.decode(file).size == photo.size
    assert len(reports) <= report + 1


def test_a_trial_that_was_cut_short_does_not_take_the_place_of_a_whole_one(monkeypatch):
    """A fit that has just begun is of an empty picture, which is small."""
    photo, steps = data.sample("astronaut").crop((150, 20, 214, 84)), 2 * CHECK
    monkeypatch.setattr(fitted, "ITERATIONS", (steps,) * len(fitted.ITERATIONS))
    first = cl.encode(photo, "fitted", quality=1, effort=0)
    gradients, calls = Passes.gradients, []

    def interrupt_second_trial(*given, **named):
        calls.append(given)
        if len(calls) == steps + 3:
            raise KeyboardInterrupt
        return gradients(*given, **named)

    monkeypatch.setattr(Passes, "gradients", interrupt_second_trial)
    assert cl.encode(photo, "fitted", target_bytes=3000, effort=0) == first
