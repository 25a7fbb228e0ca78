"""What a place is that holds a tree of files, whether a folder or a store.

Names of files are paths from the top of the tree, with / between folders. A file is written whole or not
at all, and a manifest's lines are added one by one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

NO_FILE = "dead link or pipe"
State = list[int]  # what changes when a file does: [bytes, time of its last change in ns]
Add = Callable[[bytes], None]  # of a line, with its end


class Place(ABC):
    """The top of a tree of files. It can be sent to other processes."""

    address: str

    @abstractmethod
    def files(self, closed: dict[str, str] | None = None) -> dict[str, State]:
        """All files below, sorted by their names; empty where there is nothing.

        `closed` gets the names of what may not be looked at, folders too, each with the reason, which is
        `NO_FILE` for what is neither. A link to a file is one, a link to a folder is not entered.
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
