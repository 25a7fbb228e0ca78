"""What Pillow reads is up to us while we read, whatever the application has set.

Pillow keeps three limits in variables of the whole process: how many pixels a picture may have, how long
a text or profile of a PNG may be, and whether half a file will do. Here they are those of our own files.
"""

from contextlib import AbstractContextManager

from PIL import Image, ImageFile, PngImagePlugin

from codec_lib.header import MAX_PIXELS
from codec_lib.process_wide import Held, Switch

MAX_TEXT = 64 << 20  # bytes; what goes into a file of ours is limited in `metadata.py`


class _NoDouble(int):
    """A number that is not more when doubled: up to twice its limit Pillow only warns, and then refuses."""

    def __rmul__(self, factor: int) -> int:
        return int(self)


_HELD = Held()
_LIMITS = (
    Switch(Image, "MAX_IMAGE_PIXELS", (_NoDouble(MAX_PIXELS),)),
    Switch(ImageFile, "LOAD_TRUNCATED_IMAGES", (False,)),
    Switch(PngImagePlugin, "MAX_TEXT_CHUNK", (MAX_TEXT,)),
)


def own_limits() -> AbstractContextManager[None]:
    """Pillow takes whole pictures up to our size, in whatever thread; the last one out puts all back."""
    return _HELD.held(_LIMITS)
