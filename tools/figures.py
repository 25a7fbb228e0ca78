"""How figures are stored in the notebooks: lines as lines, pictures with two pixels for each of the page.

A kernel that `tools.execute` starts runs `install` first. From then on a figure without pictures becomes
SVG, sharp at every size; one of very many points, or with a picture, becomes PNG at twice the resolution,
unless that is large: then its pixels are those of the page. What a reader runs is not touched.
"""

from pathlib import Path
from typing import Any

LARGEST_SVG = 150_000  # bytes; thousands of points are smaller as pixels
LARGEST_PNG = 200_000  # bytes; photographs have no more to show at twice the resolution
SALT = "book"  # the names inside an SVG are the same in every run
STARTUP = "from tools.figures import install\n\ninstall()\n"


def profile(folder: Path) -> Path:
    """Write an IPython directory whose kernels run `install` when they start; return it."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "figures.py").write_text(STARTUP, encoding="utf-8")
    return folder


def install() -> None:
    """Make the running IPython store figures like this."""
    import matplotlib_inline.backend_inline  # noqa: F401  (it sets its own formats, once)
    from IPython.core.getipython import get_ipython
    from matplotlib.figure import Figure

    formatters = get_ipython().display_formatter.formatters
    formatters["image/svg+xml"].for_type(Figure, as_svg)
    formatters["image/png"].for_type(Figure, as_png)


def has_pictures(figure: Any) -> bool:
    """Whether anything in a figure consists of pixels."""
    from matplotlib.collections import QuadMesh
    from matplotlib.image import _ImageBase

    return bool(figure.findobj(lambda artist: isinstance(artist, _ImageBase | QuadMesh)))


def as_svg(figure: Any) -> str | None:
    """A figure as SVG, or None where it is better stored as pixels."""
    from IPython.core.pylabtools import print_figure
    from matplotlib import rc_context

    if has_pictures(figure):
        return None
    with rc_context({"svg.hashsalt": SALT}):
        markup = print_figure(figure, "svg", metadata={"Date": None, "Creator": None})
    return markup if markup is None or len(markup) <= LARGEST_SVG else None


def as_png(figure: Any) -> tuple[str, dict[str, int]] | str | None:
    """A figure as base64 of PNG, with its size on the page where that is half of its own; or None."""
    from IPython.core.pylabtools import print_figure, retina_figure

    if as_svg(figure) is not None:
        return None
    twice = retina_figure(figure, base64=True)
    if twice is not None and len(twice[0]) * 3 // 4 <= LARGEST_PNG:
        return twice
    return print_figure(figure, "png", base64=True)
