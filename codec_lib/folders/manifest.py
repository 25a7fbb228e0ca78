"""The record of a folder: a line of JSON for each picture, in the order in which they were finished.

A line is written when all of a picture is on the disk, and never changed. Of several lines about one
picture the last one counts. A line that is cut or damaged is as good as none.

    path           of the picture, from the top of its tree, with / between folders
    source         [bytes, modification time in ns] of what was read
    task           what was asked for; another task makes the line out of date
    output, bytes, sha256      the file that was written, from the top of its tree
    size, mode                 [width, height] and mode of the picture
    pixels                     SHA-256 of the decoded samples, on the machine that wrote the line
    symbols                    the same of the integers in the file, alike on all machines; null: none told
    psnr, largest_error        in dB, null if equal; in levels
    seconds                    of work
    points         of a line "PATH (points)": value of the setting, bytes, squared error, for a budget
    notes          what should be known all the same
    error          one line; then nothing was written
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from codec_lib.folders.place import Add, Place, State

NAME = "manifest.jsonl"

Row = dict[str, Any]

# A line has all of these or none.
OF_OUTPUT = {"output": str, "bytes": int, "sha256": str, "pixels": str}


def read(place: Place) -> dict[str, Row]:
    """The last line about each picture, by its path, in the order of lines; empty without a manifest."""
    rows: dict[str, Row] = {}
    for line in place.lines(NAME).decode("utf-8", errors="replace").splitlines():
        with suppress(ValueError, RecursionError):
            row = json.loads(line)
            if _is_row(row):
                rows.pop(row["path"], None)  # its place is that of its last line
                rows[row["path"]] = row
    return rows


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("path"), str)
        and _are_numbers(row.get("source", [0, 0]), 2)
        and isinstance(row.get("points", []), list)
        and all(_are_numbers(point, 3) for point in row.get("points", []))
        and ("output" not in row or all(isinstance(row.get(key), kind) for key, kind in OF_OUTPUT.items()))
    )


def _are_numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(value, int | float) for value in values)
    )


@contextmanager
def writing(place: Place) -> Iterator["Writer"]:
    """A `Writer` of the place's manifest."""
    with place.adding(NAME) as add:
        yield Writer(add)


class Writer:
    """Adds lines to a manifest."""

    def __init__(self, add: Add):
        self._add = add

    def add(self, row: Row) -> None:
        """Write a line, in ASCII: names of files need not be UTF-8."""
        self._add((json.dumps(row, allow_nan=False) + "\n").encode())


def is_done(row: Row | None, source: State, task: str, target: Place, there: dict[str, State]) -> bool:
    """Whether a line says that a task was done for the source as it is, and its output is still there.

    `there` are the files of the target.
    """
    if row is None or row.get("error") or row.get("task") != task or row.get("source") != source:
        return False
    if "output" not in row:
        return True
    name = row["output"]
    if name not in there or there[name][0] != row.get("bytes"):
        return False
    return target.digest(name) in (None, row.get("sha256"))
