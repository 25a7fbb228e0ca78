"""Which symbols a .clc file decodes to, as a hash: `python tests/symbols.py FILE ... [--write NAME]`.

Prints {file name: SHA-256 of its integers} as JSON. Needs the library only, so that it runs in any
environment; `--write` encodes a sample picture there first.
"""

import argparse
import hashlib
import json
from pathlib import Path

import codec_lib as cl
from codec_lib import container, data, weights


def symbols_of(data: bytes) -> str:
    """SHA-256 of all integers of a file's sections, as little-endian int32 in order of their names."""
    file = container.read(data)
    header = file.header
    model = weights.of_file(header.model, header.weights).model
    integers = model.read(file.take(), header.value, header.height, header.width)
    state = hashlib.sha256()
    for _, values in sorted(integers.items()):
        state.update(values.numpy().astype("<i4").tobytes())
    return state.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.write:
        options.write.write_bytes(cl.encode(data.sample("chelsea"), model="hyperprior", quality=6.5))
        options.files.append(options.write)
    print(json.dumps({path.name: symbols_of(path.read_bytes()) for path in options.files}))


if __name__ == "__main__":
    main()
