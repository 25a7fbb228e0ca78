"""What the adaptive coder learns, part by part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec_lib.entropy import least_squares, logistic_mixing, neighbourhood, questions
from codec_lib.entropy.adaptive import Adaptive
from codec_lib.entropy.least_squares import FEATURES, Regression
from codec_lib.entropy.mixture import Fixed
from codec_lib.entropy.mixture_density import OUTPUTS, Alphabet, K, MixtureTables
from codec_lib.entropy.neighbourhood import MARGIN
from codec_lib.entropy.units import LEVEL_BITS
from codec_lib.exact.order import SLANTED

TABLES = MixtureTables.make()
ODDS = logistic_mixing.stretch_table(TABLES.logistic)


def test_a_regression_finds_the_weights_of_its_target():
    random, wanted = np.random.default_rng(0), np.zeros(FEATURES)
    wanted[:5] = [0.75, -0.5, 0.25, 0, 1.5]
    regression = Regression.start(1, 1)
    for _ in range(400):
        x = random.integers(-500, 500, FEATURES).astype(float)
        predicted = least_squares.predict(x, regression, 0, 0) / 2**least_squares.WEIGHT_BITS
        e = np.clip(np.rint(x @ wanted), -least_squares.LIMIT, least_squares.LIMIT)
        least_squares.learn(x, e, regression, 0, 0)
    assert abs(predicted - e) < 2, "the last prediction"
    assert np.abs(regression.weights[0, 0] / 2**least_squares.WEIGHT_BITS - wanted).max() < 2e-3


def test_strips_learn_from_those_beside_them_alone():
    regression, x = Regression.start(4, 1), np.full(FEATURES, 100.0)
    least_squares.learn(x, 50.0, regression, 0, 0)
    said = [least_squares.predict(x, regression, strip, 0) for strip in range(4)]
    assert said[:2] == [50 << least_squares.WEIGHT_BITS] * 2
    assert said[2:] == [0, 0]


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_the_largest_samples_stay_exact(sign):
    """The bound of the module: with features and targets at their limits, no partial sum reaches 2^53."""
    regression, x = Regression.start(2, 1), np.full(FEATURES, float(least_squares.LIMIT))
    for _ in range(4000):
        for strip in range(2):
            least_squares.predict(x, regression, strip, 0)
            least_squares.learn(x, sign * x[0], regression, strip, 0)
    largest = 2 ** (least_squares.WEIGHT_BITS + 1) * FEATURES * 4 * regression.squares.max()
    assert 2**50 < largest < 2**53
    assert (regression.squares == np.floor(regression.squares)).all()


def test_sums_are_the_same_in_plain_python():
    """Compiled loops may add in another order; integers do not mind."""
    random, regressions = np.random.default_rng(1), [Regression.start(3, 2) for _ in range(2)]
    calls = [(least_squares.predict, least_squares.learn)]
    calls += [tuple(function.py_func for function in calls[0])]
    for _ in range(60):
        x = random.integers(-4095, 4096, FEATURES).astype(float)
        e, strip = float(random.integers(-4095, 4096)), int(random.integers(3))
        said = []
        for (predict, learn), regression in zip(calls, regressions, strict=True):
            said.append(predict(x, regression, strip, 1))
            learn(x, e, regression, strip, 1)
        assert said[0] == said[1]
    assert all((a == b).all() for a, b in zip(*regressions, strict=True))


def test_stretch_is_the_inverse_of_squash():
    p = np.arange(1, 4096) / 4096
    wanted = np.log(p / (1 - p))
    assert np.abs(ODDS[1:] / 256 - wanted.clip(-2047 / 256, 2047 / 256)).max() <= 1 / 256
    assert ODDS.argsort(kind="stable").tolist() == list(range(4096))


def test_no_logistic_function_of_another_machine_gives_other_odds():
    """Tables are saved; still, none of their values is so near a tie that a libm could round it away."""
    t = np.arange(-(16 << 10), (16 << 10) + 1) / 2**10
    value = 2.0**22 / (1 + np.exp(-t.astype(np.longdouble)))
    assert np.abs(value - np.floor(value) - 0.5).min() > 1e-7


@given(
    symbol=st.integers(-255, 255),
    centre=st.integers(-300 << LEVEL_BITS, 300 << LEVEL_BITS),
    spread=st.integers(51, 100_000),
    size=st.sampled_from([1, 3, 41]),
    ends=st.tuples(st.integers(0, 255), st.integers(0, 255)),
)
def test_questions_find_any_symbol(symbol, centre, spread, size, ends):
    low, high = symbol - ends[0], symbol + ends[1]
    possible, halving = (low, high), questions.halving_odds(ODDS)
    node, tail, asked = 1, 2 * spread // (size << LEVEL_BITS) + 1, 0
    while low < high:
        given_ = (centre, spread, size, tail, halving)
        t, question, node, tail = questions.ask(node, (low, high), possible, *given_)
        assert low < t <= high
        assert 1 <= question < questions.QUESTIONS
        low, high = (t, high) if symbol >= t else (low, t - 1)
        node, asked = min(2 * node + (symbol >= t), questions.HALVINGS), asked + 1
    assert low == high == symbol
    assert asked <= questions.ANSWERS


def test_nothing_is_seen_that_a_slanted_line_has_not_passed():
    """Taps lie in earlier steps, so that the pixels of one step could be coded in any order."""
    allowed = set(map(tuple, SLANTED.taps(2 * MARGIN + 1).tolist()))
    for taps in (neighbourhood.ERRORS, neighbourhood.SAMPLES, neighbourhood.SLOPES, neighbourhood.CROSSED):
        assert set(map(tuple, taps.tolist())) <= allowed


def flat(pixels: int, mean: int = 0, log_sigma: float = 2.0) -> np.ndarray:
    """Outputs of a network that says the same of every sample, int32 (P, OUTPUTS); mean in levels."""
    outputs = np.zeros((pixels, OUTPUTS), np.int32)
    outputs[:, : 3 * K] = mean * 4096 // 16
    outputs[:, 3 * K : 6 * K] = int(log_sigma * 4096)
    return outputs


def bits(entries: np.ndarray) -> float:
    return (16 - np.log2((entries >> 16).astype(float) + 1)).sum()


def coded(r: np.ndarray, outputs: np.ndarray) -> list[float]:
    """Bits of residuals (3, H, W) on grey, fixed and adaptive."""
    order = np.concatenate([step.numpy() for step in SLANTED.steps(*r.shape[1:])])
    values = np.ascontiguousarray(r.reshape(3, -1)[:, order].T.astype(np.int32))
    known = np.full(r.shape, 128, np.uint8), Alphabet(0, np.array([[-100, 100]] * 3)), TABLES
    return [bits(coder(*known).entries(values, order, outputs)) for coder in (Fixed, Adaptive)]


def test_a_network_that_is_wrong_everywhere_is_corrected():
    """Residuals of mean 20 where the network says 0: the coder learns it, in all colours."""
    r = np.rint(np.random.default_rng(2).normal(20, 2, (3, 60, 80)))
    fixed, adaptive = coded(r, flat(4800))
    best = 3 * 4800 * np.log2(2 * np.sqrt(2 * np.pi * np.e))
    assert fixed > 1.7 * best
    assert best < adaptive < 1.15 * best, "4,800 pixels teach a regression of 32 weights"


def test_a_network_that_is_right_costs_little():
    """Logistic residuals under their own distribution: nothing to learn, and hardly a price for trying."""
    uniform = np.random.default_rng(3).random((3, 60, 80))
    r = np.rint(np.exp(1.0) * np.log(uniform / (1 - uniform)))
    fixed, adaptive = coded(r, flat(4800, log_sigma=1.0))
    assert fixed < adaptive < 1.02 * fixed


def test_what_a_colour_tells_of_the_next_is_learned():
    """Three equal colours: the second and third cost next to nothing."""
    r = np.rint(np.random.default_rng(4).normal(0, 6, (1, 60, 80))).repeat(3, 0)
    fixed, adaptive = coded(r, flat(4800))
    assert adaptive < 0.5 * fixed


def test_weights_stay_where_all_is_certain_already():
    """A flat area, however large, does not make a coder deaf to what comes after it."""
    s = np.array([640, 640, 640, 640, logistic_mixing.CONSTANT])
    first, second = (np.array([1 << 14] * 4 + [0]) for _ in range(2))
    for _ in range(100_000):
        p = logistic_mixing.mix(s, first, second, TABLES.logistic)
        logistic_mixing.update(s, first, second, p, True)
    assert p > (1 << 16) - 2 * logistic_mixing.RAREST
    assert first.max() < 1 << 16, "less than a weight of one"
