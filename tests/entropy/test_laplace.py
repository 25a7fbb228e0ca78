"""Laplace densities in integers: what counts as their tables."""

import pytest

from codec_lib.entropy.laplace import LaplaceTables


def test_tables_of_other_functions_are_refused():
    tables = LaplaceTables.make()
    arrays = tables.to_arrays()
    assert all((a == b).all() for a, b in zip(LaplaceTables.from_arrays(arrays), tables, strict=True))
    rising = arrays["tail"].copy()
    rising[-1] = rising[-2] + 1
    for name, table in {"rate": arrays["rate"] + 2, "tail": rising}.items():
        with pytest.raises(ValueError, match=name):
            LaplaceTables.from_arrays({**arrays, name: table})
    with pytest.raises(ValueError, match="tail"):
        LaplaceTables.from_arrays({**arrays, "tail": arrays["tail"].astype(float)})
