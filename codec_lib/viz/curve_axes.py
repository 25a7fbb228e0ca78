"""Where the points of curves lie in a drawing: axes of the rate, axes of quality, their ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codec_lib.measure.curves import Curve, Point

WIDTH, HEIGHT = 640, 460
LEFT, RIGHT, TOP, BOTTOM = 62, 626, 38, 398  # of the plot inside the drawing
PAPER = 0.03  # of an axis, left free at its ends


@dataclass(frozen=True)
class Measure:
    """A measure of quality: its label on the axis, what is plotted of it, how it is said."""

    label: str
    plotted: Callable[[float], float]
    said: str


MEASURES = {
    "psnr": Measure("PSNR (dB)", float, "PSNR {:.2f} dB"),
    # Values crowd below 1.
    "ms_ssim": Measure("MS-SSIM (dB)", lambda share: -10 * math.log10(1 - share), "MS-SSIM {:.4f}"),
    "ssimulacra2": Measure("SSIMULACRA2", float, "SSIMULACRA2 {:.1f}"),
}


@dataclass(frozen=True)
class Axis:
    """A line from one value to another on a stretch of the drawing."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, is_log: bool = False) -> Axis:
        """An axis that holds all values and a little more."""
        scale = math.log if is_log else float
        low, high = scale(min(values)), scale(max(values))
        free = PAPER * (high - low or 1.0)
        back = math.exp if is_log else float
        return cls(back(low - free), back(high + free), start, end, is_log)

    def at(self, value: float) -> float:
        """Where a value lies."""
        scale = math.log if self.is_log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values on the axis: 1, 2, and 5 times powers of ten, or steps of one of these."""
        if self.is_log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [first * 10.0**power for power in powers for first in (1, 2, 5)]
        else:
            rough = (self.high - self.low) / 6
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(first * power for first in (1, 2, 5, 10) if first * power >= rough)
            first, last = math.ceil(self.low / step), math.floor(self.high / step)
            values = [step * count for count in range(first, last + 1)]
        return [value for value in values if self.low <= value <= self.high]


class Drawing:
    """Where everything lies: two axes of the rate, an axis for each measure that the shown curves have."""

    def __init__(self, curves: Sequence[Curve], shown: Sequence[str]) -> None:
        names = [curve.name for curve in curves]
        if missing := [name for name in shown if name not in names]:
            raise ValueError(f"shown: {missing[0]!r}; there are {', '.join(names)}")
        first = [point for curve in curves if curve.name in shown for point in curve.points]
        self.measures = [key for key in MEASURES if first and all(key in point.figures for point in first)]
        if not self.measures:
            raise ValueError(f"shown: {list(shown)} have no measure in common")
        points = [point for curve in curves for point in curve.points]
        rates = [point.figures["bpp"] for point in points]
        self.rates = {
            "log": Axis.over(rates, LEFT, RIGHT, is_log=True),
            "linear": Axis.over([0.0, *rates], LEFT, RIGHT),
        }
        self.qualities = {
            key: Axis.over([plotted(key, p) for p in points if key in p.figures], BOTTOM, TOP)
            for key in self.measures
        }

    def x(self, axis: str, point: Point) -> float:
        return self.rates[axis].at(point.figures["bpp"])

    def y(self, key: str, point: Point) -> float:
        return self.qualities[key].at(plotted(key, point))


def plotted(key: str, point: Point) -> float:
    """What is drawn of a point's quality."""
    return MEASURES[key].plotted(point.figures[key])
