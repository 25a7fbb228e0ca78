"""A large map in windows, each with a margin: memory for one window only.

Networks with a memory keep maps of the size of the picture for as long as they run, so a horizontal band
through all layers does not help. Here a window runs through all iterations before the next one begins. Only
its core is kept; the margin lets the core see beyond its own border.

>>> [window.core for window in windows(5, 3, side=4, margin=1)]
[(slice(0, 4, None), slice(0, 3, None)), (slice(4, 5, None), slice(0, 3, None))]
>>> windows(5, 3, side=4, margin=1)[1].outer
(slice(3, 5, None), slice(0, 3, None))
"""

from dataclasses import dataclass
from itertools import product

from torch import Tensor


@dataclass(frozen=True)
class Window:
    """`core` and `outer`, core and margin, are rows and columns of the map."""

    core: tuple[slice, slice]
    outer: tuple[slice, slice]

    def of(self, whole: Tensor, factor: int = 1) -> Tensor:
        """Core and margin of a map (..., H, W) that is `factor` times as high and wide: a view."""
        return whole[..., scaled(self.outer[0], factor), scaled(self.outer[1], factor)]

    def put(self, whole: Tensor, part: Tensor, factor: int = 1) -> None:
        """Enter the core of a part, which has the size of `of`."""
        rows, columns = (
            slice(core.start - outer.start, core.stop - outer.start)
            for core, outer in zip(self.core, self.outer, strict=True)
        )
        inner = part[..., scaled(rows, factor), scaled(columns, factor)]
        whole[..., scaled(self.core[0], factor), scaled(self.core[1], factor)] = inner


def windows(height: int, width: int, side: int, margin: int) -> list[Window]:
    """Windows whose cores, of up to `side` rows and columns, cover (height, width) once."""
    spans = [
        [
            (
                slice(start, min(start + side, size)),
                slice(max(start - margin, 0), min(start + side + margin, size)),
            )
            for start in range(0, size, side)
        ]
        for size in (height, width)
    ]
    return [Window((a[0], b[0]), (a[1], b[1])) for a, b in product(*spans)]


def scaled(span: slice, factor: int) -> slice:
    """The same rows of a map that is `factor` times as high."""
    return slice(span.start * factor, span.stop * factor)
