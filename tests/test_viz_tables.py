"""Claims about tables: what is given is what is shown, to every reader."""

import html
from html.parser import HTMLParser

import numpy as np
import pytest

from codec_lib import viz

ROWS = [
    {"codec": "JPEG", "bits": "0.25", "saved": "+0.0 %", "note": "4:2:0"},
    {"codec": "a < b & <script>", "bits": "10.50", "saved": "-42.0 % (-46 to -41)", "note": "1 network"},
    {"codec": "none", "bits": None, "note": "<b>"},
]


class Grid(HTMLParser):
    """The cells of a table with their attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.rows, self.tags, self.caption = [], [], ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append([tag, dict(attrs), ""])

    def handle_data(self, data) -> None:
        if self.tags[-1][0] == "caption":
            self.caption += data
        else:
            self.rows[-1][-1][2] += data


def grid(*arguments) -> Grid:
    return Grid(viz.table(*arguments)._repr_html_())


def test_every_cell_is_shown_as_it_was_given():
    shown = [[text for _, _, text in row] for row in grid(ROWS, "Some & all").rows]
    assert shown == [list(ROWS[0]), *[[row.get(name) or "" for name in ROWS[0]] for row in ROWS]]
    assert grid(ROWS, "Some & all").caption == "Some & all"


def test_nothing_that_is_shown_is_markup():
    assert {tag for tag, _ in grid(ROWS, "<i>").tags} == {
        "div", "table", "caption", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert html.escape("<script>") in viz.table(ROWS)._repr_html_()


def test_columns_and_rows_have_headings():
    head, *body = grid(ROWS).rows
    assert [(tag, attrs.get("scope")) for tag, attrs, _ in head] == [("th", "col")] * 4
    for row in body:
        assert [(tag, attrs.get("scope")) for tag, attrs, _ in row] == [("th", "row"), *[("td", None)] * 3]


def test_a_heading_without_words_is_none():
    assert [tag for tag, _, _ in grid([{"": "a", "b": 1}]).rows[0]] == ["td", "th"]


def test_a_heading_may_be_a_number():
    assert [text for _, _, text in grid([{"step": 1, 0.5: "a", np.int64(4): "b"}]).rows[0]] == [
        "step",
        "0.5",
        "4",
    ]


def test_columns_of_numbers_are_aligned_to_the_right():
    for row in grid(ROWS).rows:
        assert ["text-align: right" in attrs.get("style", "") for _, attrs, _ in row] == [
            False, True, True, False,
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "is_right"), [(["0", "12", "-3.5"], True), (["4:2:0", "4:4:4"], False), (["", ""], False)]
)
def test_names_of_rows_are_numbers_where_they_are_nothing_else(names, is_right):
    cell = grid([{"name": name, "x": 1} for name in names]).rows[1][0]
    assert ("style" in cell[1]) == is_right


def test_a_wide_table_scrolls_inside_its_own_box():
    (tag, attrs), *_ = grid(ROWS).tags
    assert tag == "div"
    assert "overflow-x: auto" in attrs["style"]


def test_it_prints_in_columns():
    lines = repr(viz.table([ROWS[0], {"codec": "AVIF", "bits": "12.00"}], "Two")).splitlines()
    assert lines == ["Two", "codec   bits   saved  note", "JPEG    0.25  +0.0 %  4:2:0", "AVIF   12.00"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12345, "12,345"), (np.int64(1024), "1,024"), (np.float32(0.5), "0.5"), (3.14159, "3.142"),
     (True, "True"), ("0.10", "0.10"), (float("nan"), "nan")],
)  # fmt: skip
def test_numbers_are_told_as_one_says_them(value, shown):
    assert grid([{"name": "a", "value": value}]).rows[1][1][2] == shown


@pytest.mark.parametrize("rows", [[], [{}]])
def test_a_table_of_nothing_is_refused(rows):
    with pytest.raises(ValueError, match="at least one"):
        viz.table(rows)
