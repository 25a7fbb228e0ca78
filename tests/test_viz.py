"""Claims about the viewers and the plot helpers."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from codec_lib import viz
from codec_lib.viz import viewers

DATA_URI = re.compile(r"data:image/webp;base64,([A-Za-z0-9+/=]+)")


def picture(seed: int = 0, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def embedded(markup: str) -> list[np.ndarray]:
    found = [base64.b64decode(match) for match in DATA_URI.findall(markup)]
    return [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in found]


def test_compare_embeds_both_pictures_without_loss():
    a, b = picture(0), picture(1)
    shown = embedded(viz.compare(a, b).data)
    assert len(shown) == 2
    assert any(np.array_equal(a, other) for other in shown)
    assert any(np.array_equal(b, other) for other in shown)


def test_compare_is_the_same_in_every_run_and_differs_with_the_pictures():
    a, b = picture(0), picture(1)
    assert viz.compare(a, b).data == viz.compare(a.copy(), b.copy()).data
    assert viz.compare(a, b).data != viz.compare(b, a).data


def test_viewers_need_no_network_and_no_script_file():
    for markup in (viz.compare(picture(0), picture(1)), viz.filmstrip([picture()], ["one"])):
        assert "http" not in markup.data
        assert "<script" not in markup.data
        assert 'type="range"' in markup.data


def test_every_picture_and_slider_has_words():
    for markup in (
        viz.compare(picture(0), picture(1), labels=("before", "after")).data,
        viz.filmstrip([picture(0), picture(1)], ["few bits", "many bits"]).data,
    ):
        tags = re.findall(r"<img[^>]*>", markup)
        assert len(tags) == 2
        assert all(re.search(r'alt="[^"]+"', tag) for tag in tags)
        assert re.search(r'<input[^>]*aria-label="[^"]+"', markup)


def test_labels_are_escaped():
    markup = viz.compare(picture(0), picture(1), labels=('<b>"x"', "y")).data
    assert "<b>" not in markup
    assert "&lt;b&gt;&quot;x&quot;" in markup


def test_a_window_shows_exactly_these_pixels():
    a, b = picture(0), picture(1)
    markup = viz.compare(a, b, window=(5, 3, 29, 19)).data
    assert any(np.array_equal(a[3:19, 5:29], other) for other in embedded(markup))
    assert "row 3, column 5" in markup


def test_large_pictures_are_cropped_to_the_budget():
    large = picture(0, 600, 700)  # noise: nothing compresses worse
    markup = viz.compare(large, large).data
    assert len(markup) < viewers.MAX_BYTES + 6_000
    rows, columns = embedded(markup)[0].shape[:2]
    assert (rows, columns) in [(side, side) for side in viewers.CROP_SIDES]


def test_a_given_window_over_the_budget_is_refused():
    large = picture(0, 600, 700)
    with pytest.raises(ValueError, match="smaller window"):
        viz.compare(large, large, window=(0, 0, 700, 600))


@pytest.mark.parametrize("window", [(0, 0, 10, 41), (-1, 0, 9, 10), (55, 0, 65, 10), (0, 0, 0, 5)])
def test_a_window_outside_the_picture_is_refused(window):
    with pytest.raises(ValueError, match="lies within"):
        viz.compare(picture(0), picture(1), window=window)


def test_pictures_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="differ"):
        viz.compare(picture(0), picture(1, height=39))


def test_floats_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        viz.compare(picture(0) / 255, picture(1))


def test_grey_arrays_and_pil_images_are_accepted():
    grey = picture(0)[..., 0]
    shown = embedded(viz.compare(grey, Image.fromarray(picture(1))).data)
    assert any(np.array_equal(grey, other[..., 0]) for other in shown)


def test_filmstrip_shows_the_first_frame_and_hides_the_others():
    markup = viz.filmstrip([picture(i) for i in range(3)], ["a", "b", "c"]).data
    assert markup.count("visibility: visible") == 1
    assert markup.count("visibility: hidden") == 2
    assert 'max="2"' in markup


@pytest.mark.parametrize("count", [0, 13])
def test_filmstrip_refuses_none_and_more_than_twelve(count):
    with pytest.raises(ValueError, match="1 to 12"):
        viz.filmstrip([picture()] * count, ["x"] * count)


def test_filmstrip_needs_a_label_for_each_frame():
    with pytest.raises(ValueError, match="labels"):
        viz.filmstrip([picture()] * 2, ["x"])


def test_rate_distortion_draws_sorted_and_labelled_curves():
    from matplotlib.figure import Figure

    ax = viz.rate_distortion(Figure().subplots(), {"JPEG": [(1.0, 33.0), (0.5, 30.0)]})
    assert ax.lines[0].get_xdata().tolist() == [0.5, 1.0]
    assert ax.lines[0].get_ydata().tolist() == [30.0, 33.0]
    assert "bits per pixel" in ax.get_xlabel()
    assert "dB" in ax.get_ylabel()


def test_rate_distortion_refuses_an_empty_curve():
    from matplotlib.figure import Figure

    with pytest.raises(ValueError, match="no points"):
        viz.rate_distortion(Figure().subplots(), {"JPEG": []})


def test_scoreboard_row_computes_bits_per_pixel(capsys):
    viz.show_scoreboard("hyperprior", 1000, (100, 80, 3), 31.234)
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["chapter", "bytes", "bpp", "PSNR"]
    assert row.split() == ["hyperprior", "1000", "1.000", "31.23", "dB"]


def test_scoreboard_says_lossless(capsys):
    viz.show_scoreboard("lossless", 1000, (100, 80), float("inf"))
    assert "lossless" in capsys.readouterr().out


def test_import_needs_neither_matplotlib_nor_ipython():
    code = "import sys, codec_lib.viz; print('matplotlib' in sys.modules, 'IPython' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
