"""The one exception that untrusted input may raise."""


class BitstreamError(ValueError):
    """A file or a stream that cannot be decoded.

    The message is one line: the field, its value, and what is allowed.
    """
