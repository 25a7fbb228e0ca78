"""What libtiff finds wrong with a TIFF while Pillow loads it.

Of some damage, as in faxes, libtiff only complains on standard error, and Pillow takes the samples for
good. So what it says is caught: a TIFF that it complains of is refused. What it says about the files that
other threads load goes where it went before. In Pillow's packages for Windows libtiff cannot be reached,
and prints.
"""

import ctypes
import sys
import threading
from functools import cache
from typing import Any

from PIL import Image

from codec_lib.process_wide import Held, Switch

MOST = 200  # characters of a message
_HELD = Held()
_HEARD = threading.local()  # its `here` holds what the file that this thread loads made libtiff say
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)  # of a va_list


def load(image: Image.Image) -> None:
    """Load an image; ValueError if libtiff complains of its file."""
    tiles: Any = getattr(image, "tile", None)
    messages = _Messages.of_pillow() if tiles and tiles[0][0] == "libtiff" else None
    if messages is None:
        image.load()
        return
    _HEARD.here, _HEARD.is_interrupted = [], False
    switches = [Switch(messages, "handler", (messages.own,)), Switch(sys, "unraisablehook", (_keep,))]
    try:
        with _HELD.held(switches):
            image.load()
    except Exception as error:
        if isinstance(error, MemoryError) or not _HEARD.here:
            raise
    finally:
        heard, _HEARD.here = _HEARD.here, None
    if _HEARD.is_interrupted:
        raise KeyboardInterrupt
    if heard:
        raise ValueError(heard[0])


def _keep(error: Any) -> None:
    """Keep a Ctrl-C that came while libtiff was speaking: from there nothing can be raised."""
    if error.exc_type is KeyboardInterrupt:
        _HEARD.is_interrupted = True
    else:
        sys.__unraisablehook__(error)


class _Messages:
    """Where libtiff sends its messages."""

    def __init__(self, library: ctypes.PyDLL):
        self._replace = library.TIFFSetErrorHandler  # which returns the one before
        self._replace.argtypes, self._replace.restype = [ctypes.c_void_p], ctypes.c_void_p
        self._function = _Handler(self._hear)  # to live as long as libtiff may call it
        self.own, self._before = ctypes.cast(self._function, ctypes.c_void_p).value, None

    @staticmethod
    @cache
    def of_pillow() -> "_Messages | None":
        """Those of the libtiff behind Pillow, if it can be reached."""
        try:
            return _Messages(ctypes.PyDLL(Image.core.__file__))
        except (OSError, AttributeError):
            return None

    @property
    def handler(self) -> int | None:
        """The address of the function that gets them; None for none."""
        stands = self._replace(self.own)  # never None: another thread may be loading
        if stands != self.own:
            self._replace(stands)
        return stands

    @handler.setter
    def handler(self, address: int | None) -> None:
        before = self._replace(address)
        if address == self.own:
            self._before = before

    def _hear(self, module: bytes | None, form: bytes, values: int) -> None:
        here = getattr(_HEARD, "here", None)
        if here is None:
            if self._before:
                _Handler(self._before)(module, form, values)
        elif not here:  # the first will do
            text = ctypes.create_string_buffer(MOST)
            ctypes.pythonapi.PyOS_vsnprintf(text, ctypes.c_size_t(MOST), form, ctypes.c_void_p(values))
            here.append(f"libtiff: {text.value.decode(errors='replace')}")
