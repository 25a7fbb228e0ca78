"""What Pillow reads is up to us while we read, whatever the application has set.

Pillow keeps three limits in variables of the whole process: how many pixels a picture may have, how long
a text or profile of a PNG may be, and whether half a file will do. Here they are those of our own files.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image, ImageFile, PngImagePlugin

from codec_lib.header import MAX_PIXELS

MAX_TEXT = 64 << 20  # bytes; what goes into a file of ours is limited in `metadata.py`


class _NoDouble(int):
    """A number that is not more when doubled: up to twice its limit Pillow only warns, and then refuses."""

    def __rmul__(self, factor: int) -> int:
        return int(self)


class _Limits:
    """Pillow's limits as they are while any thread reads here, and as they were before."""

    def __init__(self):
        self.lock, self.readers = threading.Lock(), 0
        self.own: tuple[tuple[Any, str, Any], ...] = (
            (Image, "MAX_IMAGE_PIXELS", _NoDouble(MAX_PIXELS)),
            (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
            (PngImagePlugin, "MAX_TEXT_CHUNK", MAX_TEXT),
        )
        self.before: list[Any] = []

    def put_in(self) -> None:
        self.before = [getattr(module, name) for module, name, _ in self.own]
        for module, name, value in self.own:
            setattr(module, name, value)

    def put_back(self) -> None:
        for (module, name, value), before in zip(self.own, self.before, strict=False):
            if getattr(module, name) is value:  # else the application has set it meanwhile
                setattr(module, name, before)
        self.before = []

    def after_fork(self) -> None:
        """A child has none of the other threads: neither their lock nor their readers."""
        self.lock, self.readers = threading.Lock(), 0
        self.put_back()


_limits = _Limits()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limits.after_fork)


@contextmanager
def own_limits() -> Iterator[None]:
    """Pillow takes whole pictures up to our size, in whatever thread; the last one out puts all back."""
    with _limits.lock:
        if not _limits.readers:
            _limits.put_in()
        _limits.readers += 1
    try:
        yield
    finally:
        with _limits.lock:
            _limits.readers = max(_limits.readers - 1, 0)  # a child that forks here starts from none
            if not _limits.readers:
                _limits.put_back()
