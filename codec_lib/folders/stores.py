"""A tree of files in what fsspec reaches: an object store, another machine's disk.

A manifest's lines are added one by one, which an object store has no call for. They become small parts,
`manifest.jsonl.parts/TIME-RUN`, which are joined when all is done, unless another run is adding its own.
"""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from codec_lib.folders.place import Add, Place, State

PART_LINES, PART_SECONDS = 200, 30.0  # a part is written when it has so many lines, or is so old
PART = re.compile(r"\d+-[0-9a-f]{8}")  # others' objects, such as a console's marker of a folder, are none
ABANDONED = 24 * 3600 * 10**9  # ns: parts of another run that are older are of one that has ended


@dataclass(frozen=True)
class Store(Place):
    """What fsspec reaches: an object store, another machine's disk."""

    address: str

    def files(self, closed: dict[str, str] | None = None) -> dict[str, State]:
        found: dict[str, Any] = {}
        with self._client() as (fs, top), suppress(FileNotFoundError):
            if _has_folders(fs):
                refused: dict[str, str] = {}
                found = {entry["name"]: entry for entry in _listed(fs, top, refused)}
                if closed is not None:
                    closed |= {self._below(path) or ".": why for path, why in refused.items()}
            else:
                found = fs.find(top, detail=True)  # all at once, or an error
        return {self._below(path): _state_of(found[path]) for path in sorted(found)}

    def path(self, name: str) -> bytes:
        return self.read(name)

    def read(self, name: str) -> bytes:
        with self._client() as (fs, top):
            return fs.cat_file(f"{top}/{name}")

    def write(self, name: str, data: bytes) -> None:
        with self._client() as (fs, top):
            path = f"{top}/{name}"
            fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            fs.pipe_file(path, data)

    def state(self, name: str) -> State:
        with self._client() as (fs, top):
            return _state_of(fs.info(f"{top}/{name}"))

    def lines(self, name: str) -> bytes:
        found = []
        for part in (name, *self._parts(name)):
            with suppress(FileNotFoundError):  # another run has joined it
                found.append(self.read(part))
        return b"".join(found)

    @contextmanager
    def adding(self, name: str) -> Iterator[Add]:
        waiting, began, run = [], time.monotonic(), secrets.token_hex(4)

        def add(line: bytes) -> None:
            nonlocal began
            waiting.append(line)
            if len(waiting) >= PART_LINES or time.monotonic() - began > PART_SECONDS:
                store()
                began = time.monotonic()

        def store() -> None:
            self.write(f"{name}.parts/{time.time_ns()}-{run}", b"".join(waiting))
            waiting.clear()

        try:
            yield add
        finally:
            if waiting:
                store()
            self._join(name, run)  # an interrupted run, too; one that was killed leaves its parts

    def _join(self, name: str, run: str) -> None:
        """Put the parts into the file, unless another run is adding: it could lose its lines."""
        parts, now = self._parts(name), time.time_ns()
        others = [part for part in parts if not part.endswith(run)]
        if any(now - int(os.path.basename(part).partition("-")[0]) < ABANDONED for part in others):
            return
        self.write(name, self.lines(name))
        with self._client() as (fs, top):
            for part in parts:
                with suppress(FileNotFoundError):
                    fs.rm_file(f"{top}/{part}")

    def root(self) -> str:
        return self.address.rstrip("/") + "/"

    def _parts(self, name: str) -> list[str]:
        with self._client() as (fs, top), suppress(FileNotFoundError):
            fs.invalidate_cache()
            found = map(os.path.basename, fs.find(f"{top}/{name}.parts"))
            return sorted(f"{name}.parts/{part}" for part in found if PART.fullmatch(part))
        return []

    def _below(self, path: str) -> str:
        """The name of what a client calls by its path."""
        with self._client() as (_, top):
            return path.removeprefix(top).lstrip("/")

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, str]]:
        """The file system and the path of the top; whatever its client raises is an OSError."""
        from fsspec.core import url_to_fs  # which keeps what is open

        try:
            fs, top = url_to_fs(self.address)
            yield fs, top.rstrip("/")
        except (OSError, ValueError, ImportError):
            raise
        except Exception as error:  # clients of stores have classes of their own
            words = " ".join(str(error).split()) or type(error).__name__
            raise OSError(f"{self.address}: {words}") from error


def _has_folders(fs: Any) -> bool:
    """Whether a file system is listed folder by folder, so that one may be closed and others not."""
    from fsspec.asyn import AsyncFileSystem
    from fsspec.spec import AbstractFileSystem

    is_generic = type(fs).find is AbstractFileSystem.find
    return is_generic or (isinstance(fs, AsyncFileSystem) and type(fs)._find is AsyncFileSystem._find)


def _listed(fs: Any, folder: str, refused: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What fsspec tells of every file below; `refused` gets the folders that may not be listed, and why."""
    try:
        entries = fs.ls(folder, detail=True)
    except FileNotFoundError:
        return
    except OSError as error:
        refused[folder] = error.strerror or str(error)
        return
    for entry in entries:
        if entry["type"] != "directory":
            yield entry
        elif not entry.get("islink") and entry["name"].rstrip("/") != folder:
            yield from _listed(fs, entry["name"].rstrip("/"), refused)


def _state_of(info: dict[str, Any]) -> State:
    """Of what a store tells about a file: the time has several names, and some tell none, nor a size."""
    when = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created") or 0
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    seconds = when.timestamp() if isinstance(when, datetime) else float(when)
    return [int(info.get("size") or 0), round(seconds * 1e9)]
