"""The page's codec: `python -m tools.web` compiles web/src into web/codec.wasm, and says how large it is.

The compiler, zig, comes from PyPI. It is pinned in requirements.txt, because the module is committed and
has to equal what anybody else compiles: the same sources give the same bytes in any folder, on any machine.
`publish` copies what a browser needs into the built book.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import codec_lib as cl
from codec_lib import data
from tools import web_fitted, web_near_lossless, web_weights
from tools.setup_cell import ROOT

WEB = ROOT / "web"
MODULE = WEB / "codec.wasm"
LARGEST = 60_000  # bytes of the module
FACE = (180, 60, 244, 124)  # left, top, right, bottom in the sample
PORTRAIT = (128, 32, 320, 160)  # of 12 x 8 places of y
FLAGS = [
    "-target", "wasm32-freestanding", "-O3", "-msimd128", "-mbulk-memory", "-mnontrapping-fptoint",
    "-ffreestanding", "-nostdlib", "-Wall", "-Wextra", "-Werror",
    "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536",
]  # fmt: skip


def build(output: Path) -> None:
    """Compile the sources."""
    sources = sorted(path.name for path in (WEB / "src").glob("*.c"))
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *sources, "-o", str(output.resolve())]
    subprocess.run(command, cwd=WEB / "src", check=True)


def publish(folder: Path) -> None:
    """Put module, scripts, styles, weights, a sample and two small files into a folder of the site."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in WEB.iterdir():
        if path.suffix in (".js", ".css", ".wasm"):
            shutil.copy(path, folder)
    made = {**web_weights.files(), **web_near_lossless.files(), **web_fitted.files()}
    web_weights.write(folder, made)
    photo = data.sample("astronaut")
    photo.save(folder / "sample.png")
    for name, crop, quality in (("small", FACE, 2), ("portrait", PORTRAIT, 3)):
        content = cl.encode(photo.crop(crop), quality=quality, device="cpu")
        (folder / f"{name}.clc").write_bytes(content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=MODULE)
    output = parser.parse_args().output
    build(output)
    print(f"{output}: {output.stat().st_size} bytes, allowed are {LARGEST}")
