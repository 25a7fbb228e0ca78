"""A new codec is one file and one line: this one, of forty lines, goes through everything there is."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import codec_lib as cl
from codec_lib import data, models, weights
from codec_lib.measure import evaluate, metrics
from codec_lib.training.loop import train
from codec_lib.training.settings import Settings

TOY = """
import numpy as np
import torch
from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables
from codec_lib.models.base import Model
from codec_lib.setting import Setting
from codec_lib.training.objectives import Objective, Player

class Planes(Model):
    setting = Setting("planes", coarsest=1, finest=8, default=4, step=1)
    def __init__(self, width=1):
        super().__init__(width=width)
        self.shift = torch.nn.Parameter(torch.zeros(width))
    def stages(self, setting):
        return tuple((f"plane {k}",) for k in range(int(setting)))
    def compress(self, levels, setting, effort=0):
        planes = [(levels >> 7 - k & 1).flatten().numpy() for k in range(int(setting))]
        tables = self.frozen.tables("bits")
        return {f"plane {k}": rans.encode(bits, 0 * bits, tables) for k, bits in enumerate(planes)}
    def decompress(self, sections, setting, height, width):
        index, tables = np.zeros(3 * height * width, np.uint8), self.frozen.tables("bits")
        known = sum(rans.decode(s, index, tables) << 7 - k for k, s in enumerate(sections.values()))
        levels = known + (128 >> len(sections)) + round(self.shift.mean().item())
        return torch.from_numpy(levels.clip(0, 255).astype(np.uint8)).view(1, 3, height, width)
    def promise(self, setting):
        return 0 if setting == 8 else None
    def freeze(self):
        self.frozen["bits"] = Tables.from_pmfs([[0.5, 0.49]], [0])
        return self
    def objective(self, settings):
        return Shift(self)

class Shift(Objective):
    def __init__(self, model):
        self.model = model
    def players(self):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        return [Player(self.model, optimizer, lambda model, x: (x.mean() * model.shift.sum(), "shift"))]
    def train(self): self.model.train()
    def validate(self, folder):
        return self.model.shift.sum().item(), {}
"""
NAME, WHERE = "planes", "toy_planes:Planes"
PHOTO = data.sample("astronaut").crop((150, 20, 350, 200))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The folder of its module and weights, with the model registered."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy_planes.py").write_text(TOY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setitem(models.MODELS, NAME, WHERE)
        patch.setenv("CODEC_LIB_WEIGHTS", str(folder))
        model = models.architecture(NAME)()
        weights.save(model, NAME, folder / f"{NAME}.safetensors", {"note": "a toy"})
        PHOTO.save(folder / "photo.png")
        yield folder


def command(folder: Path, *arguments) -> subprocess.CompletedProcess:
    code = (
        "import sys; from codec_lib.models import MODELS; from codec_lib.cli import main\n"
        f"MODELS[{NAME!r}] = {WHERE!r}; sys.path.insert(0, {str(folder)!r}); sys.exit(main(sys.argv[1:]))"
    )
    line = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=300, cwd=folder)


def test_the_toy_has_forty_lines_at_most():
    assert len(TOY.strip().splitlines()) <= 42  # two of them empty


def test_it_encodes_and_decodes(toy):
    file = cl.encode(PHOTO, NAME, planes=8)
    assert np.array_equal(cl.decode(file), PHOTO)
    assert cl.verify(PHOTO, file).promise == 0
    assert cl.inspect(file).header.setting == "planes"
    with pytest.raises(ValueError, match="quality: 3; planes takes planes instead"):
        cl.encode(PHOTO, NAME, quality=3)


def test_its_stages_can_be_shown_and_dropped(toy):
    file = cl.encode(PHOTO, NAME, planes=8)
    errors = [metrics.psnr(PHOTO, cl.decode(file, stages=k)) for k in range(1, 8)]
    assert errors == sorted(errors)
    for k in range(1, 8):
        shorter = cl.truncate(file, stages=k)
        with pytest.warns(cl.PictureWarning, match=f"the file has {k} of 8"):
            assert np.array_equal(cl.decode(shorter), cl.decode(file, stages=k))
        assert cl.truncate(file, target_bytes=len(shorter) + 5) == shorter
    with pytest.raises(cl.BitstreamError, match=r"section plane 7: .*\(7 of 8 stages are intact\)"):
        cl.decode(file[:-3])


def test_its_files_hit_a_size(toy):
    sizes = {k: len(cl.encode(PHOTO, NAME, planes=k)) for k in range(1, 9)}
    assert len(cl.encode(PHOTO, NAME, target_bytes=sizes[5] + 10)) == sizes[5]


def test_it_trains_two_steps(toy, tmp_path):
    settings = Settings(
        NAME, [str(toy)], str(tmp_path), steps=2, batch=1, crop=64, precision="32-true", device="cpu"
    )
    trained = weights.load(str(train(settings)))
    assert trained.architecture == NAME
    assert trained.model.shift.item() < 0
    assert "frozen.bits.offset" in load_file(tmp_path / f"{NAME}.safetensors")


def test_it_is_measured(toy):
    measured = evaluate.evaluate_model([toy / "photo.png"], NAME)
    assert [row["planes"] for row in measured["means"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert measured["means"][-1]["psnr"] == float("inf")


def test_it_goes_through_the_command_line(toy, tmp_path):
    file, short, out = tmp_path / "toy.clc", tmp_path / "short.clc", tmp_path / "toy.png"
    done = [
        command(toy, "encode", "photo.png", file, "--model", NAME, "--set", "planes=8"),
        command(toy, "truncate", file, short, "--stages", 3),
        command(toy, "decode", file, out),
        command(toy, "verify", "photo.png", file),
        command(toy, "inspect", short),
        command(toy, "evaluate", toy, "--model", NAME, "--values", "2,8", "--json", tmp_path / "toy.json"),
        command(toy, "train", NAME, "--data", toy, "--out", tmp_path / "run", "--steps", 1, "--crop", 64),
    ]
    assert [result.returncode for result in done] == [0] * len(done), [r.stderr for r in done]
    assert np.array_equal(cl.decode(file.read_bytes()), np.asarray(PHOTO))
    assert "planes        8" in done[4].stdout.splitlines()
    assert json.loads((tmp_path / "toy.json").read_text())["rows"][1]["psnr"] is None


def test_every_package_of_the_library_is_installed(repository):
    """What is listed is what is there; results lie elsewhere."""
    listed = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(repository).parts)
        for path in (repository / "codec_lib").rglob("__init__.py")
    }
    assert set(listed) == found | {"codec_lib.results"}
