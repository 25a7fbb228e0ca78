r"""What parameters cost in a file, as a gradient that a fit adds to that of grids and error.

A file has the differences of the parameters from where the fit began, group by group, under a Laplace
density as wide as they are (`codec_lib.fitting.rounding`). In steps of s, a group of n differences d takes

    sum log2(2 b / s) + |d| / (b ln 2) bits,     b = mean |d|

whose derivative is sign(d) / (b ln 2): whoever stands out pays as much as anybody else, and a group that
hardly moves pays more for each move. The sign is softened where d is less than a step, and b never falls
below one: there a file sees no difference.
"""

import numpy as np

from codec_lib.fitting.parameters import COUNT, groups

STEP = 2.0**-9  # of a parameter in a file: about the middle of what groups take


def _numbers() -> np.ndarray:
    """The number of each parameter's group, (COUNT,)."""
    found = np.empty(COUNT, np.int64)
    for number, part in enumerate(groups().values()):
        found[part] = number
    return found


GROUP = _numbers()
MEMBERS = np.bincount(GROUP)


def gradient(differences: np.ndarray) -> np.ndarray:
    """Derivatives, in bits, of what differences (COUNT,) from the starting point take in a file.

    >>> moved = np.zeros(COUNT)
    >>> moved[:3] = -1, 0, 1
    >>> np.sign(gradient(moved)[:4]).tolist()
    [-1.0, 0.0, 1.0, 0.0]
    """
    width = np.bincount(GROUP, np.abs(differences)) / MEMBERS + STEP
    return np.tanh(differences / STEP) / (width[GROUP] * np.log(2))
