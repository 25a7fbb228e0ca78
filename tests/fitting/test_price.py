"""The price of parameters: the derivative of what it says it is, and files in which they take less."""

import numpy as np
import pytest

from codec_lib.fitting import price
from codec_lib.fitting.parameters import COUNT, groups, places


def bits(differences: np.ndarray) -> float:
    """Of all groups, each under a Laplace density as wide as its mean distance from 0."""
    total = 0.0
    for part in groups().values():
        distance = np.abs(differences[part])
        width = distance.mean()
        total += part.size * np.log2(2 * width) + distance.sum() / (width * np.log(2))
    return total


def test_it_is_the_derivative_of_the_bits():
    random = np.random.default_rng(0)
    differences = random.choice([-1, 1], COUNT) * random.uniform(0.2, 0.6, COUNT)  # a hundred steps or more
    found = price.gradient(differences)
    for i in random.choice(COUNT, 40, replace=False):
        change = np.zeros(COUNT)
        change[i] = 1e-4
        slope = (bits(differences + change) - bits(differences - change)) / 2e-4
        assert found[i] == pytest.approx(slope, rel=0.02)  # a step is added to the width


def test_a_parameter_that_did_not_move_pays_nothing_and_one_within_a_step_less():
    differences = np.zeros(COUNT)
    bias = places()["b1"]
    differences[bias] = price.STEP * np.array([0, 0.1, 0.5, 10] * 4)
    found = price.gradient(differences)[bias][:4]
    assert found[0] == 0
    assert 0 < found[1] < 0.2 * found[3]
    assert found[1] < found[2] < found[3]


def test_groups_pay_apart():
    """A wide group is cheap to move in, however narrow another one is."""
    differences = np.full(COUNT, 0.01)
    differences[places()["w2"]] = 1.0
    found = price.gradient(differences)
    assert found[places()["w2"]].max() < 0.02 * found[places()["v1"]].min()
