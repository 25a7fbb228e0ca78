"""Progress of a slow encoder: the encoder calls `report`, an interface listens, and Ctrl-C ends it early.

>>> with listening(lambda state: print(f"{state.done} of {state.total}: {state.bytes} bytes")):
...     report(Progress(50, 100, 1234, 30.5))
50 of 100: 1234 bytes
>>> report(Progress(51, 100, 1234, 30.5))  # nobody listens
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Steps done of all, and the best so far: bytes of what is searched for, estimated, and PSNR in dB."""

    done: int
    total: int
    bytes: int
    psnr: float


@dataclass
class Stop:
    """Whether somebody has asked for an end."""

    is_asked: bool = False


Listener = Callable[[Progress], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)
_STOP: ContextVar[Stop | None] = ContextVar("stop", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` with every report that is made meanwhile."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def report(state: Progress) -> None:
    """Tell the listener, if there is one."""
    if listener := _LISTENER.get():
        listener(state)


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Learn whether Ctrl-C has ended something `until_stopped` that ran meanwhile."""
    stop = Stop()
    token = _STOP.set(stop)
    try:
        yield stop
    finally:
        _STOP.reset(token)


@contextmanager
def until_stopped() -> Iterator[None]:
    """Ctrl-C ends what runs here and nothing else: what it has found by then is used."""
    try:
        yield
    except KeyboardInterrupt:
        if stop := _STOP.get():
            stop.is_asked = True
