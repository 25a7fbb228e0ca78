"""Progress of a slow encoder: the encoder calls `report`, an interface listens.

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
    """Steps done of all, and the best so far: bytes of a file, estimated, and PSNR in dB."""

    done: int
    total: int
    bytes: int
    psnr: float


Listener = Callable[[Progress], None]
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


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
