"""Curves of rate and quality that a reader takes apart: one drawing, and what is behind each of its points.

    explore_curves(kodak_curves(), shown=["flagship", "jpeg", "avif"], at=lambda curve, point: ...)

Choose the measure, switch curves, tap a point: its figures stand below, with a picture of that setting. All
positions are computed here, for each measure and both axes of the rate, and written beside each point;
curves.js moves points and draws nothing. Without it the drawing stands as it is, the switches work, and a
table has every figure. Nothing is loaded but the pictures, when they are asked for.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from PIL import Image

from codec_lib.measure.curves import Curve, Point
from codec_lib.viz.curve_axes import BOTTOM, HEIGHT, LEFT, MEASURES, RIGHT, TOP, WIDTH, Drawing
from codec_lib.viz.tables import table
from codec_lib.viz.viewers import figure_of, levels_of

if TYPE_CHECKING:
    from IPython.display import HTML

# Dark enough for white paper and light enough for a dark page; dashes and markers differ as well.
COLOURS = ("#c4540a", "#2b7cc0", "#0b8f6a", "#b45c95", "#94750a", "#7d6fd0", "#7c7c7c")
DASHES = ("none", "9 4", "3 4", "12 3 3 3")
MARKERS = (
    "M-5-5H5V5H-5Z",
    "M0-6L6 5H-6Z",
    "M0-7L6 0L0 7L-6 0Z",
    "M5.5 0A5.5 5.5 0 1 1-5.5 0A5.5 5.5 0 1 1 5.5 0Z",
    "M0 6L6-5H-6Z",
)
NOT_SEEN = ' style="display: none"'
Pictures = Mapping[tuple[str, float], tuple[str, str]]  # (curve, setting) -> (address, words)


def explore_curves(
    curves: Sequence[Curve],
    shown: Sequence[str],
    at: Callable[[Curve, Point], tuple[Any, str] | None] | None = None,
    keep: Callable[[str, bytes], str] | None = None,
) -> HTML:
    """Return a drawing of curves that a reader can take apart.

    Args:
        curves: as from `codec_lib.measure.curves.kodak_curves`.
        shown: names of the curves that are switched on at first; the first is the one that is looked at,
            beside the second at about the same rate. The measures are those that all of their points have.
        at: gives a picture (PIL, or uint8 (H, W, 3)) of a setting and words about it, or None.
        keep: stores such a picture, a WebP file, under a name and gives its address; without it the
            pictures are part of what is returned.

    Raises:
        ValueError: a name that is no curve's, or no measure that all shown curves have.
    """
    ordered = sorted(
        curves, key=lambda curve: shown.index(curve.name) if curve.name in shown else len(shown)
    )
    drawing = Drawing(ordered, shown)
    pictures = _pictures(ordered, at, keep or _inside) if at else {}
    looked_at = _first_look(ordered[: len(shown)])
    body = _svg(drawing, ordered, pictures, looked_at[0])
    name = f"curves-{hashlib.sha256((body + repr(list(shown))).encode()).hexdigest()[:12]}"
    folder = files("codec_lib.viz")
    style, script = ((folder / f"curves.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    off = "".join(
        f'#{name}:has([data-switch="{index}"]:not(:checked)) [data-curve="{index}"]{{display:none}}'
        for index in range(len(ordered))
    )
    return figure_of(
        f'<style>{style}{off}</style><figure id="{name}" class="curve-explorer">{_choices(drawing)}{body}'
        f"{_slots(looked_at, pictures)}{_switches(ordered, shown)}{_details(ordered)}</figure>"
        f"<script>{script}</script>"
    )


def said(curve: Curve, point: Point) -> str:
    """A point in words: codec, setting, rate, length of the file, every measure."""
    name = f"{curve.label}, {point.setting}" if point.setting else curve.label
    measures = [MEASURES[key].said.format(point.figures[key]) for key in MEASURES if key in point.figures]
    rate = f"{point.figures['bpp']:.3f} bits per pixel"
    if "bytes" in point.figures:
        rate = f"{point.figures['bytes']:,.0f} bytes, {rate}"
    return f"{name}: {rate}; {', '.join(measures)}"


def _pictures(curves: Sequence[Curve], at: Callable, keep: Callable[[str, bytes], str]) -> Pictures:
    """For each point that `at` has a picture of its address and words."""
    found: dict[tuple[str, float], tuple[str, str]] = {}
    for curve in curves:
        for point in curve.points:
            if point.value is None or (given := at(curve, point)) is None:
                continue
            picture, words = given
            buffer = io.BytesIO()
            Image.fromarray(levels_of(picture)).save(buffer, "WEBP", quality=85, method=6)
            address = keep(f"{curve.name}-{point.value:g}.webp", buffer.getvalue())
            found[curve.name, point.value] = address, words
    return found


def _inside(name: str, picture: bytes) -> str:
    """A picture as a part of the page."""
    return "data:image/webp;base64," + base64.b64encode(picture).decode()


def _svg(drawing: Drawing, curves: Sequence[Curve], pictures: Pictures, chosen: tuple[Curve, Point]) -> str:
    """The drawing as it stands without a script: the first measure over the logarithm of the rate."""
    measure, axis = drawing.measures[0], "log"
    words = (
        f"{MEASURES[measure].label} over bits per pixel of {len(curves)} codecs; the table has all figures"
    )
    parts = [_rate_axis(drawing, name, name == axis) for name in drawing.rates]
    parts += [_quality_axis(drawing, key, key == measure) for key in drawing.measures]
    for index, curve in enumerate(curves):
        colour, dash, marker = _look(index)
        placed = [point for point in curve.points if measure in point.figures]
        line = " ".join(f"{drawing.x(axis, p):.1f},{drawing.y(measure, p):.1f}" for p in placed)
        parts.append(
            f'<g class="curve" data-curve="{index}" fill="{colour}">'
            f'<polyline class="line" stroke="{colour}" stroke-dasharray="{dash}" points="{line}"/>'
        )
        for point in curve.points:
            places = {name: drawing.x(name, point) for name in drawing.rates}
            places |= {k: drawing.y(k, point) for k in drawing.measures if k in point.figures}
            data = "".join(f' data-{name}="{place:.1f}"' for name, place in places.items())
            source, about = map(html.escape, _picture(pictures, curve, point))
            data += f' data-src="{source}" data-about="{about}"' if source else ""
            kind = "point chosen" if (curve, point) == chosen else "point"
            seen = (
                f'transform="translate({places[axis]:.1f} {places[measure]:.1f})"'
                if point in placed
                else ""
            )
            hidden = "" if seen else 'style="display: none"'
            parts.append(
                f'<g class="{kind}"{data} {seen}{hidden}><title>{html.escape(said(curve, point))}</title>'
                f'<path d="{marker}"/></g>'
            )
        parts.append("</g>")
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def _look(index: int) -> tuple[str, str, str]:
    """Colour, dashes and marker of a curve: none of the three alone tells curves apart."""
    return COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)], MARKERS[index % len(MARKERS)]


def _rate_axis(drawing: Drawing, name: str, is_seen: bool) -> str:
    """Lines, figures and the name of one axis of the rate."""
    parts = [f'<g data-axis="{name}"{"" if is_seen else NOT_SEEN}>']
    axis = drawing.rates[name]
    for tick in axis.ticks():
        x = f"{axis.at(tick):.1f}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{BOTTOM}"/>')
        parts.append(f'<text x="{x}" y="{BOTTOM + 24}" text-anchor="middle">{tick:g}</text>')
    middle = (LEFT + RIGHT) / 2
    parts.append(f'<text x="{middle:g}" y="{BOTTOM + 52}" text-anchor="middle">bits per pixel</text></g>')
    return "".join(parts)


def _quality_axis(drawing: Drawing, key: str, is_seen: bool) -> str:
    """Lines, figures and the name of the axis of one measure."""
    parts = [f'<g data-axis="{key}"{"" if is_seen else NOT_SEEN}>']
    axis = drawing.qualities[key]
    for tick in axis.ticks():
        y = axis.at(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 6:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="4" y="{TOP - 16}">{html.escape(MEASURES[key].label)}</text></g>')
    return "".join(parts)


def _choices(drawing: Drawing) -> str:
    """What only a script can do: another measure, another axis."""
    measures = "".join(f'<option value="{key}">{MEASURES[key].label}</option>' for key in drawing.measures)
    return (
        f'<div class="choices" hidden><label>Quality<select class="measure">{measures}</select></label>'
        '<label>Rate<select class="rate"><option value="log">logarithmic</option>'
        '<option value="linear">linear</option></select></label></div>'
    )


def _first_look(shown: Sequence[Curve]) -> list[tuple[Curve, Point]]:
    """The point in the middle of the first curve, and that of the second whose rate is next to it."""
    leading, *others = shown
    middle = leading.points[len(leading.points) // 2]

    def factor(point: Point) -> float:
        return abs(math.log(point.figures["bpp"] / middle.figures["bpp"]))

    return [(leading, middle), *[(curve, min(curve.points, key=factor)) for curve in others[:1]]]


def _slots(looked_at: Sequence[tuple[Curve, Point]], pictures: Pictures) -> str:
    """The point that is looked at, and the one before."""
    filled = [_slot(said(curve, point), *_picture(pictures, curve, point)) for curve, point in looked_at]
    empty = [_slot("", "", "")] * (2 - len(filled))
    return f'<div class="slots">{"".join(filled + empty)}</div>'


def _slot(words: str, source: str, about: str) -> str:
    """Words about a point, below its picture where it has one."""
    words, source, about = map(html.escape, (words, source, about))
    image = (
        f'src="{source}" alt="The crop by {words.partition(":")[0]}"' if source else 'hidden alt="No crop"'
    )
    return (
        f'<div class="slot" data-src="{source}" data-said="{words}" data-about="{about}">'
        f'<img loading="lazy" {image}><p>{words}</p><p>{about}</p></div>'
    )


def _picture(pictures: Pictures, curve: Curve, point: Point) -> tuple[str, str]:
    """Address of and words about a point's picture; empty where it has none."""
    return pictures.get((curve.name, point.value or 0), ("", ""))


def _switches(curves: Sequence[Curve], shown: Sequence[str]) -> str:
    """One for each curve, with a piece of its line; they work without a script."""
    groups = dict.fromkeys(curve.group for curve in curves)
    parts = []
    for group in groups:
        parts.append(f"<fieldset><legend>{html.escape(group)}</legend>")
        for index, curve in enumerate(curves):
            if curve.group != group:
                continue
            colour, dash, marker = _look(index)
            checked = " checked" if curve.name in shown else ""
            parts.append(
                f'<label><input type="checkbox" data-switch="{index}"{checked}>'
                f'<svg viewBox="0 0 36 16" aria-hidden="true"><path d="M0 8H36" stroke-width="2.5" '
                f'stroke="{colour}" stroke-dasharray="{dash}"/>'
                f'<path d="{marker}" transform="translate(18 8)" fill="{colour}"/></svg>'
                f"{html.escape(curve.label)}</label>"
            )
        parts.append("</fieldset>")
    return "".join(parts)


def _details(curves: Sequence[Curve]) -> str:
    """Every figure of every point, as a table."""
    rows = []
    for curve in curves:
        for point in curve.points:
            row: dict[str, Any] = {"codec": curve.label, "setting": point.setting}
            if "bytes" in point.figures:
                row["bytes"] = f"{point.figures['bytes']:,.0f}"
            row["bits per pixel"] = f"{point.figures['bpp']:.3f}"
            for key, measure in MEASURES.items():
                if key in point.figures:
                    name, _, pattern = measure.said.partition(" {")
                    row[name] = ("{" + pattern).format(point.figures[key])
            rows.append(row)
    shown = table(rows, "Means over the 24 pictures")._repr_html_()
    return f"<details><summary>All points as a table</summary>{shown}</details>"
