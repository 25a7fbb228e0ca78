"""Drawings of codecs, in one visual language: the encoder down the left side, the decoder up the right one.

    Diagram("hyperprior", "A caption.", levels)

What is drawn are the parts of `codec_lib.viz.diagrams`; `codec_lib.viz.architecture` gets them from a
model. Colours say what a part decides: pixels, probabilities, bits. Text and lines have the colour of the
page, so light and dark pages look alike; nothing is smaller than a phone can show.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from codec_lib.viz.diagrams.parts import LINE, PAD, Box, Coder, Level, Node, Step, Tensor
from codec_lib.viz.formulas import plain, words, written

WIDTH = 350  # of a drawing, about that of a phone's column: a unit is a pixel there
LEFT, RIGHT, COLUMN = 16, 182, 152  # where the columns begin, and how wide they are
DOWN, UP = 67, 283  # where arrows run
CODER = 102  # width of what stands before and behind the file
EDGE = 7  # from the drawing's border to the lines that pass a column
GAP = 16  # height of an arrow
COLOURS = {"pixels": "#2b7cc0", "probabilities": "#c4540a", "bits": "#0b8f6a"}
STYLE = """
.architecture { max-width: 470px; margin: 1em auto; color: inherit; }
.architecture svg { display: block; width: 100%; height: auto; color: inherit; }
.architecture text { font: 11.5px sans-serif; fill: currentColor; }
.architecture .head { font-weight: 600; }
.architecture .math { font: italic 13px serif; }
.architecture .index { font-size: 9.5px; }
.architecture .arrow { fill: none; stroke: currentColor; stroke-width: 1.2; }
.architecture .tip { fill: currentColor; }
.architecture .side { fill: currentColor; fill-opacity: 0.05; }
.architecture .tensor { fill: currentColor; fill-opacity: 0.07; stroke: currentColor; stroke-opacity: 0.5; }
.architecture .box { fill-opacity: 0.15; stroke-width: 1.3; }
.architecture figcaption { font-size: 0.88em; line-height: 1.45; margin-top: 0.4em; }
.architecture i.key { display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; }
"""


@dataclass
class Diagram:
    """A drawing of a codec: displays itself as SVG, prints itself as words.

    Attributes:
        name: of the codec.
        caption: what the drawing shows, in a sentence or two.
        levels: from the picture to the section that is decoded first.
    """

    name: str
    caption: str
    levels: Sequence[Level]
    _shapes: list[str] = field(default_factory=list, init=False, repr=False)

    def __repr__(self) -> str:
        parts = []
        for level in self.levels:
            coder = level.coder
            sent = f"{plain(coder.before)} → file: {plain(coder.file)}"
            parts.append(f"encoder: {_said(level.down)} → {sent}")
            prior = f", given {_said([level.prior])}" if level.prior else ""
            parts.append(f"decoder: {plain(coder.after)}{prior} → {_said(level.up)}")
        return f"{self.name}. " + "; ".join(parts)

    def _repr_html_(self) -> str:
        nodes = [node for level in self.levels for node in level.nodes()]
        decided = {"bits", *(node.decides for node in nodes if isinstance(node, Box))}
        keys = "; ".join(
            f'<i class="key" style="background:{COLOURS[key]}"></i> {key}'
            for key in COLOURS
            if key in decided
        )
        return (
            f'<figure class="architecture"><style>{STYLE}</style>{self.svg()}'
            f"<figcaption>{words(self.caption)} What parts decide: {keys}.</figcaption></figure>"
        )

    def svg(self) -> str:
        """The drawing without its caption."""
        self._shapes = []
        bottom = self._draw()
        side = f'<rect class="side" x="175" y="0" width="175" height="{bottom}" rx="6"/>'
        heads = [written(x, 15, head, "head", "middle") for x, head in ((DOWN, "encoder"), (UP, "decoder"))]
        return (
            f'<svg viewBox="0 0 {WIDTH} {bottom}" role="img" aria-label="{html.escape(repr(self))}">'
            f"{side}{''.join(heads)}{''.join(self._shapes)}</svg>"
        )

    def _draw(self) -> int:
        """Draw all levels, one below the other; the height of it all."""
        y, branch = 24, None  # branch: the height at which the next level's input leaves the left column
        wanted: list[tuple[int, int]] = []  # ends of arrows that the next level's output goes to
        for number, level in enumerate(self.levels):
            height = max(_height(level.down), _height(level.up))
            if number:
                y += GAP + LINE
            down = self._column(level.down, LEFT, y, height, is_first=not number)
            up = self._column([*reversed(level.up)], RIGHT, y, height, is_first=not number)
            if wanted:
                self._fork(up[0], wanted, self.levels[number - 1].feeds)
            if branch is not None:
                middle = down[0] + level.down[0].height // 2
                self._arrow([(LEFT, branch), (EDGE, branch), (EDGE, middle), (LEFT, middle)])
            if level.is_loop:
                self._arrow([(RIGHT, y + 12), (LEFT + COLUMN, y + 12)])
            branch = down[level.branch] + level.down[level.branch].height // 2
            y += height
            self._arrow([(DOWN, y), (DOWN, y + GAP)])
            self._line(UP, y + GAP, y, has_tip=not isinstance(level.up[0], Step))
            y += GAP
            middle = self._coder(level.coder, y)
            y += level.coder.height
            wanted = [(DOWN, y), (UP, y)]
            if level.prior:
                y += GAP
                for x in (DOWN, UP):
                    self._arrow([(x, y), (x, y - GAP)])
                self._box(level.prior, LEFT, y, WIDTH - 2 * LEFT)
                if level.sees:
                    end = y + level.prior.height // 2
                    right, far = WIDTH - LEFT, WIDTH - EDGE
                    self._arrow([(right, middle), (far, middle), (far, end), (right, end)])
                    self._shapes.append(written(far - 4, y - 4, level.sees, anchor="end"))
                y += level.prior.height
                wanted = [(UP, y)]
        return y + PAD

    def _column(self, nodes: Sequence[Node], x: int, y: int, height: int, is_first: bool) -> list[int]:
        """Draw nodes from top to bottom with arrows between them; where each begins."""
        rest, tops = height - _height(nodes), []
        is_down = x == LEFT
        if not is_first and not is_down:
            y, rest = y + rest, 0
        for k, node in enumerate(nodes):
            tops.append(y)
            match node:
                case Box():
                    self._box(node if is_down else replace(node, lines=node.lines[::-1]), x, y, COLUMN)
                case Tensor():
                    self._tensor(node, x, y)
                case Step():
                    at = DOWN if is_down else UP
                    self._shapes.append(f'<path class="arrow" d="M{at} {y}V{y + LINE}"/>')
                    where = (at + 6, "start") if is_down else (at - 6, "end")
                    self._shapes.append(written(where[0], y + 11, node.text, anchor=where[1]))
            y += node.height
            extra = rest if (k == 0 and is_first) or (k == len(nodes) - 1) else 0
            rest -= extra
            gap = extra + (_gap(node, nodes[k + 1]) if k < len(nodes) - 1 else 0)
            if gap and is_down:
                self._line(
                    DOWN, y, y + gap, has_tip=k < len(nodes) - 1 and not isinstance(nodes[k + 1], Step)
                )
            elif gap:
                self._line(UP, y + gap, y, has_tip=not isinstance(node, Step))
            y += gap
        return tops

    def _fork(self, start: int, ends: list[tuple[int, int]], label: str) -> None:
        """From the top of the right column to all ends above it, which are at one height."""
        middle = start - LINE + 2
        for x, y in ends:
            self._arrow(
                [(UP, start), (UP, middle), (x, middle), (x, y)] if x != UP else [(UP, start), (UP, y)]
            )
        self._shapes.append(written(UP - 8, middle - 4, label, anchor="end"))

    def _coder(self, coder: Coder, y: int) -> int:
        """The way through the file; the height of its middle."""
        height = coder.height
        middle, right = y + height // 2, WIDTH - LEFT - CODER
        for x, text in ((LEFT, coder.before), (right, coder.after)):
            self._rectangle(x, y, CODER, height, "bits")
            lines = text.split("|")
            for k, line in enumerate(lines):
                at = middle + 4 + LINE * k - LINE * (len(lines) - 1) / 2
                self._shapes.append(written(x + CODER / 2, at, line, anchor="middle"))
        start, end = LEFT + CODER + GAP - 4, right - GAP + 4
        self._shapes.append(
            f'<rect class="box" x="{start}" y="{y}" width="{end - start}" height="{height}" rx="12" '
            f'fill="{COLOURS["bits"]}" stroke="{COLOURS["bits"]}" stroke-dasharray="4 3"/>'
        )
        self._shapes.append(written((start + end) / 2, middle + 4, f"file: {coder.file}", "head", "middle"))
        self._arrow([(LEFT + CODER, middle), (start, middle)])
        self._arrow([(end, middle), (right, middle)])
        return middle

    def _box(self, box: Box, x: int, y: int, width: int) -> None:
        self._rectangle(x, y, width, box.height, box.decides)
        self._shapes.append(written(x + 7, y + LINE, box.title, "head"))
        for k, line in enumerate(box.lines, start=2):
            self._shapes.append(written(x + 7, y + LINE * k, line.text))
            self._shapes.append(written(x + width - 7, y + LINE * k, line.channels, anchor="end"))

    def _rectangle(self, x: int, y: int, width: int, height: int, decides: str) -> None:
        self._shapes.append(
            f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="3" '
            f'fill="{COLOURS[decides]}" stroke="{COLOURS[decides]}"/>'
        )

    def _tensor(self, tensor: Tensor, x: int, y: int) -> None:
        height = tensor.height
        self._shapes.append(
            f'<rect class="tensor" x="{x}" y="{y}" width="{COLUMN}" height="{height}" rx="{height // 2}"/>'
        )
        text = f"{tensor.letter}\N{EN SPACE}{tensor.shape}".strip()
        self._shapes.append(written(x + COLUMN / 2, y + height - 8, text, anchor="middle"))

    def _line(self, x: int, start: int, end: int, has_tip: bool) -> None:
        if has_tip:
            return self._arrow([(x, start), (x, end)])
        self._shapes.append(f'<path class="arrow" d="M{x} {start}V{end}"/>')

    def _arrow(self, places: Sequence[tuple[int, int]]) -> None:
        """A line through some places, with a tip at the last one."""
        (x0, y0), (x, y) = places[-2:]
        across, along = (x > x0) - (x < x0), (y > y0) - (y < y0)
        back = x - 5 * across, y - 5 * along
        wings = [(back[0] + side * 3.2 * along, back[1] + side * 3.2 * across) for side in (1, -1)]
        line = "L".join(f"{a} {b}" for a, b in (*places[:-1], back))
        tip = "L".join(f"{a:g} {b:g}" for a, b in (wings[0], (x, y), wings[1]))
        self._shapes.append(f'<path class="arrow" d="M{line}"/><path class="tip" d="M{tip}Z"/>')


def _height(nodes: Sequence[Node]) -> int:
    """Of a column with its arrows."""
    gaps = [_gap(above, below) for above, below in pairwise(nodes)]
    return sum(node.height for node in nodes) + sum(gaps)


def _gap(above: Node, below: Node) -> int:
    """Height of the arrow between two nodes; beside a step only its tip is missing."""
    return GAP // 2 if isinstance(above, Step) or isinstance(below, Step) else GAP


def _said(nodes: Sequence[Node | None]) -> str:
    """Nodes in words."""
    said = []
    for node in nodes:
        match node:
            case Tensor():
                said.append(f"{node.letter} {node.shape}".strip())
            case Step():
                said.append(node.text)
            case Box():
                lines = [f"{line.text} {line.channels}".strip() for line in node.lines]
                said.append(f"{node.title} ({'; '.join(lines)})" if lines else node.title)
    return " → ".join(map(plain, said))
