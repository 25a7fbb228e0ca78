"""Claims about numbers that a reader turns: live with a kernel, a film strip without."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat import v4
from PIL import Image

import codec_lib as cl
from codec_lib import data, viz

WIDGET = "application/vnd.jupyter.widget-view+json"
SOURCE = """
import numpy as np
from codec_lib import viz

viz.explore(lambda level: np.full((8, 8, 3), level, np.uint8), level=[10, 20, 40])
"""


def grey(level: int) -> np.ndarray:
    return np.full((8, 12, 3), level, np.uint8)


def pixel_of(widget) -> int:
    return int(np.asarray(Image.open(io.BytesIO(widget.children[-2].value)))[0, 0, 0])


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("CODEC_LIB_LIVE", "1")


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("CODEC_LIB_LIVE", "0")


def test_without_a_reader_every_value_is_a_frame(static):
    markup = viz.explore(lambda level: (grey(level), f"{level} of 255"), level=[10, 20, 40]).data
    assert re.findall(r'alt="([^"]+)"', markup) == [f"level = {v}: {v} of 255" for v in (10, 20, 40)]
    frames = re.findall(r"base64,([A-Za-z0-9+/=]+)", markup)
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(f))))[0, 0, 0] for f in frames]
    assert shown == [10, 20, 40]


def test_other_ranges_stay_at_their_first_value_in_a_film_strip(static):
    markup = viz.explore(lambda a, b: grey(a + b), a=[1, 2], b=[100, 200]).data
    assert re.findall(r'alt="([^"]+)"', markup) == ["a = 1, b = 100", "a = 2, b = 100"]


def test_a_slider_computes_a_value_that_no_frame_has(live):
    widget = viz.explore(lambda level: (grey(level), f"{level} of 255"), level=[10, 20, 40])
    slider, caption = widget.children[0], widget.children[-1]
    assert pixel_of(widget) == 10
    slider.value = 33
    assert pixel_of(widget) == 33
    assert caption.value == "level = 33: 33 of 255"


def test_a_slider_changes_picture_and_bytes_of_a_codec(live):
    photo = data.sample("astronaut").crop((200, 40, 328, 168))

    def at(quality):
        file = cl.encode(photo, "factorized", quality=quality)
        return cl.decode(file), str(len(file))

    widget = viz.explore(at, quality=[1.0, 2.0, 8.0])
    before, words = widget.children[-2].value, widget.children[-1].value
    widget.children[0].value = 6.6
    assert widget.children[-2].value != before
    assert int(widget.children[-1].value.split(": ")[1]) > int(words.split(": ")[1])


def test_a_window_is_left_top_right_bottom_as_a_decoder_takes_it(live):
    levels = np.zeros((30, 50, 3), np.uint8)
    levels[4:10, 20:32] = 200
    widget = viz.explore(lambda n: levels, (20, 4, 32, 10), 12, n=[1, 2])
    shown = np.asarray(Image.open(io.BytesIO(widget.children[-2].value)))
    assert shown.shape == (12, 24, 3)
    assert (shown == 200).all()


def test_an_error_is_shown_instead_of_lost(live):
    widget = viz.explore(lambda level: grey(level) / (level - 3), level=[1, 2, 5])
    widget.children[0].value = 4
    assert "uint8 is needed" in widget.children[-1].value


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2, 4], "IntSlider"),
        ([128, 64, 1], "IntSlider"),
        ([1.0, 2.0, 8.0], "FloatSlider"),
        ([0.01, 1.0, 100.0], "FloatLogSlider"),
        (["jpeg", "webp"], "SelectionSlider"),
    ],
)
def test_each_kind_of_range_has_its_slider_and_starts_at_its_first_value(live, values, kind):
    slider = viz.explore(lambda v: grey(7), v=values).children[0]
    assert type(slider).__name__ == kind
    assert slider.value == values[0]


def test_a_range_may_have_the_name_of_a_parameter(static):
    assert "width = 2" in viz.explore(lambda width: grey(width), None, 300, width=[1, 2]).data


def test_figures_are_shown_whole_and_closed(static):
    import matplotlib.pyplot as plt

    def draw(n):
        figure, axis = plt.subplots(figsize=(4, 2))
        axis.plot(range(n + 1))
        return figure, "a line"

    before = plt.get_fignums()
    markup = viz.explore(draw, None, 400, n=[1, 2]).data
    assert plt.get_fignums() == before
    assert "aspect-ratio: 800 / 400" in markup
    assert "Crop" not in markup


def test_no_range_and_an_empty_one_are_refused(static):
    with pytest.raises(ValueError, match="at least one"):
        viz.explore(grey)
    with pytest.raises(ValueError, match="at least one"):
        viz.explore(grey, level=[])


@pytest.mark.parametrize("is_live", [False, True])
def test_a_notebook_stores_a_film_strip_and_shows_a_widget_to_a_reader(is_live, monkeypatch):
    monkeypatch.setenv("CODEC_LIB_LIVE", str(int(is_live)))
    notebook = v4.new_notebook(cells=[v4.new_code_cell(SOURCE)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    kinds = set(notebook.cells[0].outputs[0].data)
    assert (WIDGET in kinds) == is_live
    assert ("text/html" in kinds) != is_live
    nbformat.validate(notebook)


def test_a_kernel_of_a_server_has_a_reader_and_a_plain_one_has_not(monkeypatch):
    from codec_lib.viz.explore import is_live

    for name in ("CODEC_LIB_LIVE", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert not is_live()
    monkeypatch.setenv("JPY_SESSION_NAME", "book/entropy.ipynb")
    assert is_live()
