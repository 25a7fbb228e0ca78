"""Rows of figures as a table: HTML on a page and in a notebook, aligned text everywhere else.

    table([{"codec": "JPEG", "bits per pixel": "0.25", "PSNR": "27.1 dB"},
           {"codec": "flagship", "bits per pixel": "0.24", "PSNR": "29.3 dB"}], caption="Two codecs")

A line of `print` that is wider than a phone has to be scrolled as a whole; a table breaks its headings and
scrolls inside its own box. A screen reader says with each figure what it is a figure of.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

# What begins like a number is one: 0.31, -42.0 %, +3.8 % (-0.4 to +8.1), 1,024 bytes.
NUMBER = re.compile(r"[-+−±<>~]?\s?(?:inf\b|nan\b|[\d,.]*\d(?![\d:]))")
ONLY_NUMBER = re.compile(r"[-+−]?[\d,]*\.?\d+\Z")
RIGHT = ' style="text-align: right"'


class Table:
    """Rows with the same columns; displays itself as HTML, prints itself as text."""

    def __init__(self, rows: Sequence[Mapping[Any, Any]], caption: str) -> None:
        columns = list(dict.fromkeys(column for row in rows for column in row))
        self.columns = [words(column) for column in columns]
        self.cells = [[words(row.get(column)) for column in columns] for row in rows]
        self.caption = caption
        # The first column names its row: it is a number only where nothing but a number stands in it.
        kinds = [ONLY_NUMBER, *[NUMBER] * (len(self.columns) - 1)]
        self.is_number = [
            all(kind.match(cell) for cell in column if cell) and any(column)
            for kind, column in zip(kinds, zip(*self.cells, strict=True), strict=True)
        ]

    def __repr__(self) -> str:
        lines = [self.columns, *self.cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        places = list(zip(widths, self.is_number, strict=True))
        shown = [
            "  ".join(
                cell.rjust(width) if is_number else cell.ljust(width)
                for cell, (width, is_number) in zip(line, places, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.caption, *shown] if self.caption else shown)

    def _repr_html_(self) -> str:
        align = [RIGHT if is_number else "" for is_number in self.is_number]
        heads = "".join(
            # A heading without words is none: the corner above the names of rows.
            f'<th scope="col"{style}>{html.escape(column)}</th>' if column else "<td></td>"
            for column, style in zip(self.columns, align, strict=True)
        )
        body = "".join(f"<tr>{_row(cells, align)}</tr>" for cells in self.cells)
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        return (
            '<div class="own-scroll" style="overflow-x: auto; max-width: 100%">'
            f'<table class="table">{caption}<thead><tr>{heads}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )


def table(rows: Sequence[Mapping[Any, Any]], caption: str = "") -> Any:
    """Return what a notebook shows as a table.

    Args:
        rows: for each row its cells by the names of their columns; what a row lacks stays empty. Text is
            shown as it is, whole numbers with separators, other numbers with four digits. The first column
            names the row; columns of numbers are aligned to the right.
        caption: one line above the table.

    Raises:
        ValueError: no rows, or rows without columns.

    >>> table([{"codec": "JPEG", "bytes": 18795}, {"codec": "AVIF", "bytes": 8290}])
    codec   bytes
    JPEG   18,795
    AVIF    8,290
    """
    if not rows or not any(rows):
        raise ValueError(f"rows: {rows}, at least one with columns is needed")
    return Table(rows, caption)


def words(value: Any) -> str:
    """A cell as text."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()  # of NumPy or torch
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _row(cells: Sequence[str], align: Sequence[str]) -> str:
    """The cells of one row as HTML; the first is its heading."""
    first, *others = (html.escape(cell) for cell in cells)
    data = "".join(f"<td{style}>{cell}</td>" for cell, style in zip(others, align[1:], strict=True))
    return f'<th scope="row"{align[0]}>{first}</th>{data}'
