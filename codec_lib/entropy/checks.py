"""What every coder asks of its arguments: integers, one axis, values that have a meaning."""

import numpy as np

INT32 = np.iinfo(np.int32)


def check_indexes(indexes, tables) -> np.ndarray:
    """Return `indexes` as a contiguous (N,) array of uint8, uint16 or int32, each a row.

    Raises:
        TypeError: not integers.
        ValueError: not one axis, or an index that no row has; the message names it.
    """
    indexes = _integers("indexes", indexes)
    lowest = indexes.min(initial=0) if indexes.dtype.kind == "i" else 0
    if not 0 <= lowest <= indexes.max(initial=0) < len(tables):
        i = int(((indexes < 0) | (indexes >= len(tables))).argmax())
        raise ValueError(f"indexes[{i}] = {indexes[i]}, expected 0 to {len(tables) - 1}")
    if indexes.dtype not in (np.uint8, np.uint16, np.int32):
        indexes = indexes.astype(np.int32)
    return np.ascontiguousarray(indexes)


def check_symbols(symbols, indexes: np.ndarray) -> np.ndarray:
    """Return `symbols` as a contiguous int32 (N,) array, one for each index.

    Raises:
        TypeError: not integers.
        ValueError: another shape than `indexes`, or a value outside of int32.
    """
    symbols = _integers("symbols", symbols)
    if symbols.shape != indexes.shape:
        raise ValueError(f"symbols: shape {symbols.shape}, expected {indexes.shape} as indexes")
    if symbols.dtype != np.int32:
        wrong = (symbols < INT32.min) | (symbols > INT32.max)
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(f"symbols[{i}] = {symbols[i]}, expected {INT32.min} to {INT32.max}")
        symbols = symbols.astype(np.int32)
    return np.ascontiguousarray(symbols)


def _integers(name: str, values) -> np.ndarray:
    values = np.asarray(values)
    if values.shape == (0,):
        values = values.astype(np.int32)  # an empty list has no dtype to speak of
    if values.dtype.kind not in "iu":
        raise TypeError(f"{name}: dtype {values.dtype}, expected integers")
    if values.ndim != 1:
        raise ValueError(f"{name}: shape {values.shape}, expected one axis")
    return values
