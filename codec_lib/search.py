"""Hitting a size: the largest file that is not above a target, over a continuous quality.

The size of a file grows with quality, about exponentially. So the next quality to try is where a straight
line through what is known, in the logarithm of the size, meets the target; never outside of the
bracket, which shrinks with every trial.
"""

import math
from collections.abc import Callable

FINEST = 1 / 256  # a file's header keeps quality in these steps
CLOSE, AIM = 0.995, 0.9975  # of the target: near enough, and what is tried
LOWEST, HIGHEST = 1.0, 8.0


def largest_within(make: Callable[[float], bytes], target: int) -> bytes:
    """The file of the best quality found that is not longer than `target` bytes.

    `make` writes the file of a quality in [1, 8]. At most one step of quality, or half a percent of the
    target, is left unused, wherever sizes grow with quality.

    Raises:
        ValueError: not even the lowest quality is that small.

    >>> len(largest_within(lambda quality: bytes(int(100 * 2**quality)), target=3000))
    2990
    """
    best = make(LOWEST)
    if len(best) > target:
        raise ValueError(f"target: {target} bytes; the smallest file has {len(best)}")
    top = make(HIGHEST)
    if len(top) <= target:
        return top
    below, above = (LOWEST, len(best)), (HIGHEST, len(top))
    straight = True
    while above[0] - below[0] > FINEST and len(best) < CLOSE * target:
        quality = _on_the_line(below, above, AIM * target) if straight else (below[0] + above[0]) / 2
        quality = round(quality / FINEST) * FINEST
        quality = min(max(quality, below[0] + FINEST), above[0] - FINEST)
        if not below[0] < quality < above[0]:
            break
        file = make(quality)
        width = above[0] - below[0]
        if len(file) <= target:
            below, best = (quality, len(file)), max(best, file, key=len)
        else:
            above = (quality, len(file))
        straight = above[0] - below[0] <= width / 2 + FINEST  # else bisect: one end does not move
    return best


def _on_the_line(below: tuple[float, int], above: tuple[float, int], size: float) -> float:
    """The quality where the line through both points, in log size, reaches `size`."""
    (low, small), (high, large) = below, above
    share = (math.log(size) - math.log(small)) / max(math.log(large) - math.log(small), 1e-9)
    return low + share * (high - low)
