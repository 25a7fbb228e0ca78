"""A number that the reader turns: live where Python runs, a film strip where it does not.

    def decoded_at(quality):
        file = codec_lib.encode(photo, "flagship", quality=quality)
        return codec_lib.decode(file), f"{len(file)} bytes"

    explore(decoded_at, quality=[1, 2, 3, 4, 6, 8])

In Colab, Jupyter and VS Code this is a slider from 1 to 8, and each stop computes anew. Anywhere else, in
stored outputs above all, the six pictures are made at once and `filmstrip` moves through them: a stored
widget would load scripts from other hosts, and would not move.

The environment variable CODEC_LIB_LIVE, 0 or 1, decides instead where it is set.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from codec_lib.viz.viewers import filmstrip, levels_of

WAIT = 0.25  # seconds that a slider has to rest before anything is computed
LOGARITHMIC = 20.0  # the ratio of its ends from which a slider moves by factors
STOPS = 100
Shown = tuple[np.ndarray, str, bool]  # levels (H, W, 3), words, whether it is a plot


def explore(
    show: Callable[..., Any],
    window: tuple[int, int, int, int] | None = None,
    width: int = 480,
    /,
    **ranges: Sequence[Any],
) -> Any:
    """Show what depends on some numbers, and let the reader turn them.

    Args:
        show: gets one value of each range, by name, and gives a picture (PIL, uint8 (H, W, 3) or (H, W)), a
            matplotlib figure, or a pair of one of them and a caption. Equal values, equal picture.
        window: the part that is shown of a picture, as in `compare`.
        width: largest width on the page in CSS pixels.
        ranges: for each name values, the first of which is shown at first. A live slider goes from the
            smallest to the largest; the film strip shows those of the first name, with the first value of
            all others.

    Returns:
        A widget, or the HTML of a film strip.
    Raises:
        ValueError: no ranges, or one without values; in a film strip what `filmstrip` raises.
    """
    if not ranges or not all(map(len, ranges.values())):
        raise ValueError(f"ranges: {ranges}, at least one with values is needed")
    if is_live():
        return _live(show, window, width, ranges)
    first, *_ = ranges
    fixed = {name: values[0] for name, values in ranges.items()}
    frames = [_shown(show, fixed | {first: value}, width) for value in ranges[first]]
    levels, labels, plots = zip(*frames, strict=True)
    whole = (0, 0, *levels[0].shape[1::-1]) if plots[0] else window
    return filmstrip(levels, labels, width, whole, smooth=plots[0])


def is_live() -> bool:
    """Whether somebody sits before this kernel: Colab's, or one of Jupyter's server or of VS Code."""
    if (told := os.environ.get("CODEC_LIB_LIVE")) is not None:
        return told == "1"
    from_vscode = hasattr(sys.modules.get("__main__"), "__vsc_ipynb_file__")
    return "google.colab" in sys.modules or "JPY_SESSION_NAME" in os.environ or from_vscode


def _shown(show: Callable[..., Any], values: Mapping[str, Any], width: int) -> Shown:
    """What `show` gives, as levels, with its words."""
    given = show(**values)
    picture, caption = given if isinstance(given, tuple) else (given, "")
    words = ", ".join(f"{name.replace('_', ' ')} = {number(value)}" for name, value in values.items())
    is_plot = hasattr(picture, "savefig")
    levels = _drawn(picture, width) if is_plot else levels_of(picture)
    return levels, f"{words}: {caption}" if caption else words, is_plot


def number(value: Any) -> str:
    """A value as one says it: 0.1, not 0.1000001."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _drawn(figure: Any, width: int) -> np.ndarray:
    """A matplotlib figure as levels, two pixels for each of the page; it is closed."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * width / figure.get_figwidth())
    plt.close(figure)
    return np.asarray(Image.open(buffer).convert("RGB"))


def _live(
    show: Callable[..., Any],
    window: tuple[int, int, int, int] | None,
    width: int,
    ranges: Mapping[str, Sequence],
) -> Any:
    """Sliders over a picture; it is computed when they have rested for `WAIT` seconds."""
    import ipywidgets

    sliders = {name: _slider(name, values) for name, values in ranges.items()}
    image = ipywidgets.Image(format="png", layout=ipywidgets.Layout(max_width="100%", width=f"{width}px"))
    caption = ipywidgets.Label()
    waiting: asyncio.TimerHandle | None = None

    def compute() -> None:
        try:
            values = {name: slider.value for name, slider in sliders.items()}
            levels, words, is_plot = _shown(show, values, width)
            image.value = _png(levels, None if is_plot else window, width)
            caption.value = words
        except Exception as error:  # whatever it is, the reader has to see it: a callback has no traceback
            caption.value = f"{type(error).__name__}: {error}"

    def changed(_: Any) -> None:
        nonlocal waiting
        caption.value = "computing ..."
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no event loop, nothing to wait for
            return compute()
        if waiting:
            waiting.cancel()
        waiting = loop.call_later(WAIT, compute)

    for slider in sliders.values():
        slider.observe(changed, "value")
    compute()
    return ipywidgets.VBox([*sliders.values(), image, caption])


def _slider(name: str, values: Sequence[Any]) -> Any:
    """One for whole numbers, for numbers, for numbers that differ by factors, or for anything else."""
    import ipywidgets

    words = {"description": name.replace("_", " "), "style": {"description_width": "initial"}}
    if not all(isinstance(value, int | float) for value in values):
        return ipywidgets.SelectionSlider(options=list(values), **words)
    low, high = min(values), max(values)
    if all(isinstance(value, int) for value in values):
        return ipywidgets.IntSlider(values[0], low, high, **words)
    if low > 0 and high / low >= LOGARITHMIC:
        ends = {"min": np.log10(low), "max": np.log10(high)}
        return ipywidgets.FloatLogSlider(
            values[0], step=(ends["max"] - ends["min"]) / STOPS, **ends, **words
        )
    return ipywidgets.FloatSlider(values[0], min=low, max=high, step=(high - low) / STOPS, **words)


def _png(levels: np.ndarray, window: tuple[int, int, int, int] | None, width: int) -> bytes:
    """A PNG of a part; small pictures are enlarged by whole numbers, so that pixels stay squares."""
    picture = Image.fromarray(levels)
    picture = picture if window is None else picture.crop(window)
    picture = ImageOps.scale(picture, max(1, 2 * width // picture.width), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
