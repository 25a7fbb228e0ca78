"""Where a tree of files lies: a folder of this machine, or what fsspec has an address for, as s3://bucket/top.

Names of files are paths from the top of the tree, with / between folders. A file is written whole or not
at all in both, and a manifest's lines are added one by one, which an object store has no call for: there,
they become small parts, which are joined when all is done.
"""

import hashlib
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from codec_lib import files

State = list[int]  # what changes when a file does: [bytes, time of its last change in ns]
Add = Callable[[bytes], None]  # of a line, with its end

DRAFT = re.compile(r"\.[0-9a-f]{16}")
PART_LINES, PART_SECONDS = 200, 30.0  # a part is written when it has so many lines, or is so old


class Place(ABC):
    """The top of a tree of files. It can be sent to other processes."""

    address: str

    @abstractmethod
    def files(self, closed: dict[str, str] | None = None) -> dict[str, State]:
        """All files below, sorted by their names; empty where there is nothing.

        `closed` gets the names of what may not be looked at, folders too, each with the reason. A link to a
        file is one, a link to a folder is not entered.
        """

    @abstractmethod
    def path(self, name: str) -> Any:
        """A file as `codec_lib.encode` takes it."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes of a file."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """A file, whole or not at all; folders on the way are made."""

    @abstractmethod
    def state(self, name: str) -> State:
        """That of one file."""

    @abstractmethod
    def lines(self, name: str) -> bytes:
        """All that was added to a file, in order; the last line may be cut. Empty where there is none."""

    @abstractmethod
    def adding(self, name: str) -> Any:
        """A context: the function that adds a line to a file."""

    @abstractmethod
    def root(self) -> str:
        """One spelling of the address, the same for all that lead there; it ends with /."""

    def digest(self, name: str) -> str | None:
        """SHA-256 of a file; None where to read all files again would cost what writing them did."""
        return None

    def beginning_of(self, other: "Place") -> str | None:
        """How names begin of what lies in another place; None if that is not below this one."""
        mine, its = self.root(), other.root()
        return its.removeprefix(mine) if its.startswith(mine) and its != mine else None

    def tidy(self, name: str) -> None:
        """Remove what a killed process has left half, unless somebody is `adding` to this file now."""
        return


@dataclass(frozen=True)
class Folder(Place):
    """A folder of this machine, or one that all machines see under the same path."""

    address: str

    def files(self, closed: dict[str, str] | None = None) -> dict[str, State]:
        found = {}

        def refused(error: OSError) -> None:
            if closed is not None and not isinstance(error, FileNotFoundError):  # gone by now
                closed[self._name(Path(error.filename))] = str(error.strerror)

        for folder, _, names in os.walk(self._top, onerror=refused):
            for path in (Path(folder, name) for name in names):
                try:
                    if path.is_file():
                        found[self._name(path)] = _state(path)
                except OSError as error:
                    refused(error)
        return dict(sorted(found.items()))

    def path(self, name: str) -> Path:
        """Raises ValueError for a name, from a store or a manifest, that leads out of the folder."""
        if name.startswith("/") or ".." in name.split("/") or Path(name).is_absolute():
            raise ValueError(f"name: {name}; it leads out of the folder {self.address}")
        return self._top / name

    def read(self, name: str) -> bytes:
        return files.read(self.path(name))

    def write(self, name: str, data: bytes) -> None:
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        files.write(self.path(name), data)

    def state(self, name: str) -> State:
        return _state(self.path(name))

    def lines(self, name: str) -> bytes:
        return self.path(name).read_bytes() if self.path(name).exists() else b""

    @contextmanager
    def adding(self, name: str) -> Iterator[Add]:
        self._top.mkdir(parents=True, exist_ok=True)
        with open(self.path(name), "ab+") as file:
            _lock(file)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # cut by an interruption
                    file.write(b"\n")

            def add(line: bytes) -> None:
                file.write(line)
                file.flush()  # to the disk's cache: a killed process loses none

            yield add

    def root(self) -> str:
        return self._top.resolve().as_posix().rstrip("/") + "/"

    def digest(self, name: str) -> str:
        return sha256(self.path(name).read_bytes())

    def tidy(self, name: str) -> None:
        with open(self.path(name), "ab") as file:
            if not _lock(file, alone=True):
                return  # the drafts may be of a run at work
            for path in self._top.rglob(".*"):
                if DRAFT.fullmatch(path.name) and path.is_file():
                    with suppress(FileNotFoundError):
                        path.unlink()

    def _name(self, path: Path) -> str:
        return path.relative_to(self._top).as_posix()

    @property
    def _top(self) -> Path:
        return Path(self.address)


@dataclass(frozen=True)
class Store(Place):
    """What fsspec reaches: an object store, another machine's disk."""

    address: str

    def files(self, closed: dict[str, str] | None = None) -> dict[str, State]:
        fs, top = self._opened
        with suppress(FileNotFoundError):
            found = fs.find(top, detail=True)
            return {path.removeprefix(top).lstrip("/"): _state_of(found[path]) for path in sorted(found)}
        return {}

    def path(self, name: str) -> bytes:
        return self.read(name)

    def read(self, name: str) -> bytes:
        fs, top = self._opened
        return fs.cat_file(f"{top}/{name}")

    def write(self, name: str, data: bytes) -> None:
        fs, top = self._opened
        path = f"{top}/{name}"
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, data)

    def state(self, name: str) -> State:
        fs, top = self._opened
        return _state_of(fs.info(f"{top}/{name}"))

    def lines(self, name: str) -> bytes:
        return b"".join(self.read(part) for part in (name, *self._parts(name)) if self._has(part))

    @contextmanager
    def adding(self, name: str) -> Iterator[Add]:
        waiting, began = [], time.monotonic()

        def add(line: bytes) -> None:
            nonlocal began
            waiting.append(line)
            if len(waiting) >= PART_LINES or time.monotonic() - began > PART_SECONDS:
                store()
                began = time.monotonic()

        def store() -> None:
            self.write(f"{name}.parts/{time.time_ns()}", b"".join(waiting))
            waiting.clear()

        try:
            yield add
        finally:
            if waiting:
                store()
        parts = self._parts(name)
        self.write(name, self.lines(name))
        fs, top = self._opened
        for part in parts:
            fs.rm_file(f"{top}/{part}")

    def root(self) -> str:
        return self.address.rstrip("/") + "/"

    def _parts(self, name: str) -> list[str]:
        fs, top = self._opened
        fs.invalidate_cache()
        with suppress(FileNotFoundError):
            return sorted(
                f"{name}.parts/{os.path.basename(path)}" for path in fs.find(f"{top}/{name}.parts")
            )
        return []

    def _has(self, name: str) -> bool:
        fs, top = self._opened
        return fs.exists(f"{top}/{name}")

    @property
    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # which keeps what is open

        fs, top = url_to_fs(self.address)
        return fs, top.rstrip("/")


def at(address: str | os.PathLike | Place) -> Place:
    """The place of an address.

    Raises ValueError for an empty one, and ImportError, with the command that mends it, for one that needs
    a package which is not there.
    """
    if isinstance(address, Place):
        return address
    address = os.fspath(address).removeprefix("file://")
    if not address:
        raise ValueError("folder: an empty name, expected a path")
    if "://" not in address:
        return Folder(os.path.abspath(address))  # other processes may work elsewhere
    try:
        import fsspec

        fsspec.get_filesystem_class(address.partition("://")[0])
    except ImportError as error:
        raise ImportError(
            f"{address}: {error}; pip install 'codec_lib[remote]' has the general part"
        ) from error
    except ValueError as error:
        raise ValueError(f"{address}: {error}") from error
    return Store(address)


def sha256(data: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def _lock(file: BinaryIO, alone: bool = False) -> bool:
    """Lock a file until it is closed, together with others or `alone`; False where that cannot be."""
    with suppress(ImportError, OSError):  # Windows has none of it, nor has every disk
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        return True
    return False


def _state(path: Path) -> State:
    known = path.stat()
    return [known.st_size, known.st_mtime_ns]


def _state_of(info: dict[str, Any]) -> State:
    """Of what a store tells about a file: stores name the time differently, and some tell none."""
    when = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created") or 0
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    seconds = when.timestamp() if isinstance(when, datetime) else float(when)
    return [int(info["size"]), round(seconds * 1e9)]
