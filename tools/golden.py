"""Write the golden files: `python -m tools.golden [NAME ...]`, after new weights or a new format only.

Names are those of weights; the files of others are left alone. tests/golden/files/*.clc, and in
symbols.json what they decode to. Other versions of PyTorch, other machines and other devices must find the
same symbols in them.
"""

import argparse
import json
import sys

import codec_lib as cl
from codec_lib import data, weights
from tests.symbols import symbols_of
from tools.setup_cell import ROOT

FOLDER = ROOT / "tests" / "golden" / "files"
EFFORT = 1  # at most: what an encoder does beyond that does not change the format
VALUES = {"quality": (1, 4.3, 8), "tau": (0, 2, 7), "iterations": (4, 9, 16)}  # of each setting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="of weights; default all")
    names = parser.parse_args().names
    record = FOLDER / "symbols.json"
    written = json.loads(record.read_text(encoding="utf-8"))["symbols"] if names else {}
    for name in names or weights.available():
        for path in FOLDER.glob(f"{name}-*.clc"):
            if path.stem.rpartition("-")[0] == name:
                path.unlink()
                written.pop(path.name, None)
        model = weights.load(name).model
        setting, effort = model.setting.name, min(model.best_effort, EFFORT)
        for value in VALUES[setting]:
            picture = data.sample("astronaut").crop((130, 0, 386, 200))
            file = cl.encode(picture, model=name, device="cpu", effort=effort, **{setting: value})
            path = FOLDER / f"{name}-{value}.clc"
            path.write_bytes(file)
            written[path.name] = symbols_of(file)
    for path in FOLDER.glob("*.clc"):
        if path.name not in written:
            path.unlink()
    record.write_text(json.dumps({"symbols": written}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
