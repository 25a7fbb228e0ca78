"""Switches of the whole process: they stand right while any thread needs that, and as before afterwards.

    KEPT = Held()
    with KEPT.held([Switch(Image, "MAX_IMAGE_PIXELS", (1 << 28,))]): ...

A switch is touched only if it stands wrong. The last thread to leave puts it back, unless the application
has set it meanwhile. A child that is forked has none of the other threads: neither their lock nor their
needs.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any


@dataclass(frozen=True)
class Switch:
    """An attribute of a module or an object, and where it may stand: if it is wrong it gets the first."""

    place: Any
    name: str
    right: tuple

    @property
    def stands(self) -> Any:
        """Its value now."""
        return getattr(self.place, self.name)

    def set(self, value: Any) -> None:
        """Give it a value."""
        setattr(self.place, self.name, value)


class Held:
    """How many threads rely on some switches, and how those stood: (switch, as it was set, as it was)."""

    def __init__(self):
        self.lock, self.users = RLock(), 0
        self.before: list[tuple[Switch, Any, Any]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    @contextmanager
    def held(self, switches: Iterable[Switch]) -> Iterator[None]:
        """All of them stand right inside."""
        with self.lock:
            self.users += 1
        try:
            with self.lock:
                for switch in switches:
                    self._set_right(switch)
            yield
        finally:
            with self.lock:
                self.users = max(self.users - 1, 0)  # a child that is forked inside starts from none
                if not self.users:
                    self._put_back()

    def _set_right(self, switch: Switch) -> None:
        stood = switch.stands
        if not any(_same(stood, value) for value in switch.right):
            switch.set(switch.right[0])
            self.before.append((switch, switch.stands, stood))

    def _put_back(self) -> None:
        while self.before:
            switch, was_set, stood = self.before.pop()
            if _same(switch.stands, was_set):  # else the application has set it meanwhile
                switch.set(stood)

    def _after_fork(self) -> None:
        self.lock, self.users = RLock(), 0
        self._put_back()


def _same(one: Any, other: Any) -> bool:
    """Equal and of one type: a number may be of a class that compares otherwise."""
    return type(one) is type(other) and one == other
