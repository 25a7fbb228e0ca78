"""Text with short formulas, as drawings have it: $ŷ = g_a(x)$ in HTML, in SVG, and in plain words.

A formula stands between dollar signs; `_` lowers a letter, or what stands in braces behind it.
"""

import html
import re
from collections.abc import Iterator


def plain(text: str) -> str:
    """Words without the marks of formulas and of new lines; a bar of a formula stays."""
    pieces = [
        re.sub("[{}]", "", part) if k % 2 else re.sub(r",?\|", ", ", part)
        for k, part in enumerate(text.split("$"))
    ]
    return "".join(pieces)


def _chunks(text: str) -> Iterator[tuple[str, bool, bool]]:
    """Pieces of a text, and of each whether it is of a formula, and whether it is an index there."""
    for k, part in enumerate(text.split("$")):
        pieces = re.split(r"_(?:\{([^}]*)\}|(\w))", part) if k % 2 else [part]
        for n, piece in enumerate(pieces):
            if piece:
                yield html.escape(piece), bool(k % 2), n % 3 > 0


def words(text: str) -> str:
    """Text as HTML: formulas slanted, indices lowered."""
    return "".join(
        f"<em><sub>{piece}</sub></em>" if is_index else f"<em>{piece}</em>" if is_formula else piece
        for piece, is_formula, is_index in _chunks(text)
    )


def written(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    """The same as a text element of SVG, at (x, y)."""
    spans, is_low = [], False
    for piece, is_formula, is_index in _chunks(text):
        kinds = " ".join(["math"] * is_formula + ["index"] * is_index)
        shift = f' dy="{3 if is_index else -3}"' if is_index != is_low else ""
        spans.append(f'<tspan class="{kinds}"{shift}>{piece}</tspan>' if kinds or shift else piece)
        is_low = is_index
    style = f' class="{kind}"' if kind else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{style}>{"".join(spans)}</text>' if spans else ""
    )
