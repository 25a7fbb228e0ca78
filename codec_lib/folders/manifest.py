"""The record of a folder: a line of JSON for each picture, in the order in which they were finished.

A line is written when all of a picture is on the disk, and never changed. Of several lines about one
picture the last one counts. A line that an interruption has cut is as good as none.

    path           of the picture, from the top of its tree, with / between folders
    source         [bytes, modification time in ns] of what was read
    task           what was asked for; another task makes the line out of date
    output, bytes, sha256      the file that was written, from the top of its tree
    size, mode                 [width, height] and mode of the picture
    pixels                     SHA-256 of the decoded samples
    psnr, largest_error        in dB, null if equal; in levels
    seconds                    of work
    notes          what should be known all the same
    error          one line; then nothing was written
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAME = "manifest.jsonl"

Row = dict[str, Any]


def read(folder: Path) -> dict[str, Row]:
    """The last line about each picture, by its path; empty without a manifest."""
    rows: dict[str, Row] = {}
    if (folder / NAME).exists():
        for line in (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                rows[row["path"]] = row
            except (ValueError, TypeError, KeyError):
                continue
    return rows


@contextmanager
def writing(folder: Path) -> Iterator["Writer"]:
    """A `Writer` of the folder's manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / NAME, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # cut by an interruption
                file.write(b"\n")
        yield Writer(file)


class Writer:
    """Adds lines to a manifest."""

    def __init__(self, file: Any):
        self.file = file

    def add(self, row: Row) -> None:
        """Write a line and hand it to the disk's cache: a killed process loses none."""
        line = json.dumps(row, allow_nan=False)  # in ASCII: names of files need not be UTF-8
        self.file.write((line + "\n").encode())
        self.file.flush()


def is_done(row: Row | None, source: Path, task: str, target: Path) -> bool:
    """Whether a line says that a task was done for the source as it is, and its output is still there."""
    if row is None or row.get("error") or row.get("task") != task or row.get("source") != state(source):
        return False
    if "output" not in row:
        return True
    output = target / row["output"]
    try:
        return sha256(output.read_bytes()) == row["sha256"]
    except (OSError, KeyError):
        return False


def state(path: Path) -> list[int]:
    """What changes when a file does: [bytes, modification time in ns]."""
    known = path.stat()
    return [known.st_size, known.st_mtime_ns]


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
