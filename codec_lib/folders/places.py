"""Where a tree of files lies: a folder of this machine, or what fsspec has an address for, as s3://bucket/top."""

import errno
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from codec_lib import files
from codec_lib.folders.place import NO_FILE, Add, Place, State
from codec_lib.folders.stores import Store

DRAFT = re.compile(r"\.[0-9a-f]{16}")


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
                    elif closed is not None:
                        closed[self._name(path)] = NO_FILE
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
        path = self.path(name)
        with ExitStack() as stack:
            with _naming(path):
                file = stack.enter_context(open(path, "ab+", buffering=0))
                _lock(file)
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":  # cut by an interruption
                        file.write(b"\n")

            def add(line: bytes) -> None:
                with _naming(path):  # to the disk's cache: a killed process loses none
                    if file.write(line) != len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

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


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the system that name no file, as that of a full disk, name this one."""
    try:
        yield
    except OSError as error:
        if error.filename or not error.strerror:
            raise
        raise type(error)(f"output: {path}: {error.strerror}") from error


def _lock(file: IO[bytes], alone: bool = False) -> bool:
    """Lock a file until it is closed, together with others or `alone`; False where that cannot be."""
    with suppress(ImportError, OSError):  # Windows has none of it, nor has every disk
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        return True
    return False


def _state(path: Path) -> State:
    known = path.stat()
    return [known.st_size, known.st_mtime_ns]
