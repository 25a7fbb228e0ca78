"""codec_lib: learned image compression, to real bytes in real files.

Four layers, each usable without the next: a distribution (`codec_lib.density`), an integer
table (`codec_lib.entropy.pmf`), a coder (`codec_lib.entropy`), a container
(`codec_lib.container`). `encode`, `decode`, `truncate`, `extract`, `verify` and `inspect` are the
whole public workflow.

Nothing below imports PyTorch until a name that needs it is used: the coders and the container
work without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from codec_lib.errors import BitstreamError, PictureWarning

if TYPE_CHECKING:
    from codec_lib.codec import decode, encode, extract, inspect, truncate
    from codec_lib.verification import verify

__version__ = "0.2.0"
__all__ = [
    "BitstreamError", "PictureWarning",
    "decode", "encode", "extract", "inspect", "truncate", "verify",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        home = "codec_lib.verification" if name == "verify" else "codec_lib.codec"
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'codec_lib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
