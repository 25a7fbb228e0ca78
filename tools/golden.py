"""Write the golden files: `python -m tools.golden`, after new weights or a new format only.

tests/golden/files/*.clc, and in symbols.json what they decode to and what they were written with. Other
versions of PyTorch, other machines and other devices must find the same symbols in them.
"""

import json
import platform
import sys
from pathlib import Path

import torch

import codec_lib as cl
from codec_lib import data, weights
from tests.symbols import symbols_of

FOLDER = Path("tests/golden/files")
VALUES = {"quality": (1, 4.3, 8), "tau": (0, 2, 7)}  # of each setting


def main() -> None:
    for path in FOLDER.glob("*"):
        path.unlink()
    hashes = {}
    for name in weights.available():
        setting = weights.load(name).model.setting.name
        for value in VALUES[setting]:
            picture = data.sample("astronaut").crop((130, 0, 386, 200))
            file = cl.encode(picture, model=name, device="cpu", **{setting: value})
            path = FOLDER / f"{name}-{value}.clc"
            path.write_bytes(file)
            hashes[path.name] = symbols_of(file)
    versions = {"torch": torch.__version__, "machine": platform.machine(), "symbols": hashes}
    (FOLDER / "symbols.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
