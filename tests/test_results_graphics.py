"""Graphics: three of each kind, and the honest outcome beside lossless WebP."""

from collections import Counter

import pytest

from benchmarks.graphics import MODELS
from codec_lib import data, weights

ROWS = data.results("graphics")["rows"]


def test_three_of_each_kind_with_the_shipped_weights():
    assert Counter(row["picture"].split("-")[0] for row in ROWS) == {"text": 3, "drawing": 3, "screen": 3}
    assert all(row["weights"] == {name: weights.load(name).digest for name in MODELS} for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["picture"])
def test_a_fitted_file_is_better_than_the_flagship_where_photographs_teach_nothing(row):
    assert row["psnr"]["fitted"] > row["psnr"].get("flagship", 0)
