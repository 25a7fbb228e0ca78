"""A chapter runs in an environment like a stock Colab: NumPy 2, none of the book's extra packages.

The wheel is built, installed into a bare virtual environment that has only what Colab ships, and a
notebook is executed in an empty folder with that environment's kernel. So a file that is missing
from the wheel, a forgotten dependency, an upper pin or a path into the repository fails here first.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.symbols import symbols_of

# What a stock Colab has, as far as the chapters use it; the small build of torch will do.
TORCH = os.environ.get("COLAB_TORCH", "torch")
STOCK = [
    TORCH, "numpy>=2", "scipy", "matplotlib", "Pillow", "scikit-image", "numba",
    "ipywidgets", "ipykernel", "tqdm",
]  # fmt: skip
# What the library may bring along: small pure wheels that Colab may or may not have.
MAY_BRING = {"codec-lib", "safetensors", "pooch", "platformdirs", "requests", "idna", "urllib3",
             "certifi", "charset-normalizer"}  # fmt: skip
RUN = """
import nbformat, pathlib
from nbclient import NotebookClient
path = next(pathlib.Path().glob("*.ipynb"))
NotebookClient(nbformat.read(path, 4), timeout=900, kernel_name="python3").execute()
"""


def run(*command, **options) -> str:
    """Run a command and return what it printed; on failure show that."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


def installed(python: Path) -> dict[str, str]:
    """Return the packages of an environment and their versions."""
    listing = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    return {item["name"].lower().replace("_", "-"): item["version"] for item in listing}


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory) -> Path:
    """Build the library's wheel from a copy, so that nothing is left in the checkout."""
    copy, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(repository / name, copy)
    for path in repository.glob("LICENSE*"):
        shutil.copy(path, copy)
    for name in ("codec_lib", "results"):
        shutil.copytree(repository / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, copy)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def stock(tmp_path_factory) -> Path:
    """Return the Python of a bare environment with only what Colab ships."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *STOCK)
    return python


@pytest.fixture(scope="module")
def versions(wheel, stock) -> tuple[dict[str, str], dict[str, str]]:
    """Install the wheel; return the packages of the bare environment before and after."""
    before = installed(stock)
    run(stock, "-m", "pip", "install", "--quiet", wheel)
    return before, installed(stock)


@pytest.fixture
def environment(stock) -> dict[str, str]:
    """Environment variables without a trace of this one."""
    hidden = ("PYTHONPATH", "CODEC_LIB_DATA", "VIRTUAL_ENV", "JUPYTER_PATH")
    clean = {name: value for name, value in os.environ.items() if name not in hidden}
    return clean | {"PATH": f"{stock.parent}{os.pathsep}{clean['PATH']}"}


@pytest.mark.colab
def test_the_wheel_brings_nothing_that_colab_would_not_want(versions):
    before, after = versions
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed <= MAY_BRING, f"the wheel changes {sorted(changed - MAY_BRING)}"
    assert int(after["numpy"].split(".")[0]) >= 2
    assert "compressai" not in after


@pytest.mark.colab
@pytest.mark.usefixtures("versions")
def test_files_decode_to_the_same_symbols_under_another_torch(stock, environment, repository, tmp_path):
    golden = repository / "tests" / "golden" / "files"
    script = shutil.copy(repository / "tests" / "symbols.py", tmp_path)
    file = tmp_path / "written there.clc"
    printed = run(
        stock, script, *sorted(golden.glob("*.clc")), "--write", file, cwd=tmp_path, env=environment
    )
    there = json.loads(printed)
    assert there.pop(file.name) == symbols_of(file.read_bytes())
    assert there == json.loads((golden / "symbols.json").read_text())["symbols"]


@pytest.mark.colab
@pytest.mark.usefixtures("versions")
def test_a_chapter_runs_in_a_bare_colab_like_environment(stock, environment, repository, tmp_path):
    chapters = sorted((repository / "book").glob("*.ipynb"))
    first = repository / "book" / "five-minutes.ipynb"
    shutil.copy(first if first in chapters else chapters[0], tmp_path)
    run(stock, "-m", "pip", "install", "--quiet", "nbclient", "nbformat")  # the runner itself
    run(stock, "-c", RUN, cwd=tmp_path, env=environment)
