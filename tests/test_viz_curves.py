"""The drawing of curves: every measured point is in it, at the right place, and in words."""

import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from codec_lib import data, viz
from codec_lib.measure import baselines, curves
from codec_lib.measure.curves import Curve, Point
from codec_lib.viz.curves import COLOURS
from tools.curve_page import FAST
from tools.setup_cell import ROOT

SHOWN = ("flagship", "jpeg", "webp", "avif")
ROUNDED = 0.05  # half a unit of the last digit of every position
PAGES = ("#ffffff", "#14181e")  # the paper, and the theme's dark page
ASKED = re.compile("quality|iterations")
MARKUP = viz.explore_curves(curves.kodak_curves(), SHOWN).data


def drawing(markup: str = MARKUP) -> ElementTree.Element:
    return ElementTree.fromstring(re.search(r'<svg class="plot".*?</svg>', markup, re.DOTALL)[0])


def points(markup: str = MARKUP) -> dict[str, ElementTree.Element]:
    """The points by their words."""
    found = [g for g in drawing(markup).iter("g") if g.get("class", "").startswith("point")]
    named = {point.find("title").text: point for point in found}
    assert len(named) == len(found)
    return named


def measured() -> dict[str, ElementTree.Element]:
    """The points of this project's measurements by codec and setting."""
    return {words.partition(": ")[0]: p for words, p in points().items() if ASKED.search(words)}


def read(name: str) -> dict:
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))


def stored() -> list[tuple[str, dict]]:
    """All points on Kodak, read from the files of results: the words, the figures."""
    rows = []
    for name, curve in read("kodak_baselines")["curves"].items():
        rows += [
            (f"{baselines.BASELINES[name].label}, quality {m['quality']:g}", m) for m in curve["means"]
        ]
    for name, curve in read("kodak")["curves"].items():
        rows += [(f"{name}, quality {m['quality']:g}", m) for m in curve["means"]]
    for name, model in read("content_weighted")["models"].items():
        rows += [(f"{name}, quality {m['quality']:g}", m) for m in model["curves"]["means"]]
    for name, curve in read("progressive")["curves"].items():
        rows += [(f"{name}, iterations {m['iterations']:g}", m) for m in curve["means"]]
    for m in read("context")["means"]:
        if m["model"] != "hyperprior":  # it is in kodak.json with all of its settings
            figures = {"bpp": m["bytes"] * 8 / 393216, "psnr": m["psnr"]}
            rows.append((f"{m['model']}, quality {m['quality']:g}", figures))
    return rows


def published() -> list[tuple[str, float, float]]:
    codecs = read("published_codecs")["curves"].values()
    return [(codec["title"], *point) for codec in codecs for point in codec["points"]]


def ticks(axis: str, direction: str) -> list[tuple[float, float]]:
    """The values of an axis that are written on it, and where their lines lie."""
    group = next(g for g in drawing().iter("g") if g.get("data-axis") == axis)
    lines = [float(line.get(direction)) for line in group.iter("line")]
    values = [float(text.text) for text in group.iter("text") if re.fullmatch(r"-?[\d.]+", text.text)]
    return list(zip(values, lines, strict=True))


def assert_reads(axis: str, direction: str, place: str, value: float, scale=float) -> None:
    """A reader who goes by the first and the last tick finds `value` at `place`."""
    (low, start), *_, (high, end) = ticks(axis, direction)
    share = (scale(value) - scale(low)) / (scale(high) - scale(low))
    # Both ticks and the place are rounded, and what lies outside the ticks is extended from them.
    allowed = ROUNDED * (1 + abs(share) + abs(1 - share)) + 1e-9
    assert abs(float(place) - (start + share * (end - start))) <= allowed


def test_every_measured_point_is_in_the_drawing_at_its_place():
    drawn, rows = measured(), stored()
    assert {name for name, _ in rows} == set(drawn)
    for name, row in rows:
        point = drawn[name]
        assert_reads("log", "x1", point.get("data-log"), row["bpp"], math.log)
        assert_reads("linear", "x1", point.get("data-linear"), row["bpp"])
        assert_reads("psnr", "y1", point.get("data-psnr"), row["psnr"])
        if "ms_ssim" in row:
            dB = -10 * math.log10(1 - row["ms_ssim"])
            assert_reads("ms_ssim", "y1", point.get("data-ms_ssim"), dB)
        else:
            assert point.get("data-ms_ssim") is None
        assert f"{row['bpp']:.3f} bits per pixel; PSNR {row['psnr']:.2f} dB" in point.find("title").text


def test_every_published_point_is_in_the_drawing_at_its_place():
    found = points()
    for title, bpp, psnr in published():
        words = f"{title}: {bpp * 393216 / 8:,.0f} bytes, {bpp:.3f} bits per pixel; PSNR {psnr:.2f} dB"
        assert_reads("log", "x1", found[words].get("data-log"), bpp, math.log)
        assert_reads("psnr", "y1", found[words].get("data-psnr"), psnr)
    assert len(found) == len(stored()) + len(published())


def test_without_a_script_points_and_lines_stand_at_the_first_measure():
    for curve in (g for g in drawing().iter("g") if g.get("class") == "curve"):
        line = [tuple(pair.split(",")) for pair in curve.find("polyline").get("points").split()]
        own = [g for g in curve.iter("g") if g.get("class", "").startswith("point")]
        assert line == [(point.get("data-log"), point.get("data-psnr")) for point in own]
        assert [p.get("transform") for p in own] == [f"translate({x} {y})" for x, y in line]


def test_every_point_lies_inside_the_drawing():
    width, height = map(float, drawing().get("viewBox").split()[2:])
    for group in drawing().iter("g"):
        for key, value in group.attrib.items():
            if key in ("data-log", "data-linear"):
                assert 0 < float(value) < width
            elif key in ("data-psnr", "data-ms_ssim", "data-ssimulacra2"):
                assert 0 < float(value) < height


def test_the_table_has_every_point():
    body = re.search(r"<tbody>(.*?)</tbody>", MARKUP, re.DOTALL)[1]
    rows = [re.findall(r">([^<]*)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", body)]
    told = {(f"{codec}, {setting}", bpp, psnr) for codec, setting, _, bpp, psnr, *_ in rows if setting}
    assert told == {(name, f"{row['bpp']:.3f}", f"{row['psnr']:.2f} dB") for name, row in stored()}
    assert len(rows) == len(stored()) + len(published())


def line(name: str, *figures: dict, label: str = "") -> Curve:
    return Curve(name, label or name, "Own", tuple(Point("quality", n, f) for n, f in enumerate(figures)))


def test_a_measure_is_offered_where_all_shown_curves_have_it():
    low = {"bpp": 1.0, "psnr": 30.0, "ssimulacra2": 50.0}
    full = line("full", low, {"bpp": 2.0, "psnr": 35.0, "ssimulacra2": 70.0})
    half = line("half", {"bpp": 1.0, "psnr": 31.0}, {"bpp": 2.0, "psnr": 33.0})
    for shown, offered in (["full"], ["psnr", "ssimulacra2"]), (["full", "half"], ["psnr"]):
        markup = viz.explore_curves([full, half], shown).data
        assert re.findall(r'<option value="(psnr|ms_ssim|ssimulacra2)"', markup) == offered


def test_what_is_shown_first_is_switched_on_and_looked_at():
    labels = re.findall(r"<label><input[^>]* checked>.*?</svg>([^<]+)</label>", MARKUP)
    assert labels == ["flagship", "JPEG", "WebP", "AVIF"]
    chosen = [name for name, point in measured().items() if "chosen" in point.get("class")]
    assert len(chosen) == 1
    assert chosen[0].startswith("flagship")


def test_pictures_are_kept_where_they_shall_be_and_said_with_their_point():
    kept = {}

    def keep(name: str, data: bytes) -> str:
        kept[name] = data
        return f"crops/{name}"

    own = line("own", {"bpp": 1.0, "psnr": 30.0}, {"bpp": 2.0, "psnr": 35.0})
    grey = np.full((8, 8, 3), 90, np.uint8)

    def at(curve: Curve, point: Point):
        return (grey, "17 bytes") if point.value else None

    markup = viz.explore_curves([own], ["own"], at, keep).data
    first, second = points(markup).values()
    assert list(kept) == ["own-1.webp"]
    assert first.get("data-src") is None
    assert (second.get("data-src"), second.get("data-about")) == ("crops/own-1.webp", "17 bytes")
    assert "data:image/webp;base64," in viz.explore_curves([own], ["own"], at).data


def test_words_are_no_markup():
    hostile = line("x", {"bpp": 1.0, "psnr": 30.0}, {"bpp": 2.0, "psnr": 35.0}, label='<b>"&')
    markup = viz.explore_curves([hostile], ["x"]).data
    assert "<b>" not in markup
    assert {words.partition(":")[0] for words in points(markup)} == {'<b>"&, quality 0', '<b>"&, quality 1'}


def test_nothing_comes_from_elsewhere_and_the_same_curves_give_the_same_drawing():
    assert "http" not in MARKUP
    assert not re.search(r"<script[^>]+src|<link|@import|url\(", MARKUP)
    assert viz.explore_curves(curves.kodak_curves(), SHOWN).data == MARKUP


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", COLOURS)
def test_lines_stand_out_from_paper_and_from_a_dark_page(colour, page):
    low, high = sorted([luminance(colour), luminance(page)])
    assert (high + 0.05) / (low + 0.05) >= 3  # success criterion 1.4.11


def test_a_curve_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="'bpg'; there are"):
        viz.explore_curves(curves.kodak_curves(), ["bpg"])


def test_a_published_point_has_no_file():
    curve = next(c for c in curves.kodak_curves() if c.group == curves.PUBLISHED)
    with pytest.raises(ValueError, match="published"):
        curves.at_point(curve, curve.points[0], np.zeros((8, 8, 3), np.uint8))


def test_a_point_is_a_file_of_its_codec():
    curve = next(c for c in curves.kodak_curves() if c.name == "jpeg")
    photo = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file, picture = curves.at_point(curve, curve.points[3], photo)
    assert file == baselines.encode("jpeg", photo, curve.points[3].value)
    assert np.array_equal(picture, baselines.decode("jpeg", file))


def test_the_page_shows_crops_of_the_codecs_that_are_measured_to_be_fast():
    seconds = data.results("seconds")["threads"]["1"]
    fast = {name for name, ways in seconds.items() if sum(ways.values()) < 1}
    assert fast == FAST & set(seconds)
