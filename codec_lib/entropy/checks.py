"""What every coder asks of its arguments: integers, one axis, values that have a meaning."""

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np

from codec_lib.entropy.compiled import compiled

INT32 = np.iinfo(np.int32)
Numbers = np.ndarray | Sequence[Any]  # what NumPy makes an array of


def check_indexes(indexes: Numbers, tables: Sized) -> np.ndarray:
    """Return `indexes` as a contiguous (N,) array of uint8, uint16 or int32, each a row.

    Raises:
        TypeError: not integers.
        ValueError: not one axis, or an index that no row has; the message names it.
    """
    given = integers("indexes", indexes)
    indexes = given if given.dtype.char in "BHi" else given.astype(np.int32)
    if not (_all_below(indexes, len(tables)) and (indexes is given or (indexes == given).all())):
        i = int(((given < 0) | (given >= len(tables))).argmax())
        raise ValueError(f"indexes[{i}] = {given[i]}, expected 0 to {len(tables) - 1}")
    return np.ascontiguousarray(indexes)


def check_symbols(symbols: Numbers, indexes: np.ndarray) -> np.ndarray:
    """Return `symbols` as a contiguous int32 (N,) array, one for each index.

    Raises:
        TypeError: not integers.
        ValueError: another shape than `indexes`, or a value outside of int32.
    """
    symbols = integers("symbols", symbols)
    if symbols.shape != indexes.shape:
        raise ValueError(f"symbols: shape {symbols.shape}, expected {indexes.shape} as indexes")
    if symbols.dtype != np.int32:
        wrong = (symbols < INT32.min) | (symbols > INT32.max)
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(f"symbols[{i}] = {symbols[i]}, expected {INT32.min} to {INT32.max}")
        symbols = symbols.astype(np.int32)
    return np.ascontiguousarray(symbols)


@compiled
def _all_below(values: np.ndarray, end: int) -> bool:
    """Whether all values are from 0 to end - 1. (NumPy's maximum takes longer to start than to run.)"""
    lowest, highest = 0, -1
    for value in values:
        lowest, highest = min(lowest, value), max(highest, value)
    return lowest == 0 and highest < end


def integers(name: str, values: Numbers) -> np.ndarray:
    """Return `values` as an (N,) array of some integer type; TypeError or ValueError if that is not so."""
    values = np.asarray(values)
    if values.shape == (0,):
        values = values.astype(np.int32)  # an empty list has no dtype to speak of
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name}: dtype {values.dtype}, expected integers")
    if values.ndim != 1:
        raise ValueError(f"{name}: shape {values.shape}, expected one axis")
    return values
