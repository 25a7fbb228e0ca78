"""Two viewers of pictures, each of them one piece of HTML: lossless data URIs and an `<input type=range>`.

They move without a kernel, without a network and without a script file, so a reader of the rendered page
can use them too; keyboards and fingers work. The same pictures always give the same HTML, so a stored
output changes only when the pictures do.

    compare(original, decoded)                      # drag the border between the two
    filmstrip([q1, q2, q3], ["q = 1", "q = 2", "q = 3"])

A viewer weighs at most 300 KB. Lossless photographs are large, so it shows a crop when the picture
is: give `window=(left, top, right, bottom)` to choose it, as to `codec_lib.decode`, or get the central one.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from IPython.display import HTML

MAX_BYTES = 300_000
MAX_FRAMES = 12
WHOLE_SIDE = 320  # a picture up to this side is shown whole when it fits
CROP_SIDES = (256, 192, 128, 96, 64)

_STYLE = """
#{id} {{ margin: 1em 0; max-width: {width}px; }}
#{id} .stage {{ position: relative; width: 100%; aspect-ratio: {columns} / {rows}; overflow: hidden;
  border-radius: 4px; --p: 50%; }}
#{id} img {{ position: absolute; inset: 0; width: 100%; height: 100%; max-width: none; margin: 0;
  padding: 0; border: 0; border-radius: 0; background: none; filter: none !important;
  image-rendering: {rendering}; }}
#{id} .caption {{ font-size: 0.85em; margin-top: 0.35em; text-align: left; color: inherit; }}
#{id} input:focus-visible {{ outline: 3px solid #1a73e8; outline-offset: 2px; }}
"""
_COMPARE_STYLE = """
#{id} .top {{ clip-path: inset(0 calc(100% - var(--p)) 0 0); }}
#{id} .bar {{ position: absolute; top: 0; bottom: 0; left: var(--p); width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }}
#{id} .bar::after {{ content: "\\2194"; position: absolute; top: 50%; left: 1px; width: 30px;
  height: 30px; line-height: 30px; transform: translate(-50%, -50%); border-radius: 50%;
  text-align: center; font-size: 18px; color: #222; background: #fff; box-shadow: 0 0 3px #000; }}
#{id} .tag {{ position: absolute; top: 6px; padding: 1px 7px; border-radius: 3px; color: #fff;
  font-size: 0.8em; background: rgba(0, 0, 0, 0.65); pointer-events: none; }}
#{id} .stage:has(input:focus-visible) {{ outline: 3px solid #1a73e8; outline-offset: 2px; }}
#{id} input {{ position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0;
  cursor: ew-resize; touch-action: pan-y; }}
"""
_FILMSTRIP_STYLE = """
#{id} input {{ display: block; width: 100%; height: 2.2em; margin: 0.3em 0 0;
  accent-color: #1a73e8; touch-action: pan-y; }}
"""
_COMPARE_MOVE = (
    "this.parentNode.style.setProperty('--p', this.value + '%');"
    "this.setAttribute('aria-valuetext', this.value + ' percent ' + this.dataset.first)"
)
_FILMSTRIP_MOVE = (
    "const f = this.closest('figure'), all = f.querySelectorAll('img');"
    "all.forEach((m, i) => { m.style.visibility = i == this.value ? 'visible' : 'hidden' });"
    "f.querySelector('output').textContent = all[this.value].alt;"
    "this.setAttribute('aria-valuetext', all[this.value].alt)"
)


def compare(
    a: Any,
    b: Any,
    labels: Sequence[str] = ("original", "decoded"),
    width: int = 640,
    window: tuple[int, int, int, int] | None = None,
) -> HTML:
    """Return a before/after viewer: one picture over another, and a border that one can drag.

    Args:
        a, b: PIL images or uint8 arrays (H, W, 3) or (H, W) of the same size.
        labels: names of `a` (left of the border) and `b` (right of it).
        width: largest width on the page in CSS pixels; pixels are enlarged as squares.
        window: (left, top, right, bottom) in pixels; None shows a picture up to 320 x 320 whole and
            otherwise the central 256 x 256 (smaller if the viewer would exceed 300 KB).

    Raises:
        ValueError: sizes or the number of labels differ, the window leaves the picture, or the given
            window needs more than 300 KB.
    """
    if len(labels) != 2:
        raise ValueError(f"labels: {len(labels)} given, 2 are needed")
    uris, (rows, columns), note = pictures_of([a, b], window)
    first, second = (html.escape(str(label)) for label in labels)
    name = f"compare-{digest(uris, labels, width)}"
    sizes = {"id": name, "width": width, "columns": columns, "rows": rows, "rendering": "pixelated"}
    return figure_of(
        f"<style>{(_STYLE + _COMPARE_STYLE).format(**sizes)}</style>"
        f'<figure id="{name}"><div class="stage">'
        f'<img src="{uris[1]}" alt="{second}"><img class="top" src="{uris[0]}" alt="{first}">'
        f'<span class="tag" style="left: 6px">{first}</span>'
        f'<span class="tag" style="right: 6px">{second}</span>'
        f'<div class="bar"></div>'
        f'<input type="range" min="0" max="100" value="50" data-first="{first}"'
        f' aria-label="How much of the picture shows {first} instead of {second}"'
        f' oninput="{_COMPARE_MOVE}"></div>'
        f'<figcaption class="caption">Left of the border: {first}; right: {second}. {note}'
        f"</figcaption></figure>"
    )


def filmstrip(
    frames: Sequence[Any],
    labels: Sequence[str],
    width: int = 480,
    window: tuple[int, int, int, int] | None = None,
    smooth: bool = False,
) -> HTML:
    """Return a slider over up to 12 pictures of one size, shown one at a time.

    Args:
        frames: PIL images or uint8 arrays (H, W, 3) or (H, W).
        labels: what each picture shows; it is the caption and the text for who cannot see it.
        width: largest width on the page in CSS pixels.
        window: as in `compare`.
        smooth: whether pixels are blended where the page scales them, as plots need it.

    Raises:
        ValueError: no or more than 12 frames, sizes or numbers differ, or the window is too large.
    """
    if not 1 <= len(frames) <= MAX_FRAMES:
        raise ValueError(f"frames: {len(frames)} given, 1 to {MAX_FRAMES} are allowed")
    if len(labels) != len(frames):
        raise ValueError(f"labels: {len(labels)} given for {len(frames)} frames")
    uris, (rows, columns), note = pictures_of(frames, window)
    names = [html.escape(str(label)) for label in labels]
    name = f"filmstrip-{digest(uris, labels, width)}"
    rendering = "auto" if smooth else "pixelated"
    sizes = {"id": name, "width": width, "columns": columns, "rows": rows, "rendering": rendering}
    pictures = "".join(
        f'<img src="{uri}" alt="{label}" style="visibility: {"hidden" if index else "visible"}">'
        for index, (uri, label) in enumerate(zip(uris, names, strict=True))
    )
    return figure_of(
        f"<style>{(_STYLE + _FILMSTRIP_STYLE).format(**sizes)}</style>"
        f'<figure id="{name}"><div class="stage">{pictures}</div>'
        f'<input type="range" min="0" max="{len(names) - 1}" value="0" step="1"'
        f' aria-label="Which picture is shown" aria-valuetext="{names[0]}"'
        f' oninput="{_FILMSTRIP_MOVE}">'
        f'<figcaption class="caption"><output>{names[0]}</output>. {note}'
        f"</figcaption></figure>"
    )


def figure_of(markup: str) -> HTML:
    """Wrap markup for display."""
    from IPython.display import HTML  # here: the library works without IPython

    return HTML(markup)


def levels_of(picture: Any) -> np.ndarray:
    """Return a picture as uint8 (H, W, 3)."""
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    array = np.asarray(picture)
    if array.dtype != np.uint8:
        raise ValueError(f"picture: dtype {array.dtype}, uint8 is needed")
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.ndim != 3 or array.shape[-1] != 3 or 0 in array.shape:
        raise ValueError(f"picture: shape {array.shape}, (H, W, 3) or (H, W) is needed")
    return array


def pictures_of(
    pictures: Sequence[Any], window: tuple[int, int, int, int] | None = None
) -> tuple[list[str], tuple[int, int], str]:
    """Return data URIs of the same part of every picture, its rows and columns, and a sentence about it."""
    arrays = [levels_of(picture) for picture in pictures]
    height, width = arrays[0].shape[:2]
    for array in arrays[1:]:
        if array.shape != arrays[0].shape:
            raise ValueError(f"pictures: sizes {arrays[0].shape[:2]} and {array.shape[:2]} differ")
    candidates, size = [window] if window is not None else _default_windows(height, width), 0
    for left, top, right, bottom in candidates:
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise ValueError(f"window: {window}; allowed is what lies within (0, 0, {width}, {height})")
        uris = [_data_uri(array[top:bottom, left:right]) for array in arrays]
        size = sum(map(len, uris))
        if size <= MAX_BYTES:
            break
    else:
        raise ValueError(
            f"window: the viewer would take {size:,} bytes, {MAX_BYTES:,} are allowed; "
            "give a smaller window=(left, top, right, bottom)"
        )
    rows, columns = bottom - top, right - left
    is_whole = (rows, columns) == (height, width)
    note = "" if is_whole else f"Crop of {rows} × {columns} pixels at row {top}, column {left}."
    return uris, (rows, columns), note


def _default_windows(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Return the whole picture if it is small, then ever smaller central squares."""
    windows = [(0, 0, width, height)] if max(height, width) <= WHOLE_SIDE else []
    for side in CROP_SIDES:
        rows, columns = min(side, height), min(side, width)
        top, left = (height - rows) // 2, (width - columns) // 2
        windows.append((left, top, left + columns, top + rows))
    return windows


def _data_uri(array: np.ndarray) -> str:
    """Return a picture as a lossless WebP data URI."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "WEBP", lossless=True, quality=100, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def digest(uris: Sequence[str], labels: Sequence[str], width: int) -> str:
    """Return a name that depends on the content only: the same output in every run."""
    content = "\0".join([*uris, *map(str, labels), str(width)])
    return hashlib.sha256(content.encode()).hexdigest()[:12]
