"""A folder to a folder: what there is to do, what of it is done already, and the manifest of all.

A run can be interrupted at any time, and the same call goes on with what is missing. Outputs are written
whole or not at all (`codec_lib.files`); drafts that a killed process has left are removed at the start,
unless another run is at work there.
"""

import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from codec_lib import search
from codec_lib.errors import PictureWarning
from codec_lib.folders import manifest
from codec_lib.folders.manifest import Row
from codec_lib.folders.place import NO_FILE, Place, State
from codec_lib.folders.places import at
from codec_lib.folders.work import CLC, Job
from codec_lib.models import DEFAULT
from codec_lib.picture import opening

POINTS = "{} (points)"  # the line of what a picture takes at some values of a setting
KINDS_TOLD = 5  # of files that are left out: the most frequent ones
TRIED = 8  # values of a setting that a budget is shared out by

Address = str | os.PathLike | Place  # of a folder, or of what fsspec reaches
Run = Callable[[Iterable[Job]], Iterator[Row]]  # does jobs: `pool.run` here, `cluster.run` on many machines
Told = Callable[[Row, int], None]  # a line, and how many are left


def encode_all(source: Address, target: Address, run: Run, told: Told, /, **options: Any) -> list[Row]:
    """Every picture below `source` to a .clc file below `target`; the lines of all, skipped ones too.

    Pictures are files with an ending of `codec_lib.picture.opening.endings`, and links to such. Links to
    folders are not entered. A PictureWarning says how many other files are left out. Another one tells of
    .clc files below `target` that are of no picture, such as one that has another file now. They stay.

    `options` are those of `codec_lib.encode`; with `target_bytes`, that is the size of all files together.

    Raises:
        ValueError: no pictures, the same folder, not even the smallest files fit into target_bytes, weights
            that no decoder would find, or an option that `encode` would refuse for any picture.
    """
    from codec_lib import codec, weights

    weights.check_readable(options.get("model", DEFAULT))
    source, target = at(source), at(target)
    found, others, closed = _below(source, target, opening.endings())
    outputs = _outputs(list(found), CLC)
    asked: dict[str, Any] = options | {"device": "cpu"}  # where a job runs may be another than here
    codec.checked(**asked)
    budget = options.pop("target_bytes", None)
    each: dict[str, dict[str, Any]] = {path: {} for path in found}
    if budget is not None:
        each, failed = _shares(source, target, found, int(budget), run, told, options)
        closed = [*closed, *failed]
    made_with = _weights_of("encode", options)
    jobs = [
        _job("encode", source, path, target, outputs[path], options | each[path], made_with)
        for path in each
    ]
    rows = _do(jobs, found, target, run, told, closed)
    if others:
        kinds = ", ".join(f"{count} {ending}" for ending, count in others.most_common(KINDS_TOLD))
        _warn(f"files of other kinds, left out: {others.total()} ({kinds})")
    _warn_of_strangers(target)
    return rows


def decode_all(
    source: Address, target: Address, run: Run, told: Told, /, *, ending: str = ".png", **options: Any
) -> list[Row]:
    """Every .clc file below `source` to a picture below `target`.

    Raises ValueError for a folder without any, an ending that no picture has, or a decoder nobody knows.
    """
    from codec_lib import decoders
    from codec_lib.picture import export

    export.check_ending(ending)
    if options.get("decoder") is not None:
        decoders.find(options["decoder"])
    source, target = at(source), at(target)
    found, others, closed = _below(source, target, {CLC})
    outputs = _outputs(list(found), ending)
    made_with = _weights_of("decode", options)
    jobs = [_job("decode", source, path, target, outputs[path], options, made_with) for path in found]
    rows = _do(jobs, found, target, run, told, closed)
    if others[NO_FILE]:
        _warn(f"{CLC} names that are no files, left out: {others[NO_FILE]} ({NO_FILE})")
    _warn_of_strangers(source)
    return rows


def verify_all(place: Address, run: Run, told: Told, *, device: str = "auto") -> list[Row]:
    """Every file that a manifest lists: its bytes and the samples they decode to. Writes nothing.

    Raises ValueError where there is no manifest of files.
    """
    place = at(place)
    known = [row for row in manifest.read(place).values() if row.get("output") and not row.get("error")]
    rows = {row["output"]: row for row in known}.values()  # of two pictures with one file the later one
    if not rows:
        raise ValueError(f"verify: {place.root()}{manifest.NAME} lists no files")
    jobs = [
        Job(
            "verify", row["output"], place, row["output"], None, "", "verify",
            {key: row.get(key) for key in ("sha256", "pixels", "symbols")} | {"device": device},
        )
        for row in rows
    ]  # fmt: skip
    done = []
    for left, row in _counted(run(jobs), len(jobs)):
        done.append(row)
        told(row, left)
    _warn_of_strangers(place)
    return done


def _do(
    jobs: list[Job],
    sources: dict[str, State],
    target: Place,
    run: Run,
    told: Told,
    closed: Collection[Row] = (),
) -> list[Row]:
    """Do what the manifest of `target` does not have yet; `sources` are the states of all files to read.

    The lines of what is `closed` are added.
    """
    rows = manifest.read(target)
    if rows:  # else these may be anybody's files
        target.tidy(manifest.NAME)
    there = target.files()
    todo = [
        job
        for job in jobs
        if not manifest.is_done(rows.get(job.path), sources[job.name], job.task, target, there)
    ]
    waiting = {job.path for job in todo}
    done = [rows[job.path] | {"skipped": True} for job in jobs if job.path not in waiting]
    for row in done:
        told(row, len(todo))
    lines = _counted(chain(closed, run(todo)), len(closed) + len(todo))
    with manifest.writing(target) as writer:
        for left, row in lines:
            writer.add(row)
            done.append(row)
            told(row, left)
    return done


def _shares(
    source: Place, target: Place, found: dict[str, State], budget: int, run: Run, told: Told, options: dict
) -> tuple[dict[str, dict[str, Any]], list[Row]]:
    """The value of the model's setting for each picture, so that all files fit into a budget.

    Also lines of those that have none, since something is wrong with them.
    """
    from codec_lib import weights

    known = weights.load(options.get("model", DEFAULT)).model.setting
    options = options | {"setting": known.name, "values": known.spread(TRIED)}
    made_with = _weights_of("measure", options)
    jobs = [_job("measure", source, path, target, "", options, made_with, POINTS) for path in found]
    rows = {row["path"]: row for row in _do(jobs, found, target, run, told)}
    points = {path: rows[POINTS.format(path)].get("points", []) for path in found}
    good = [path for path in found if points[path]]
    chosen = search.allocate([[(size, error) for _, size, error in points[path]] for path in good], budget)
    values = {path: {known.name: points[path][k][0]} for path, k in zip(good, chosen, strict=True)}
    why = {path: rows[POINTS.format(path)].get("error", "not measured") for path in found}
    return values, [
        {"path": path, "task": "measure", "error": why[path]} for path in found if not points[path]
    ]


def _weights_of(kind: str, options: dict[str, Any]) -> dict[str, str]:
    """The digests of all weights that work of a kind depends on: other weights are another task."""
    from codec_lib import decoders, weights

    found = {}
    if kind != "decode":
        found["weights"] = weights.load(options.get("model", DEFAULT)).digest
    if path_of := decoders.paths().get(options.get("decoder") or ""):
        found["decoder weights"] = weights.card_of(path_of).get("sha256", "")
    return found


def _job(
    kind: str, source: Place, path: str, target: Place, output: str,
    options: dict[str, Any], made_with: dict[str, str], line: str = "{}",
) -> Job:  # fmt: skip
    """A job whose task names all that its result depends on."""
    asked = {key: _as_text(value) for key, value in sorted(options.items()) if key != "device"}
    task = json.dumps([kind, output, asked | made_with])
    return Job(kind, line.format(path), source, path, target, output, task, options)


def _as_text(value: Any) -> str:
    """An option as a task has it: that of a set is the same in every process."""
    return str(sorted(value) if isinstance(value, set | frozenset) else value)


def _outputs(paths: list[str], ending: str) -> dict[str, str]:
    """The output of each file: another ending, or one more where that is, or could be, something else's."""
    stems, names = Counter(_stem(path) for path in paths), set(paths)
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}

    def own(path: str) -> str:
        stem = _stem(path)
        is_free = stems[stem] == 1 and stem not in names and stem + ending not in folders
        name = (stem if is_free else path) + ending
        while name in folders:
            name += ending
        return name

    return {path: own(path) for path in paths}


def _stem(path: str) -> str:
    return path[: -len(PurePosixPath(path).suffix)]


def _below(
    source: Place, target: Place, endings: set[str]
) -> tuple[dict[str, State], Counter[str], list[Row]]:
    """Without what lies in `target`: files of some endings, endings of others, lines of what is closed."""
    if source.root() == target.root():
        raise ValueError(f"output: {target.address} is the input, expected another folder")
    inner = source.beginning_of(target)
    closed: dict[str, str] = {}
    states = source.files(closed)
    if inner:
        for part in (states, closed):
            for name in [name for name in part if name.startswith(inner)]:
                del part[name]
    found = {name: state for name, state in states.items() if _ending(name) in endings}
    others = Counter(_ending(name) or "without ending" for name in states if name not in found)
    others += Counter(why for name, why in closed.items() if why == NO_FILE and _ending(name) in endings)
    lines = [
        {"path": name, "task": "list", "error": f"listing: {why}"}
        for name, why in closed.items()
        if why != NO_FILE
    ]
    if not (found or lines):
        kind = f"{CLC} files" if endings == {CLC} else "pictures"
        raise ValueError(f"input: no {kind} in {source.address}")
    return found, others, lines


def _warn_of_strangers(place: Place) -> None:
    rows = manifest.read(place).values()
    owned = {row.get("output") for row in rows}
    strange = [name for name in place.files() if _ending(name) == CLC and name not in owned]
    if rows and strange:
        _warn(f"{CLC} files of no picture in {manifest.NAME}: {len(strange)}, the first is {strange[0]}")


def _warn(message: str) -> None:
    warnings.warn(message, PictureWarning, stacklevel=3)


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _counted(rows: Iterator[Row], total: int) -> Iterator[tuple[int, Row]]:
    for number, row in enumerate(rows, 1):
        yield total - number, row
