"""The commands for whole folders: encode-all, decode-all, verify-all.

Exit status 1 where a picture could not be done; all others are done all the same, and a line on stderr says
how many are not, and where the first of them is.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from codec_lib.folders import pool, tree
from codec_lib.folders.manifest import NAME, Row
from codec_lib.terminal import fail

MEGA = 1e6


def encode_all(options: argparse.Namespace, given: dict[str, Any]) -> int:
    """`given` are the arguments of `codec_lib.encode` that the command line asks for."""
    _check_folder(options)
    with _bar("encoding") as told:
        rows = tree.encode_all(options.input, options.output, _processes(options), told, **given)
    return _end(rows, options.output / NAME)


def decode_all(options: argparse.Namespace) -> int:
    _check_folder(options)
    given = {"decoder": options.decoder, "device": options.device}
    with _bar("decoding") as told:
        rows = tree.decode_all(
            options.input, options.output, _processes(options), told, options.ending, **given
        )
    return _end(rows, options.output / NAME)


def verify_all(options: argparse.Namespace) -> int:
    _check_folder(options)
    with _bar("verifying") as told:
        rows = tree.verify_all(options.input, _processes(options), told, options.device)
    return _end(rows, options.input / NAME)


def _check_folder(options: argparse.Namespace) -> None:
    if not options.input.is_dir():
        raise ValueError(f"input: there is no folder {options.input}")
    if hasattr(options, "output") and options.output.exists() and not options.output.is_dir():
        raise ValueError(f"output: {options.output} is no folder")


def _processes(options: argparse.Namespace) -> int:
    return options.processes or pool.cores()


@contextmanager
def _bar(what: str) -> Iterator[Callable[[Row, int], None]]:
    """A bar on a terminal: pictures, megapixels a second, bytes in and out, time left."""
    pixels = taken = made = 0
    with tqdm(desc=what, unit="picture", disable=not sys.stderr.isatty(), smoothing=0) as bar:

        def told(row: Row, left: int) -> None:
            nonlocal pixels, taken, made
            if row.get("skipped"):
                return
            width, height = row.get("size") or (0, 0)
            pixels, taken = pixels + width * height, taken + row.get("source", [0])[0]
            made += row.get("bytes", 0)
            bar.total = bar.n + 1 + left
            elapsed = max(bar.format_dict["elapsed"], 1e-9)
            rate = f"{pixels / MEGA / elapsed:.1f} MP/s"
            bar.set_postfix_str(f"{rate}, {taken / MEGA:.1f} MB in, {made / MEGA:.2f} out", refresh=False)
            bar.update()

        yield told


def _end(rows: list[Row], path: Any) -> int:
    """Sums on stdout; 1 where something went wrong."""
    wrong = [row for row in rows if row.get("error")]
    skipped = sum(bool(row.get("skipped")) for row in rows)
    total = sum(row.get("bytes", 0) for row in rows if not row.get("error"))
    print(f"pictures  {len(rows) - len(wrong)}, {skipped} of them done before")
    print(f"bytes     {total}")
    if not wrong:
        return 0
    first = wrong[0]
    return fail(f"{len(wrong)} of {len(rows)} failed, see {path}; {first['path']}: {first['error']}")
