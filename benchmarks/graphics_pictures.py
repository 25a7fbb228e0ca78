"""Nine pictures that no camera took, 384 x 256: three of text, three drawings, three screenshots.

Text is set by Pillow in the font that comes with matplotlib, drawings are matplotlib's, screenshots are
of the pages in benchmarks/pages, by Chromium: an installed one, else Playwright's. Other versions draw
other pixels; results name the digest of each picture.
"""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

from tools.built_site import ARGUMENTS, find_chromium

WIDTH, HEIGHT = 384, 256
PAGES = Path(__file__).parent / "pages"
PARAGRAPH = (
    "A codec for one picture has nothing to forget. It sees no other photograph, learns no "
    "average sky, and what it cannot say with its few thousand numbers it does not say. Whoever "
    "reads the file builds the decoder first and the picture afterwards. Between both there is "
    "hardly a difference: all of it is numbers, and all of them were paid for. "
)


def pictures() -> dict[str, Image.Image]:
    """The pictures by name, RGB."""
    return {**texts(), **drawings(), **screenshots()}


def texts() -> dict[str, Image.Image]:
    """A paragraph in three sizes and colours."""
    ways = {
        "text-small": (10, "DejaVu Sans", "#ffffff", "#000000"),
        "text-serif": (14, "DejaVu Serif", "#fbf6e9", "#3b2f2f"),
        "text-large": (28, "DejaVu Sans:bold", "#0b3954", "#ffd166"),
    }
    found = {}
    for name, (size, family, paper, ink) in ways.items():
        font = ImageFont.truetype(font_manager.findfont(family), size)
        picture = Image.new("RGB", (WIDTH, HEIGHT), paper)
        draw, words, top = ImageDraw.Draw(picture), (PARAGRAPH * 4).split(), 6
        while top < HEIGHT:
            line = words.pop(0)
            while words and font.getlength(f"{line} {words[0]}") < WIDTH - 16:
                line += " " + words.pop(0)
            draw.text((8, top), line, ink, font)
            top += round(1.35 * size)
        found[name] = picture
    return found


def drawings() -> dict[str, Image.Image]:
    """A chart, overlapping shapes, and smooth colours between contours."""
    t, random = np.linspace(0, 6, 200), np.random.default_rng(0)
    chart = Figure()
    axis = chart.add_subplot()
    for k in range(4):
        axis.plot(t, np.sin(t + k) * np.exp(-t / (k + 2)), lw=2, label=f"run {k}")
    axis.set(xlabel="time (s)", ylabel="height (m)", title="Damped")
    axis.legend()
    shapes = Figure(facecolor="#f4f1de")
    axis = shapes.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 3), ylim=(0, 2))
    axis.axis("off")
    for k in range(18):
        colour, (x, y) = f"C{k % 10}", random.random(2) * (3, 2)
        around = np.add((x, y), random.normal(0, 0.35, (4, 2)))
        axis.add_patch(Circle((x, y), 0.25, fc=colour) if k % 2 else Polygon(around, fc=colour))
    contours = Figure()
    axis = contours.add_axes((0, 0, 1, 1))
    x, y = np.meshgrid(np.linspace(-3, 3, 120), np.linspace(-2, 2, 80))
    axis.contourf(np.sin(2 * x) * np.cos(3 * y) + x / 3, 14, cmap="viridis")
    axis.axis("off")
    return {
        "drawing-chart": drawn(chart),
        "drawing-shapes": drawn(shapes),
        "drawing-contours": drawn(contours),
    }


def drawn(figure: Figure) -> Image.Image:
    """A figure as a picture."""
    figure.set(figwidth=WIDTH / 100, figheight=HEIGHT / 100, dpi=100)
    with matplotlib.rc_context({"savefig.bbox": None}):
        figure.savefig(buffer := io.BytesIO(), dpi=100)
    return Image.open(buffer).convert("RGB")


def screenshots() -> dict[str, Image.Image]:
    """The pages, as a browser shows them."""
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for path in sorted(PAGES.glob("*.html")):
            page.goto(path.as_uri())
            shot = Image.open(io.BytesIO(page.screenshot()))
            found[f"screen-{path.stem}"] = shot.convert("RGB")
        browser.close()
    return found
