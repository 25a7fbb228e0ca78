"""What learning saves is measured on two sets, and every part of it is worth something."""

from pathlib import Path

from benchmarks.adaptive import TAUS, TO_CHOOSE, VARIANTS
from codec_lib import data, weights

SAVED = data.results("adaptive")["saved_percent"]


def test_results_are_of_the_shipped_weights():
    assert data.results("adaptive")["weights"] == weights.load("near-lossless").digest


def test_every_variant_was_measured_on_the_same_pictures():
    rows = data.results("adaptive")["rows"]
    assert set(rows) == set(VARIANTS)
    keys = {
        name: [(row["set"], row["picture"], row["tau"]) for row in found] for name, found in rows.items()
    }
    every = keys["complete"]
    assert len(every) == 2 * 8 * len(TAUS)
    validation = [key for key in every if key[0] == "validation"]
    assert all(each == (validation if name in TO_CHOOSE else every) for name, each in keys.items())
    fixed = {
        name: [row["bytes"]["fixed"] for row in found if row["set"] == "validation"]
        for name, found in rows.items()
    }
    assert all(each == fixed["complete"] for each in fixed.values()), "the coder that learns nothing stays"


def test_learning_saves_on_every_picture():
    for row in data.results("adaptive")["rows"]["complete"]:
        assert row["bytes"]["complete"] < row["bytes"]["fixed"], row


def test_every_part_is_worth_something_on_both_sets():
    for of in ("kodak", "validation"):
        for tau in map(str, TAUS):
            complete = SAVED["complete"][of][tau]
            assert complete > 2.5
            for variant in set(VARIANTS) - TO_CHOOSE - {"complete"}:
                assert SAVED[variant][of][tau] < complete, (variant, of, tau)


def test_no_other_rate_would_have_been_chosen():
    for tau in map(str, TAUS):
        for variant in TO_CHOOSE:
            assert SAVED[variant]["validation"][tau] < SAVED["complete"]["validation"][tau], (variant, tau)


def test_kodak_rows_are_those_of_the_files():
    """The same pictures in results/near_lossless.json: there with the coder's state, here by the count."""
    files = {(row["picture"], row["tau"]): row["bytes_r"] for row in data.results("near_lossless")["rows"]}
    for row in data.results("adaptive")["rows"]["complete"]:
        if row["set"] == "kodak":
            name = Path(row["picture"]).name
            assert 0 < files[name, row["tau"]] - row["bytes"]["complete"] < 100, row
