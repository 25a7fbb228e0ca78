"""Only tables of the functions that they are named for are taken from a file."""

import numpy as np
import pytest

from codec_lib.entropy.laplace import LaplaceTables
from codec_lib.entropy.mixture_density import MixtureTables

both = pytest.mark.parametrize(("kind", "monotone"), [(LaplaceTables, "tail"), (MixtureTables, "logistic")])


@both
def test_what_is_saved_comes_back(kind, monotone):
    again = kind.from_arrays(kind.make().to_arrays())
    assert all(a.dtype == np.int64 and (a == b).all() for a, b in zip(again, kind.make(), strict=True))


@both
def test_a_rounding_is_no_other_function_but_more_is(kind, monotone):
    arrays = kind.make().to_arrays()
    assert (kind.from_arrays({**arrays, "rate": arrays["rate"] + 1}).rate == arrays["rate"] + 1).all()
    for wrong in (arrays["rate"] + 5, arrays["rate"][1:], arrays["rate"].astype(np.int16)):
        with pytest.raises(ValueError, match="rate: not the table of the function"):
            kind.from_arrays({**arrays, "rate": wrong})
    del arrays["rate"]
    with pytest.raises(KeyError):
        kind.from_arrays(arrays)


@both
def test_a_cumulative_function_that_turns_back_is_refused(kind, monotone):
    arrays = kind.make().to_arrays()
    table = arrays[monotone].copy()
    flat = int(np.flatnonzero(np.diff(table) == 0)[0])
    table[flat] += 1 if monotone == "logistic" else -1
    with pytest.raises(ValueError, match=f"{monotone}: rises and falls"):
        kind.from_arrays({**arrays, monotone: table})
