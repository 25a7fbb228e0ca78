"""What untrusted input may raise, what a user is warned of, and how a message shows a value."""

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

MOST_SHOWN = 60  # characters of a value in a message


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


def is_number(value: Any) -> TypeGuard[float]:
    """Whether something is a real number, Python's or NumPy's, that a float can hold.

    True and False are none, nor is NaN, nor an integer of 400 digits.

    >>> [is_number(value) for value in (3, np.float32(0.5), True, "3", float("nan"), 10**400)]
    [True, True, False, False, False, False]
    """
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return False
    try:
        return float(value) == float(value)
    except OverflowError:
        return False


def shown(value: Any) -> str:
    r"""What a message says of a value that it refuses, whatever that is: one short line.

    >>> shown(9.5), shown("a\nb"), shown([1] * 100)
    ('9.5', "'a\\nb'", '[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1...')
    """
    try:
        text = " ".join((str if is_number(value) else repr)(value).split())
    except Exception:  # an application's own class, or a number of thousands of digits
        text = f"something of type {type(value).__name__}"
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
