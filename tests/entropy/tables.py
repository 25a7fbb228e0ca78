"""Tables and messages that several tests code."""

import numpy as np
from hypothesis import strategies as st

from codec_lib.entropy.pmf import Tables

INT32 = np.iinfo(np.int32)


def bell(width: float) -> tuple[np.ndarray, int]:
    """Return a bell over whole numbers, of sum 0.999, and its first value.

    Only divisions and products: the golden streams depend on it on every machine.
    """
    reach = int(np.ceil(5 * width))
    p = 1 / (1 + (np.arange(-reach, reach + 1) / width) ** 2) ** 2
    return 0.999 * p / p.sum(), -reach


def bells() -> Tables:
    """Return 16 rows from almost certain to almost flat."""
    rows = [bell(0.2 * 1.5**i) for i in range(16)]
    return Tables.from_pmfs([p for p, _ in rows], [first for _, first in rows])


@st.composite
def messages(draw, most: int = 60):
    """Draw tables, and a message with any int32 in it, extremes and escapes included."""
    weights = st.lists(st.integers(0, 1000), min_size=0, max_size=40)
    pmfs = [
        np.array(w) / (sum(w) + draw(st.integers(1, 50)))
        for w in draw(st.lists(weights, min_size=1, max_size=5))
    ]
    near = st.integers(-50, 50)
    anything = st.one_of(near, st.integers(INT32.min, INT32.max), st.sampled_from([INT32.min, INT32.max]))
    low = st.one_of(near, st.sampled_from([INT32.min, INT32.max - 39]))
    tables = Tables.from_pmfs(pmfs, [draw(low) for _ in pmfs])
    symbols = draw(st.lists(anything, max_size=most))
    index = st.integers(0, len(pmfs) - 1)
    indexes = draw(st.lists(index, min_size=len(symbols), max_size=len(symbols)))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.int32]))
    return np.array(symbols, dtype=np.int32), np.array(indexes, dtype=dtype), tables
