"""codec_lib: learned image compression, to real bytes in real files.

Four layers, each usable without the next: a distribution (`codec_lib.density`), an integer
table (`codec_lib.entropy.pmf`), a coder (`codec_lib.entropy`), a container
(`codec_lib.container`). `encode`, `decode`, `verify` and `inspect` are the whole public workflow.

Nothing below imports PyTorch until a name that needs it is used: the coders and the container
work without it.
"""

from importlib import import_module

from codec_lib.errors import BitstreamError

__version__ = "0.1.0"
_WHERE = dict.fromkeys(("decode", "encode", "inspect", "verify"), "codec_lib.codec")
__all__ = ["BitstreamError", *_WHERE]


def __getattr__(name: str):
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'codec_lib' has no attribute {name!r}")
