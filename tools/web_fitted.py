"""Weights of the codec for one picture for the page: where fits begin, and the tables of both sections.

The file is like those of `tools.web_weights`, which also writes it; its magic is "CLF3", its first size is
the number of parameters. `web/src/weights.c` reads it in the order of `decoder`.
"""

from codec_lib import weights
from codec_lib.fitting.parameters import COUNT
from tools.web_weights import Arrays, function, raw, whole

NAME = "fitted"


def decoder(arrays: Arrays) -> bytes:
    """All arrays, in the order of `load_fitted`."""
    functions = [function(arrays, f"y.{name}") for name in ("rate", "tail")]
    return b"".join([arrays.tables("n"), raw(weights.load(NAME).model.start_vector, "<f4"), *functions])


def files() -> dict[str, bytes]:
    """The file, by what it is for."""
    return {NAME: whole(b"CLF3", NAME, (COUNT, 0, 0, 0), decoder(Arrays(weights.find(NAME))))}
