"""What untrusted input may raise, and what a user is warned of."""

from collections.abc import Iterator
from contextlib import contextmanager


class BitstreamError(ValueError):
    """A file or a stream that cannot be decoded.

    The message is one line: the field, its value, and what is allowed.
    """


class SectionError(BitstreamError):
    """A section of a file that is missing, damaged, or not what its model writes."""

    def __init__(self, section: str, reason: str):
        super().__init__(section, reason)
        self.section, self.reason = section, reason

    def __str__(self) -> str:
        return f"section {self.section}: {self.reason}"


class PictureWarning(UserWarning):
    """Something about a picture that its owner should know, such as that 16 bits became 8."""


@contextmanager
def section(name: str) -> Iterator[None]:
    """Say of every BitstreamError which section of the file it is about.

    >>> with section("y"):
    ...     raise BitstreamError("rans: 3 bytes, expected 5 and a multiple of 2")
    Traceback (most recent call last):
    codec_lib.errors.SectionError: section y: rans: 3 bytes, expected 5 and a multiple of 2
    """
    try:
        yield
    except SectionError:
        raise
    except BitstreamError as error:
        raise SectionError(name, str(error)) from error
