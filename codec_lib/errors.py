"""The one exception that untrusted input may raise."""

from collections.abc import Iterator
from contextlib import contextmanager


class BitstreamError(ValueError):
    """A file or a stream that cannot be decoded.

    The message is one line: the field, its value, and what is allowed.
    """


@contextmanager
def section(name: str) -> Iterator[None]:
    """Say in a BitstreamError which section of the file it is about.

    >>> with section("y"):
    ...     raise BitstreamError("rans: 3 bytes, expected 5 and a multiple of 2")
    Traceback (most recent call last):
    codec_lib.errors.BitstreamError: section y: rans: 3 bytes, expected 5 and a multiple of 2
    """
    try:
        yield
    except BitstreamError as error:
        raise BitstreamError(f"section {name}: {error}") from error
