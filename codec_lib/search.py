r"""Hitting a size: the largest file that is not above a target, and a set of files within a budget.

The size of a file grows from a setting's coarsest value to its finest, roughly exponentially. So the next
value to try is where a straight line through what is known, in the logarithm of the size, meets the target;
never outside of the bracket, which shrinks with every trial.

For a set of pictures the question is which of them get the bytes. With a price for a byte each picture can
answer alone: it takes the point of least error + price bytes. Lower the price, and pictures step up along
their convex hulls, where a byte buys most first. What the budget still holds then goes to single changes,
the best that fit. Where pictures have the same settings, one for all is tried, too: near its budget it may
be ahead. Small sets are solved exactly instead.

Source of the price: Everett, "Generalized Lagrange multiplier method", Operations Research 1963; Shoham and
Gersho, IEEE Transactions on Acoustics, Speech, and Signal Processing 1988.
"""

import math
from collections.abc import Callable, Sequence

from codec_lib.progress import Stop
from codec_lib.setting import QUALITY, Setting

EXACT = 1 << 14  # combinations up to which all that matter are tried
CLOSE, AIM = 0.995, 0.9975  # of the target: near enough, and what is tried


def largest_within(
    make: Callable[[float], bytes], target: float, setting: Setting = QUALITY, stop: Stop | None = None
) -> bytes:
    """The largest file found that is not longer than `target` bytes.

    `make` writes the file of a value of the setting. At most one step of it, or half a percent of the
    target, is left unused, wherever sizes grow along the setting. Once `stop` is asked for, the file that
    is being made counts only if it is the first.

    Raises:
        ValueError: not even the coarsest value gives such a small file.
        KeyboardInterrupt: `stop` was asked for before any file was small enough.

    >>> len(largest_within(lambda quality: bytes(int(100 * 2**quality)), target=3000))
    2990
    """
    stop = stop or Stop()
    best = make(setting.at(0))
    if stop.is_asked:
        return _within(best, target)
    if len(best) > target:
        raise ValueError(f"target: {target:.10g} bytes; the smallest file has {len(best)}")
    top = make(setting.at(setting.last))
    if len(top) <= target and not stop.is_asked:
        return top
    below, above = (0, len(best)), (setting.last, len(top))
    straight = True
    while above[0] - below[0] > 1 and len(best) < CLOSE * target and not stop.is_asked:
        middle = _on_the_line(below, above, AIM * target) if straight else (below[0] + above[0]) / 2
        position = min(max(round(middle), below[0] + 1), above[0] - 1)
        file = make(setting.at(position))
        if stop.is_asked:  # it was cut short, and may be worse than shorter ones
            break
        width = above[0] - below[0]
        if len(file) <= target:
            below, best = (position, len(file)), max(best, file, key=len)
        else:
            above = (position, len(file))
        straight = above[0] - below[0] <= width / 2 + 1  # else bisect: one end does not move
    return best


def _within(file: bytes, target: float) -> bytes:
    if len(file) > target:
        raise KeyboardInterrupt
    return file


Point = tuple[int, float]  # bytes and error


def allocate(points: Sequence[Sequence[Point]], budget: int) -> list[int]:
    """Which point each picture takes: all bytes within the budget, the sum of errors small.

    Args:
        points: of each picture, in any order, (bytes, error); errors of different pictures add up.
        budget: bytes for all of them.
    Returns:
        The place of the chosen point of each picture. Up to `EXACT` combinations, the sum is the least
        there is; else no single change within the budget lowers it, nor does the same place for all.
    Raises:
        ValueError: a picture without points, or not even the smallest ones fit.

    >>> allocate([[(10, 9.0), (20, 1.0)], [(10, 5.0), (20, 4.0)]], budget=30)
    [1, 0]
    """
    if empty := [k for k, own in enumerate(points) if not own]:
        raise ValueError(f"points: picture {empty[0]} has none")
    smallest = sum(min(size for size, _ in own) for own in points)
    if smallest > budget:
        raise ValueError(f"budget: {budget} bytes; the smallest files have {smallest}")
    if math.prod(map(len, points)) <= EXACT:
        return _best_of_all(points, budget)
    starts = [_on_the_hulls(points, budget), *_alike(points, budget)]
    return min(
        (_improved(points, start, budget) for start in starts), key=lambda chosen: _error(points, chosen)
    )


def _best_of_all(points: Sequence[Sequence[Point]], budget: int) -> list[int]:
    """Picture by picture, all sums of bytes and errors that no other sum beats in both."""
    front: list[tuple[int, float, list[int]]] = [(0, 0.0, [])]
    for own in points:
        sums = sorted(
            (size + more, error + added, [*chosen, k])
            for size, error, chosen in front
            for k, (more, added) in enumerate(own)
            if size + more <= budget
        )
        front, best = [], math.inf
        for size, error, chosen in sums:
            if error < best or not front:
                front.append((size, error, chosen))
                best = error
    return front[-1][2]


def _alike(points: Sequence[Sequence[Point]], budget: int) -> list[list[int]]:
    """The best choice of the same place for all pictures that fits, if there is one."""
    places = ([k] * len(points) for k in range(min(map(len, points))))
    fitting = [p for p in places if sum(own[p[0]][0] for own in points) <= budget]
    return sorted(fitting, key=lambda chosen: _error(points, chosen))[:1]


def _on_the_hulls(points: Sequence[Sequence[Point]], budget: int) -> list[int]:
    """From the smallest points up, along the convex hulls, steepest steps first, while they fit."""
    chosen, steps = [], []
    for picture, own in enumerate(points):
        at = min(range(len(own)), key=lambda k: own[k])
        chosen.append(at)
        while better := [k for k, (_, error) in enumerate(own) if error < own[at][1]]:
            slopes = [_slope(own[at], own[k]) for k in better]
            slope = max(slopes)
            to = better[slopes.index(slope)]
            steps.append((-slope, picture, to))
            at = to
    left = budget - sum(own[k][0] for own, k in zip(points, chosen, strict=True))
    stuck: set[int] = set()
    for _, picture, to in sorted(steps):  # slopes of one picture fall: its steps come in order
        more = points[picture][to][0] - points[picture][chosen[picture]][0]
        if more > left:
            stuck.add(picture)
        if picture in stuck:
            continue
        left -= more
        chosen[picture] = to
    return chosen


def _improved(points: Sequence[Sequence[Point]], chosen: list[int], budget: int) -> list[int]:
    """The same after single changes, each time that which lowers the error most, until none fits."""
    left = budget - sum(own[k][0] for own, k in zip(points, chosen, strict=True))
    while True:
        changes = [
            (own[k][1] - error, picture, to)
            for picture, (own, k) in enumerate(zip(points, chosen, strict=True))
            for to, (size, error) in enumerate(own)
            if error < own[k][1] and size - own[k][0] <= left
        ]
        if not changes:
            return chosen
        _, picture, to = max(changes)
        left -= points[picture][to][0] - points[picture][chosen[picture]][0]
        chosen[picture] = to


def _error(points: Sequence[Sequence[Point]], chosen: list[int]) -> float:
    """The sum of the errors of a choice."""
    return sum(own[k][1] for own, k in zip(points, chosen, strict=True))


def _slope(a: Point, b: Point) -> float:
    """Error that a byte takes away on the way from a to b; without limit where b is no larger."""
    return (a[1] - b[1]) / (b[0] - a[0]) if b[0] > a[0] else math.inf


def _on_the_line(below: tuple[int, int], above: tuple[int, int], size: float) -> float:
    """The position where the line through both points, in log size, reaches `size`."""
    (low, small), (high, large) = below, above
    share = (math.log(size) - math.log(small)) / max(math.log(large) - math.log(small), 1e-9)
    return low + share * (high - low)
