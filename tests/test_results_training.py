"""What the chapter on training says of optimizers, schedules and starts."""

import numpy as np
import pytest

from benchmarks import training_trials
from benchmarks.training import RATES, SCHEDULES, SEEDS, best_rate
from codec_lib import data

RESULTS = data.results("training")
ROWS = RESULTS["rows"]


def ends(start: str, optimizer: str = "muon", schedule: str = "linear") -> np.ndarray:
    """The last costs of all seeds, where a rate was tuned with that rate."""
    rate = RESULTS["best"][f"{optimizer}, {schedule}"] if start == "hyperprior" else None
    found = {
        row["seed"]: row["costs"][-1]
        for row in ROWS
        if (row["start"], row["optimizer"], row["schedule"]) == (start, optimizer, schedule)
        and rate in (None, row["lr"])
    }
    return np.array([found[seed] for seed in SEEDS])


@pytest.mark.parametrize("optimizer", RATES)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_pair_has_its_own_best_rate_of_all_that_were_tried(optimizer: str, schedule: str):
    tried = {
        row["lr"]
        for row in ROWS
        if (row["optimizer"], row["schedule"], row["seed"]) == (optimizer, schedule, 0)
        and row["start"] == "hyperprior"
    }
    assert tried == set(RATES[optimizer])
    assert RESULTS["best"][f"{optimizer}, {schedule}"] == best_rate(ROWS, optimizer, schedule)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_adam_leaves_half_as_much_again_as_muon_with_every_seed(schedule: str):
    behind = ends("hyperprior", "adam", schedule) - ends("hyperprior", "muon", schedule)
    assert (2**behind > 1.5).all()


@pytest.mark.parametrize("optimizer", RATES)
def test_a_fall_to_zero_ends_lower_than_a_constant_rate_with_every_seed(optimizer: str):
    assert (ends("hyperprior", optimizer, "constant") > ends("hyperprior", optimizer, "linear")).all()


def test_a_dct_is_ahead_of_random_numbers_before_the_first_step_and_after_the_last():
    assert (ends("dct") < ends("random")).all()
    first = {start: [r["costs"][0] for r in ROWS if r["start"] == start] for start in ("dct", "random")}
    assert max(first["dct"]) < min(first["random"]) - 1


def test_a_muon_step_costs_less_than_a_third_more():
    seconds = {
        name: np.mean(
            [row["step_s"] for row in ROWS if (row["optimizer"], row["start"]) == (name, "hyperprior")]
        )
        for name in RATES
    }
    assert seconds["muon"] / seconds["adam"] < 4 / 3


TRIALS = data.results("training_trials")


def over(trial: str) -> np.ndarray:
    """How much more of R + lambda D a trial leaves than the base of the same seed, for each seed."""
    cost = {(row["trial"], row["seed"]): row["cost"] for row in TRIALS["rows"]}
    return np.array([2 ** (cost[trial, seed] - cost["base", seed]) - 1 for seed in SEEDS])


def test_every_change_was_tried_with_every_seed():
    assert {(row["trial"], row["seed"]) for row in TRIALS["rows"]} == {
        (trial, seed) for trial in training_trials.TRIALS for seed in training_trials.SEEDS
    }
    assert TRIALS["trials"] == training_trials.TRIALS


@pytest.mark.parametrize("trial", ["noise", "soft", "symbols", "steady, average", "cosine"])
def test_changes_that_are_worse_with_every_seed(trial: str):
    assert (over(trial) > 0).all()


def test_small_crops_first_help_with_every_seed():
    assert (over("small first") < -0.005).all()


def test_a_moving_average_adds_next_to_nothing_to_a_fall():
    assert (abs(over("average")) < 0.002).all()
