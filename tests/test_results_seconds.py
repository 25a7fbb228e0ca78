"""The stored seconds: of the shipped weights, and within what a reader was promised."""

import pytest

from codec_lib import data, weights


@pytest.fixture(scope="module")
def measured():
    return data.results("seconds")


def test_they_were_measured_with_the_shipped_weights_on_a_quiet_machine(measured):
    assert measured["weights"] == {name: weights.load(name).digest for name in measured["settings"]}
    assert measured["note"] is None


@pytest.mark.parametrize(
    ("model", "encode", "decode"),
    [
        ("flagship", None, 0.15),
        ("near-lossless", 5.5, 8.0),  # on an Intel Xeon; an AMD EPYC took 3.7 s
        ("context", None, 1.0),
        ("conditional-probability", None, 10.0),
    ],
)
def test_two_threads_are_as_fast_as_promised(measured, model, encode, decode):
    seconds = measured["threads"]["2"][model]
    assert seconds["decode"] <= decode
    assert encode is None or seconds["encode"] <= encode


def test_the_second_thread_helps_wherever_large_convolutions_are_most_of_the_work(measured):
    one, two = measured["threads"]["1"], measured["threads"]["2"]
    for model in ("flagship", "checkerboard", "hyperprior"):
        assert two[model]["decode"] < one[model]["decode"]
