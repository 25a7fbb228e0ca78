"""Parameters that are moved after rounding: what is minimized falls, and an interrupted search is whole."""

from functools import partial

import numpy as np
import pytest

from codec_lib import data, picture
from codec_lib.entropy.pmf import surprise
from codec_lib.fitting import rdoq, rounding
from codec_lib.fitting.descent import Descent, descended
from codec_lib.fitting.fit import State
from codec_lib.fitting.parameters import groups
from codec_lib.models import fitted

MODEL = fitted.Fitted().requires_grad_(False).freeze()  # far from any picture, so that all groups move
TABLES = MODEL.frozen.tables("n")


@pytest.fixture(scope="module")
def fit():
    """A short fit of a small photograph, ended."""
    photo = data.sample("astronaut").crop((150, 20, 214, 84))
    fit = MODEL.begin(picture.to_levels(photo), 5.0)
    fit.run(300)
    return fit


def rounded(fit) -> tuple[np.ndarray, rounding.Steps]:
    fit.passes.harden(fit.best.grids)
    return rounding.choose(fit.best.vector, fit.start, TABLES, partial(fitted._cost, fit))


def improve(fit, vector, steps, on_progress) -> None:
    gradient = partial(fit.passes.gradients, weight=fit.weight)
    assert rdoq.improve(vector, steps, fit.start, TABLES, partial(fitted._cost, fit), gradient, on_progress)


def all_bits(fit, vector, steps) -> float:
    """What is minimized, the parameters' own bits included."""
    own = 0.0
    for name, part in groups().items():
        if steps[name] is not None:
            found = rounding.differences(vector, fit.start, part, steps[name])
            row = np.full(found.size, rounding.best_row(found, TABLES)[1], np.uint8)
            own += surprise(found, row, TABLES).sum()
    return own + sum(fitted._cost(fit, vector, name) for name in ("w1", "v1"))


def test_moves_pay_and_are_written(fit):
    vector, steps = rounded(fit)
    before, nearest, shares = all_bits(fit, vector, steps), vector.copy(), []
    improve(fit, vector, steps, shares.append)
    assert all_bits(fit, vector, steps) < before * 0.998
    assert (vector != nearest).sum() > 20
    assert shares == sorted(shares)
    assert shares[-1] == 1
    section = rounding.encode(vector, steps, fit.start, TABLES)
    assert np.array_equal(rounding.decode(section, fit.start, TABLES), vector)


@pytest.mark.parametrize(("where", "after"), [("cost", 60), ("on_progress", 60), ("gradient", 2)])
def test_an_interrupted_search_leaves_what_paid(fit, where, after):
    vector, steps = rounded(fit)
    before, calls = all_bits(fit, vector, steps), []

    def until(function):
        def called(*given):
            calls.append(given)
            if len(calls) == after:
                raise KeyboardInterrupt
            return function(*given)

        return called

    gradient = partial(fit.passes.gradients, weight=fit.weight)
    asked = {"cost": partial(fitted._cost, fit), "gradient": gradient, "on_progress": lambda share: None}
    asked[where] = until(asked[where])
    assert not rdoq.improve(vector, steps, fit.start, TABLES, **asked)
    assert len(calls) == after
    assert all_bits(fit, vector, steps) < before
    section = rounding.encode(vector, steps, fit.start, TABLES)
    assert np.array_equal(rounding.decode(section, fit.start, TABLES), vector)


@pytest.mark.parametrize("asked", ["choose", "improve"])
def test_an_interruption_while_a_file_is_written_still_gives_a_file(monkeypatch, asked):
    def interrupted(*_):
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(fitted, "ITERATIONS", (10,) * len(fitted.ITERATIONS))
    monkeypatch.setattr(fitted, "TRIALS_FROM", 10)
    monkeypatch.setattr({"choose": rounding, "improve": rdoq}[asked], asked, interrupted)
    photo = data.sample("astronaut").crop((150, 20, 182, 52))
    sections = MODEL.compress(picture.to_levels(photo), 5.0, effort=1)
    assert MODEL.decompress(sections, 5.0, 32, 32).shape == (1, 3, 32, 32)


def test_no_parameter_leaves_its_range(fit):
    """A weight at the end of the range that would gain by leaving it stays."""
    vector, steps = rounded(fit)
    place = groups()["s"][0]
    steps["s"] = 3
    vector[groups()["s"]] = np.rint(vector[groups()["s"]] * 8) / 8
    vector[place] = rounding.most(3) / 8

    def gradient(_):
        slope = np.zeros_like(vector)
        slope[place] = -1e6
        return slope

    improve_cost = lambda tried, group: -float(tried[place])  # noqa: E731
    rdoq.improve(vector, steps, fit.start, TABLES, improve_cost, gradient, lambda share: None)
    assert vector[place] == rounding.most(3) / 8


def test_the_codec_writes_what_the_search_found_and_latents_that_fit_it(fit):
    state = State(fit.best.grids, fit.best.vector, fit.best.bits, fit.best.error)
    shares = []
    nearest, moved = MODEL.write(fit, state), MODEL.write(fit, state, shares.append)
    vector, steps = rounded(fit)
    improve(fit, vector, steps, lambda share: None)
    assert moved["n"] == rounding.encode(vector, steps, fit.start, TABLES) != nearest["n"]
    before = all_bits(fit, vector, steps)
    _, grids = MODEL._read(moved, fit.passes.height, fit.passes.width)
    fit.passes.harden(grids)
    assert all_bits(fit, vector, steps) < before * 0.9995
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_latents_that_are_interrupted_are_those_of_the_last_whole_descent(fit):
    vector, _ = rounded(fit)
    latents = [grid.astype(np.float32) for grid in fit.best.grids]
    descent = Descent(fit.passes, latents, vector, fit.weight)
    kept, run = [], descent.run

    def interrupted(random):
        run(random)
        if kept:
            raise KeyboardInterrupt
        kept.extend(latent.copy() for latent in latents)

    descent.run = interrupted
    grids = descended(descent, 3, np.random.default_rng(0), lambda share: None)
    assert all(np.array_equal(grid, latent) for grid, latent in zip(grids, kept, strict=True))
    assert any((grid != before).any() for grid, before in zip(grids, fit.best.grids, strict=True))
    assert any((grid != latent).any() for grid, latent in zip(grids, latents, strict=True))
