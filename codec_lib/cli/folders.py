"""The commands for whole folders: encode-all, decode-all, verify-all.

Exit status 1 where a picture could not be done; all others are done all the same, and a line on stderr says
how many are not, and where the first of them is. Another one says how many have notes, such as that 16 bits
became 8.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from codec_lib.cli.terminal import fail, show
from codec_lib.devices import pick_device
from codec_lib.errors import PictureWarning
from codec_lib.folders import places, pool, tree
from codec_lib.folders.manifest import NAME, Row

MEGA = 1e6


def encode_all(options: argparse.Namespace, given: dict[str, Any]) -> int:
    """`given` are the arguments of `codec_lib.encode` that the command line asks for."""
    _check_folder(options)
    with _bar("encoding") as told:
        rows = tree.encode_all(options.input, options.output, _run(options), told, **given)
    return _end(rows, options.output)


def decode_all(options: argparse.Namespace) -> int:
    _check_folder(options)
    given = {"decoder": options.decoder, "device": options.device}
    with _bar("decoding") as told:
        rows = tree.decode_all(
            options.input, options.output, _run(options), told, ending=options.ending, **given
        )
    return _end(rows, options.output)


def verify_all(options: argparse.Namespace) -> int:
    _check_folder(options)
    with _bar("verifying") as told:
        rows = tree.verify_all(options.input, _run(options), told, device=options.device)
    return _end(rows)


def _check_folder(options: argparse.Namespace) -> None:
    for address in (options.input, getattr(options, "output", options.input)):
        places.at(address)  # which says what is missing for one that is no folder
    if _is_here(options.input) and not Path(options.input).is_dir():
        raise ValueError(f"input: there is no folder {options.input}")
    output = getattr(options, "output", None)
    if output and _is_here(output) and Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"output: {output} is no folder")


def _is_here(address: str) -> bool:
    return "://" not in address


def _run(options: argparse.Namespace) -> tree.Run:
    """Where the work is done: on the cores of this machine, or on the machines of a Ray cluster."""
    if options.ray is None:
        pick_device(options.device)  # which raises now where there is no such device
        return partial(pool.run, processes=options.processes)
    from codec_lib.folders import cluster

    gpu = options.device == "cuda"
    return partial(cluster.run, address=options.ray, processes=options.processes, gpus=1 if gpu else 0)


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


def _end(rows: list[Row], place: str | None = None) -> int:
    """Sums on stdout, lines on what is worth knowing on stderr; 1 where something went wrong.

    `place` is the folder whose manifest has all of it, if any has.
    """
    see = f" see {place}/{NAME};" if place else ""
    wrong = [row for row in rows if row.get("error")]
    skipped = sum(bool(row.get("skipped")) for row in rows)
    total = sum(row.get("bytes", 0) for row in rows if not row.get("error"))
    before = f", {skipped} of them done before" if skipped else ""
    print(f"pictures  {len(rows) - len(wrong)}{before}")
    print(f"bytes     {total}")
    noted = [row for row in rows if row.get("notes") and not (row.get("error") or row.get("skipped"))]
    if noted:
        first = noted[0]
        show(f"notes: on {len(noted)} files;{see} {first['path']}: {first['notes'][0]}", PictureWarning)
    if not wrong:
        return 0
    first = wrong[0]
    return fail(f"{len(wrong)} of {len(rows)} failed;{see} {first['path']}: {first['error']}")
