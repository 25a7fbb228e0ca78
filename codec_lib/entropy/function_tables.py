"""Functions such as exp as integer tables: made once, then saved with the weights and read back.

A float function differs in its last bit between machines, so an entry may be one off what is made here. All
else is refused: tables decide how symbols are read. A cumulative function has to stay monotone, too, or a
symbol would have a negative frequency.
"""

import numpy as np


def restored(
    expected: dict[str, np.ndarray], arrays: dict[str, np.ndarray], kind: type[np.integer], monotone: str
) -> list[np.ndarray]:
    """Saved tables as int64, in the order of those that are expected.

    Args:
        expected: the tables as they are made here, int64.
        arrays: those that were saved, of the type `kind`.
        monotone: the name of the one that must rise, or fall, as the expected one does.

    Raises:
        KeyError: one that is missing.
        ValueError: one of another function.
    """
    found = []
    for name, table in expected.items():
        given = arrays[name]
        is_same = (given.dtype, given.shape) == (np.dtype(kind), table.shape)
        if not is_same or np.abs(given.astype(np.int64) - table).max() > 1:
            raise ValueError(f"{name}: not the table of the function that it is named for")
        found.append(given.astype(np.int64))
        steps = np.diff(found[-1]) * np.sign(table[-1] - table[0])
        if name == monotone and (steps < 0).any():
            raise ValueError(f"{name}: rises and falls, a cumulative function does not")
    return found
