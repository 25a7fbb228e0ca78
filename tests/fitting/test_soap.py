"""SOAP: Adam in other directions, and what that is good for."""

import numpy as np
import pytest

from codec_lib.fitting.soap import Soap


def turned(sides: tuple[int, int], random: np.random.Generator) -> list[np.ndarray]:
    """Random orthogonal matrices."""
    return [np.linalg.qr(random.normal(size=(side, side)))[0] for side in sides]


def descend(matrices: list, is_turned: bool, steps: int = 300) -> float:
    """What is left of a loss whose steep directions are axes, or turned away from them."""
    random = np.random.default_rng(0)
    left, right = turned((8, 5), random) if is_turned else (np.eye(8), np.eye(5))
    steepness = np.outer(np.logspace(0, 2, 8), np.logspace(0, 2, 5))
    target, at = random.normal(size=(2, 8, 5))
    soap = Soap(40, matrices, decay=0.95)
    for k in range(steps):
        error = left.T @ (at - target) @ right
        gradient = left @ (steepness * error) @ right.T
        at = at - 0.05 * (1 - k / steps) * soap.step(gradient.ravel()).reshape(8, 5)
    error = left.T @ (at - target) @ right
    return float((steepness * error**2).sum())


def test_steep_directions_between_the_axes_matter_less():
    matrix = [(slice(0, 40), (8, 5))]
    assert descend(matrix, is_turned=True) < descend([], is_turned=True) / 10


def test_without_matrices_it_is_adam():
    random = np.random.default_rng(1)
    soap, first, second = Soap(6, [], decay=0.9), np.zeros(6), np.zeros(6)
    for step in range(1, 30):
        g = random.normal(size=6)
        first, second = 0.9 * first + 0.1 * g, 0.9 * second + 0.1 * g**2
        correction = 1 / (1 - 0.9**step)
        expected = first * correction / (np.sqrt(second * correction) + 1e-8)
        assert soap.step(g) == pytest.approx(expected, abs=1e-12)


def test_the_bases_stay_orthogonal():
    random = np.random.default_rng(2)
    soap = Soap(12, [(slice(0, 12), (3, 4))], decay=0.95)
    for _ in range(100):
        soap.step(random.normal(size=12))
    (_, _, basis), *_ = soap.matrices
    for vectors in basis.vectors:
        assert vectors @ vectors.T == pytest.approx(np.eye(len(vectors)), abs=1e-12)


def test_a_gradient_of_zero_moves_nothing():
    soap = Soap(12, [(slice(0, 12), (3, 4))], decay=0.95)
    assert not soap.step(np.zeros(12)).any()


def test_no_step_is_larger_than_adams():
    """Gradients of rank one that turn: most directions are empty until the basis moves into them."""
    random = np.random.default_rng(3)
    soap = Soap(12, [(slice(0, 12), (3, 4))], decay=0.95)
    for k in range(200):
        g = np.outer([1, 1e-3 * k, 0], random.normal(size=4)).ravel()
        assert np.linalg.norm(soap.step(g)) <= np.sqrt(12) + 1e-9
