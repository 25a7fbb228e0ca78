"""The one number that an encoder is asked for and that a file records.

A quality, a bound on the error, a number of iterations: whatever a codec calls it, files grow along it from
`coarsest` to `finest`. That is all that searching for a size, drawing a curve and checking a command line
need to know.

>>> QUALITY.check(None), QUALITY.check(3.3), TAU.check(2)
(4.0, 3.30078125, 2)
>>> TAU.check(1.5)
Traceback (most recent call last):
ValueError: tau: 1.5; allowed is 0 to 20 in steps of 1
"""

from dataclasses import dataclass

from codec_lib.errors import is_number, shown


@dataclass(frozen=True)
class Setting:
    """A range of values in steps; files are smallest at `coarsest` and largest at `finest`.

    Values are multiples of 1/256, 0 or more and below 256: that is how a file keeps them (`header.py`).
    """

    name: str
    coarsest: float
    finest: float
    default: float
    step: float

    def check(self, value: float | None) -> float:
        """The value in whole steps, or the default for None.

        Where a step is a fraction, the nearest one counts; where it is a whole number, nothing between
        two of them is allowed. Raises ValueError, which names the range.
        """
        if value is None:
            value = self.default
        low, high = sorted((self.coarsest, self.finest))
        whole = self.step == round(self.step)
        if not is_number(value) or not low <= value <= high or (whole and value % self.step):
            steps = f" in steps of {self.step:g}" if whole else ""
            raise ValueError(f"{self.name}: {shown(value)}; allowed is {low:g} to {high:g}{steps}")
        value = round(float(value) / self.step) * self.step
        return int(value) if whole else value

    def at(self, position: int) -> float:
        """The value that is so many steps from the coarsest one.

        >>> QUALITY.at(256), TAU.at(1)
        (2.0, 19)
        """
        step = self.step if self.finest > self.coarsest else -self.step
        return self.check(self.coarsest + position * step)

    @property
    def last(self) -> int:
        """The position of the finest value; there are `last` + 1 values."""
        return round(abs(self.finest - self.coarsest) / self.step)

    def spread(self, count: int = 8) -> list[float]:
        """Values for a curve, coarsest first: `count` of them as evenly spaced as steps allow.

        >>> QUALITY.spread(), TAU.spread(5)
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [20, 15, 10, 5, 0])
        """
        count = min(count, self.last + 1)
        return [self.at(round(k * self.last / max(count - 1, 1))) for k in range(count)]


QUALITY = Setting("quality", coarsest=1.0, finest=8.0, default=4.0, step=1 / 256)
TAU = Setting("tau", coarsest=20, finest=0, default=0, step=1)
