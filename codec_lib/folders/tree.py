"""A folder to a folder: what there is to do, what of it is done already, and the manifest of all.

A run can be interrupted at any time, and the same call goes on with what is missing. Outputs are written
whole or not at all (`codec_lib.files`); drafts that a killed process has left are removed at the start.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from codec_lib import data, search, setting
from codec_lib.folders import manifest, pool
from codec_lib.folders.manifest import Row
from codec_lib.folders.work import Job
from codec_lib.models import DEFAULT

DRAFT = re.compile(r"\.[0-9a-f]{16}")
CLC = ".clc"
POINTS = "{} (points)"  # the line of what a picture takes at some values of a setting
TRIED = 8  # values of a setting that a budget is shared out by

Told = Callable[[Row, int], None]  # a line, and how many are left


def encode_all(source: Path, target: Path, processes: int, told: Told, **options: Any) -> list[Row]:
    """Every picture below `source` to a .clc file below `target`; the lines of all, skipped ones too.

    `options` are those of `codec_lib.encode`; with `target_bytes`, that is the size of all files together.

    Raises:
        ValueError: no pictures, the same folder, or not even the smallest files fit into target_bytes.
    """
    paths = _below(source, target, data.pictures_in(source))
    outputs = _outputs(paths)
    budget = options.pop("target_bytes", None)
    each: dict[str, dict[str, Any]] = {path: {} for path in paths}
    if budget is not None:
        each = _shares(source, target, paths, int(budget), processes, told, options)
    jobs = [_job("encode", source, path, target, outputs[path], options | each[path]) for path in paths]
    return _run(jobs, target, processes, told)


def decode_all(
    source: Path, target: Path, processes: int, told: Told, ending: str = ".png", **options: Any
) -> list[Row]:
    """Every .clc file below `source` to a picture below `target`.

    Raises ValueError for a folder without any, and for an ending that no picture has.
    """
    from codec_lib import export

    export.check_ending(ending)
    paths = _below(source, target, _files_in(source))
    jobs = [
        _job("decode", source, path, target, path.removesuffix(CLC) + ending, options) for path in paths
    ]
    return _run(jobs, target, processes, told)


def verify_all(folder: Path, processes: int, told: Told, device: str = "auto") -> list[Row]:
    """Every file that a manifest lists: its bytes and the samples they decode to. Writes nothing.

    Raises ValueError where there is no manifest of files.
    """
    rows = [row for row in manifest.read(folder).values() if row.get("output") and not row.get("error")]
    if not rows:
        raise ValueError(f"verify: {folder / manifest.NAME} lists no files")
    jobs = [
        Job(
            "verify", row["output"], folder / row["output"], None, None, "verify",
            {"sha256": row["sha256"], "pixels": row["pixels"], "device": device},
        )
        for row in rows
    ]  # fmt: skip
    done = []
    for left, row in _counted(pool.run(jobs, processes), len(jobs)):
        done.append(row)
        told(row, left)
    return done


def _run(jobs: list[Job], target: Path, processes: int, told: Told) -> list[Row]:
    """Do what the manifest of `target` does not have yet."""
    rows = manifest.read(target)
    _remove_drafts(target)
    todo = [job for job in jobs if not manifest.is_done(rows.get(job.path), job.source, job.task, target)]
    waiting = {job.path for job in todo}
    done = [rows[job.path] | {"skipped": True} for job in jobs if job.path not in waiting]
    for row in done:
        told(row, len(todo))
    with manifest.writing(target) as writer:
        for left, row in _counted(pool.run(todo, processes), len(todo)):
            writer.add(row)
            done.append(row)
            told(row, left)
    return done


def _shares(
    source: Path, target: Path, paths: list[str], budget: int, processes: int, told: Told, options: dict
) -> dict[str, dict[str, Any]]:
    """The value of the model's setting for each picture, so that all files fit into a budget."""
    from codec_lib import weights

    known = weights.load(options.get("model", DEFAULT)).model.setting
    options = options | {"setting": known.name, "values": _values(known)}
    jobs = [_job("measure", source, path, target, None, options, POINTS) for path in paths]
    rows = {row["path"]: row for row in _run(jobs, target, processes, told)}
    points = {path: rows[POINTS.format(path)].get("points", []) for path in paths}
    good = [path for path in paths if points[path]]
    chosen = search.allocate([[(size, error) for _, size, error in points[path]] for path in good], budget)
    values = {path: {known.name: points[path][k][0]} for path, k in zip(good, chosen, strict=True)}
    return {path: values.get(path, {}) for path in paths}


def _values(known: setting.Setting) -> list[float]:
    """`TRIED` values of a setting, its ends included, the coarsest first."""
    return sorted({known.at(round(k * known.last / (TRIED - 1))) for k in range(TRIED)})


def _job(
    kind: str, source: Path, path: str, target: Path, output: str | None, options: dict, name: str = "{}"
) -> Job:
    """A job whose task names all that its result depends on: other weights are another task."""
    from codec_lib import weights

    asked = {key: str(value) for key, value in sorted(options.items()) if key != "device"}
    if kind != "decode":
        asked["weights"] = weights.load(options.get("model", DEFAULT)).digest
    task = json.dumps([kind, output, asked])
    place = target / output if output else None
    return Job(kind, name.format(path), source / path, place, output, task, options)


def _outputs(paths: list[str]) -> dict[str, str]:
    """The file of each picture: another ending, or one more where that could be another picture's file."""
    stems, names = Counter(_stem(path) for path in paths), set(paths)

    def own(path: str) -> str:
        stem = _stem(path)
        return (stem if stems[stem] == 1 and stem not in names else path) + CLC

    return {path: own(path) for path in paths}


def _stem(path: str) -> str:
    return path[: -len(Path(path).suffix)]


def _files_in(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.rglob("*" + CLC) if path.is_file())
    if not paths:
        raise ValueError(f"input: no {CLC} files in {folder}")
    return paths


def _below(source: Path, target: Path, paths: list[Path]) -> list[str]:
    """Names of paths from the top of `source`, without what lies in `target`."""
    if source.resolve() == target.resolve():
        raise ValueError(f"output: {target} is the input, expected another folder")
    inner = target.resolve()
    return [path.relative_to(source).as_posix() for path in paths if inner not in path.resolve().parents]


def _remove_drafts(folder: Path) -> None:
    """Only below a folder that has a manifest: nobody else's files have such names there."""
    if (folder / manifest.NAME).exists():
        for path in folder.rglob(".*"):
            if DRAFT.fullmatch(path.name) and path.is_file():
                with suppress(FileNotFoundError):
                    path.unlink()


def _counted(rows: Iterator[Row], total: int) -> Iterator[tuple[int, Row]]:
    for number, row in enumerate(rows, 1):
        yield total - number, row
