"""Files in and out: whole or not at all.

A file that is written piece by piece in its own place is broken for as long as that takes, and stays so if
the disk gets full. So the bytes go to a draft in the same folder, to the disk, and then the draft takes the
file's name, which is one step: a reader sees the old file or the new one. Only what is a file can be
replaced. A device or a pipe is written through; of a link the file that it leads to is replaced.

The path "-" is standard input or standard output. A file of this name is "./-", as a string: pathlib drops
the dot.
"""

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

AnyPath = str | os.PathLike

STANDARD_OUTPUT = ("-", "/dev/stdout")
LONGEST = 1 << 31  # bytes of a stream; the largest picture, in 16 bits with alpha, has half of it
PIECE = 1 << 20  # bytes that are read of a stream at once


def read(path: AnyPath) -> bytes:
    """All bytes of a file, or of standard input for "-".

    Raises:
        OSError, ValueError: no such file, a folder, a device, not allowed, a stream that goes on after
            LONGEST bytes; the message is one line.
    """
    if os.path.isdir(path):
        raise ValueError(f"input: {path} is a folder, expected a file")
    is_standard = os.fspath(path) == "-"
    if is_standard and sys.stdin is None:
        raise OSError("input: there is no standard input")
    try:
        if is_standard:
            return _all_of(sys.stdin.buffer, path)
        if not has_an_end(path):
            raise ValueError(f"{path} is a device, expected a file")
        return contents(path)
    except ValueError as error:
        raise ValueError(f"input: {error}") from None
    except OSError as error:
        raise type(error)(f"input: {path}: {error.strerror or error}") from error


def contents(path: AnyPath) -> bytes:
    """All bytes of a file or a pipe; ValueError for a stream that goes on after LONGEST bytes."""
    with open(path, "rb") as file:
        return file.read() if os.path.isfile(path) else _all_of(file, path)


def _all_of(file: BinaryIO, path: AnyPath) -> bytes:
    """All bytes of a stream, which may have no end: it is read no further than just beyond LONGEST."""
    data = bytearray()
    while piece := file.read(PIECE):
        data += piece
        if len(data) > LONGEST:
            raise ValueError(f"{path} has more than {LONGEST} bytes")
    return bytes(data)


def has_an_end(path: AnyPath) -> bool:
    """Whether a path leads to a file or a pipe; a device, such as /dev/zero, may go on for ever."""
    kind = os.stat(path).st_mode
    return stat.S_ISREG(kind) or stat.S_ISFIFO(kind)


def check_output(path: AnyPath, source: AnyPath | None = None) -> None:
    """Refuse, before any work is done, an output that `write` could not write.

    Args:
        path: where the output is to go.
        source: where the input comes from; the output must not replace it, under whatever name.
    Raises:
        ValueError: the path is a folder, lies in none, is read-only (also for root, whom permissions do
            not stop), or is the source; the message is one line.
    """
    if os.fspath(path) in STANDARD_OUTPUT:
        return
    if not os.fspath(path):
        raise ValueError("output: an empty name, expected a path")
    if os.path.isdir(path) or os.path.basename(path) in ("", ".", ".."):
        raise ValueError(f"output: {path} is a folder, expected a file")
    if _is_special(path):
        places = [path]
    else:
        target = os.path.realpath(path)
        places = [target, os.path.dirname(target)]
        if os.path.islink(target):
            raise ValueError(f"output: {path} is a link that leads to itself")
        if not os.path.isdir(places[1]):
            raise ValueError(f"output: there is no folder {places[1]}")
        if source is not None and os.fspath(source) != "-" and _are_same(target, source):
            raise ValueError(f"output: {path} is the input, expected another file")
    for place in places:
        if os.path.exists(place) and not (os.access(place, os.W_OK) and os.stat(place).st_mode & 0o222):
            raise ValueError(f"output: {place} is read-only")


def write(path: AnyPath, data: bytes) -> None:
    """Make `data` the content of a file, or send it to a device, a pipe, or "-", standard output.

    A file keeps its permissions; a new one has those that the umask leaves. If anything goes wrong, a file
    is what it was and no draft stays behind (unless the process is killed while it writes).

    Raises:
        ValueError: what `check_output` refuses.
        OSError: the disk is full, the reader of a pipe is gone; the message is one line.
    """
    check_output(path)
    try:
        if os.fspath(path) in STANDARD_OUTPUT:
            _print(data)
        elif _is_special(path):
            with open(os.open(path, os.O_WRONLY), "wb") as file:
                file.write(data)
        else:
            _replace(os.path.realpath(path), data)
    except OSError as error:
        raise type(error)(f"output: {path}: {error.strerror or error}") from error


def flush() -> None:
    """Send what was printed to standard output; OSError if its disk is full or its reader gone."""
    if sys.stdout is None:
        return
    try:
        with _sending():
            sys.stdout.flush()
    except OSError as error:
        raise type(error)(f"output: -: {error.strerror or error}") from error


def is_stream(path: AnyPath) -> bool:
    """Whether an output is no file: standard output, a device, a pipe."""
    return os.fspath(path) in STANDARD_OUTPUT or _is_special(path)


def _is_special(path: AnyPath) -> bool:
    """Whether something is there that is no file: a device, a pipe."""
    return os.path.exists(path) and not os.path.isfile(path)


def _are_same(path: AnyPath, other: AnyPath) -> bool:
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _print(data: bytes) -> None:
    if sys.stdout is None:
        raise OSError("there is no standard output")
    with _sending():
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextmanager
def _sending() -> Iterator[None]:
    """What cannot be sent is given up: it would fail once more when Python exits, with a traceback."""
    try:
        yield
    except OSError:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise


def _replace(target: str, data: bytes) -> None:
    draft = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}")
    kept = stat.S_IMODE(os.stat(target).st_mode) & 0o777 if os.path.exists(target) else None
    mode = 0o666 if kept is None else 0o600  # nobody may read in a draft what the file keeps from them
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if kept is not None:
            os.chmod(draft, kept)
        os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)
