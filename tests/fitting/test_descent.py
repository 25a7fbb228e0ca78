"""Steps of single latents: what they change stays in a window, and the cost never grows."""

import numpy as np
import pytest

from codec_lib import data
from codec_lib.fitting.descent import CORE, WINDOW, Descent, add_windows, most_promising
from codec_lib.fitting.fit import Fit
from codec_lib.fitting.parameters import fresh

WEIGHT = 20_000.0


@pytest.fixture
def fit():
    """A fit that has only begun, with integer grids."""
    pixels = np.array(data.sample("astronaut").crop((150, 40, 150 + 90, 40 + 70)))
    fit = Fit(np.moveaxis(pixels, -1, 0).astype(np.float32) / 255, WEIGHT, fresh())
    fit.move(60, lambda done: None)
    fit.best = fit.look()
    fit.restore()
    return fit


@pytest.fixture
def descent(fit):
    fit.passes.harden(fit.latents)
    return Descent(fit.passes, fit.latents, fit.vector, WEIGHT)


def test_the_cost_falls(fit, descent):
    before = fit.cost(fit.best)
    kept = descent.run(np.random.default_rng(0))
    assert kept > 10
    assert all((latent == np.rint(latent)).all() for latent in fit.latents)
    assert fit.cost(fit.look()) < before - 1e-3 * kept


@pytest.mark.parametrize("corner", [(0, 0), (3, 7), (15, 12)])
def test_the_finest_grid_s_windows_have_all_bits_of_it_and_all_errors(fit, descent, corner):
    sums = descent.windows(0, *corner)
    bits = fit.passes.bits(fit.vector, is_forward=True)[0]
    fit.passes.picture(fit.vector)
    assert sums.sum() == pytest.approx(bits + WEIGHT * fit.passes.error(), rel=1e-5)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_step_in_a_core_changes_nothing_outside_its_window(fit, descent, level):
    height, width = fit.passes.sizes[level]
    edge = (WINDOW - CORE) // 2
    top, left = WINDOW - 2, WINDOW - 1  # so that windows begin at rows 2, 18, ... and columns 1, 17, ...
    for row, column in ((2 + edge, 1 + edge), (2 + edge + CORE - 1, 1 + edge + CORE - 1)):
        if row >= height or column >= width:
            continue
        before = descent.windows(level, top, left)
        descent._move(level, np.array([row]), np.array([column]), np.float32([1]))
        changed = np.argwhere(np.abs(descent.windows(level, top, left) - before) > 1e-3)
        descent._move(level, np.array([row]), np.array([column]), np.float32([-1]))
        assert changed.tolist() == [[1, 1]]


def test_every_core_offers_its_best_place():
    promise = np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32)
    rows, columns, i, j = most_promising(promise, 5, 9)
    assert len(set(zip(i.tolist(), j.tolist(), strict=True))) == len(rows) > 6
    for row, column, down, along in zip(rows, columns, i, j, strict=True):
        assert (row + 5) // WINDOW == down
        assert (column + 9) // WINDOW == along
        first, start = down * WINDOW + 4 - 5, along * WINDOW + 4 - 9
        core = promise[max(first, 0) : first + CORE, max(start, 0) : start + CORE]
        assert promise[row, column] == core.min() < 0


def test_windows_add_up_whatever_the_scale():
    values = np.random.default_rng(1).random((50, 70))
    sums = np.zeros((3, 4))
    add_windows(values, 2, 3, 11, sums)
    padded = np.zeros((96, 128))
    padded[6:56, 22:92] = values
    assert sums == pytest.approx(padded.reshape(3, 32, 4, 32).sum((1, 3)))
