"""Hitting a size: the largest file that is not above a target, over the values of a setting.

The size of a file grows from a setting's coarsest value to its finest, roughly exponentially. So the next
value to try is where a straight line through what is known, in the logarithm of the size, meets the target;
never outside of the bracket, which shrinks with every trial.
"""

import math
from collections.abc import Callable

from codec_lib.setting import QUALITY, Setting

CLOSE, AIM = 0.995, 0.9975  # of the target: near enough, and what is tried


def largest_within(make: Callable[[float], bytes], target: int, setting: Setting = QUALITY) -> bytes:
    """The largest file found that is not longer than `target` bytes.

    `make` writes the file of a value of the setting. At most one step of it, or half a percent of the
    target, is left unused, wherever sizes grow along the setting.

    Raises:
        ValueError: not even the coarsest value gives such a small file.

    >>> len(largest_within(lambda quality: bytes(int(100 * 2**quality)), target=3000))
    2990
    """
    best = make(setting.at(0))
    if len(best) > target:
        raise ValueError(f"target: {target} bytes; the smallest file has {len(best)}")
    top = make(setting.at(setting.last))
    if len(top) <= target:
        return top
    below, above = (0, len(best)), (setting.last, len(top))
    straight = True
    while above[0] - below[0] > 1 and len(best) < CLOSE * target:
        middle = _on_the_line(below, above, AIM * target) if straight else (below[0] + above[0]) / 2
        position = min(max(round(middle), below[0] + 1), above[0] - 1)
        file = make(setting.at(position))
        width = above[0] - below[0]
        if len(file) <= target:
            below, best = (position, len(file)), max(best, file, key=len)
        else:
            above = (position, len(file))
        straight = above[0] - below[0] <= width / 2 + 1  # else bisect: one end does not move
    return best


def _on_the_line(below: tuple[int, int], above: tuple[int, int], size: float) -> float:
    """The position where the line through both points, in log size, reaches `size`."""
    (low, small), (high, large) = below, above
    share = (math.log(size) - math.log(small)) / max(math.log(large) - math.log(small), 1e-9)
    return low + share * (high - low)
