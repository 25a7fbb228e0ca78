"""The parts of a drawing of a codec: the encoder goes down the left side, the decoder up the right one.

    Tensor("$y$", "256 × H/16 × W/16")         what flows; $...$ is a formula, with _ for an index
    Box("$g_a$", [Line("conv 5×5 ↓2", "64")])  layers, and how many channels they give
    Step("× $m$")                              what happens on an arrow
    Level(down, Coder("Q, AE", "y", "AD"), up)

A level is a loop through the file: down to a coder, through a section, and up again. What chooses the
coder's probabilities lies below it: a `prior`, and the next level, whose own section is decoded first.
`codec_lib.viz.diagram` draws them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LINE, PAD = 15, 7  # heights in a drawing: of a line of text, above and below it in a box


@dataclass(frozen=True)
class Line:
    """One line of a box.

    Attributes:
        text: what is done.
        channels: how many come out, in words; stands at the right end.
        outputs: channels of each convolution that the line stands for, in the order of the modules.
    """

    text: str
    channels: str = ""
    outputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tensor:
    """What flows between boxes: its letter and its shape."""

    letter: str
    shape: str = ""
    of: tuple[str, ...] = ()

    height = 24


@dataclass(frozen=True)
class Step:
    """What happens on an arrow; `of` names the modules that it stands for."""

    text: str
    of: tuple[str, ...] = ()

    height = 15


@dataclass(frozen=True)
class Box:
    """Layers with a name; `decides` is a key of `COLOURS`, `of` names the modules that it stands for."""

    title: str
    lines: Sequence[Line] = ()
    decides: str = "pixels"
    of: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        return LINE * (1 + len(self.lines)) + PAD


Node = Tensor | Step | Box


@dataclass(frozen=True)
class Coder:
    """What writes a section, the section's name, what reads it; `|` begins a new line."""

    before: str
    file: str
    after: str

    @property
    def height(self) -> int:
        return LINE * max(len(text.split("|")) for text in (self.before, self.after)) + 2 * PAD


@dataclass(frozen=True)
class Level:
    """One way through the file.

    Attributes:
        down, up: the columns in the order of the data, so that `up` begins at the bottom.
        prior: what chooses probabilities.
        feeds: what the next level hands to this one.
        branch: the place in `down` from which the next level gets its input.
        sees: what the prior sees of the decoded; empty if nothing.
        is_loop: whether the end of `up` is an input of the beginning of `down`.
    """

    down: Sequence[Node]
    coder: Coder
    up: Sequence[Node]
    prior: Box | None = None
    feeds: str = ""
    branch: int = -1
    sees: str = ""
    is_loop: bool = False

    def nodes(self) -> Iterator[Node]:
        """All parts."""
        yield from (*self.down, *([self.prior] if self.prior else ()), *self.up)


def size(channels: int, divisor: int) -> str:
    """The shape of a tensor whose sides are so many times smaller than those of the picture.

    >>> size(256, 16)
    '256 × H/16 × W/16'
    """
    return f"{channels} × H/{divisor} × W/{divisor}"
