"""Figures of executed notebooks: lines are lines, pictures have enough pixels, nothing is heavy."""

import base64
import io

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from tools import execute, figures, landing, notebooks

NOISE = np.random.default_rng(0)
SIZE, DPI = (3, 2), 100  # inches; the kernel's own
CELLS = {
    "lines": "import matplotlib.pyplot as plt\nplt.figure(figsize=(3, 2), dpi=100)\nplt.plot([1, 2, 4]);",
    "picture": "plt.figure(figsize=(3, 2), dpi=100)\nplt.imshow([[1, 2], [3, 4]]);",
}


@pytest.fixture
def axis():
    figure, axis = plt.subplots(figsize=SIZE, dpi=DPI)
    yield axis
    plt.close(figure)


def pixels(png: str) -> tuple[int, int]:
    return Image.open(io.BytesIO(base64.b64decode(png))).size


def test_lines_are_stored_as_lines_and_alike_in_every_run(axis):
    axis.plot([1, 2, 4])
    axis.fill_between([0, 1], [1, 2])
    assert "<svg" in figures.as_svg(axis.figure)
    assert figures.as_svg(axis.figure) == figures.as_svg(axis.figure)
    assert figures.as_png(axis.figure) is None


@pytest.mark.parametrize("draw", ["imshow", "pcolormesh"])
def test_pictures_are_stored_with_two_pixels_for_each_of_the_page(axis, draw):
    getattr(axis, draw)(NOISE.random((8, 8)))
    assert figures.as_svg(axis.figure) is None
    data, size = figures.as_png(axis.figure)
    assert [side // 2 for side in pixels(data)] == [size["width"], size["height"]]


def test_thousands_of_points_are_stored_as_pixels(axis):
    axis.plot(*NOISE.random((2, 5000)), ".")
    assert figures.as_svg(axis.figure) is None
    data, _ = figures.as_png(axis.figure)
    assert len(data) * 3 // 4 <= figures.LARGEST_PNG


def test_what_is_large_twice_is_stored_once(axis):
    axis.figure.set_size_inches(6, 4)
    axis.imshow(NOISE.random((400, 600, 3)))
    once = figures.as_png(axis.figure)
    assert isinstance(once, str)
    assert max(pixels(once)) <= 6 * DPI


def test_an_executed_notebook_stores_figures_like_this_and_one_kind_each(tmp_path):
    cells = [nbformat.v4.new_markdown_cell("# Title")]
    cells += [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    path = tmp_path / "x.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    execute.execute(path)
    done = notebooks.read(path)
    kinds = [set(output["data"]) - {"text/plain"} for _, _, output in notebooks.outputs(done)]
    assert kinds == [{"image/svg+xml"}, {"image/png"}]
    cover = landing.cover(done)
    assert cover.startswith("data:image/svg+xml;base64,")
    assert b"<svg" in base64.b64decode(cover.partition(",")[2])
