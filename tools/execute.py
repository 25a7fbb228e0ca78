"""Run the notebooks top to bottom and store their outputs: `python -m tools.execute [NAME ...]`.

The order is _toc.yml's, each notebook gets a fresh kernel in its own folder, and what changes from
run to run without meaning anything (time stamps, the interpreter's version, progress bars on
stderr) is not stored. Figures are stored as tools/figures.py says.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools import figures, notebooks
from tools.setup_cell import ROOT

CELL_TIMEOUT = 900


def reading_order(root: Path = ROOT) -> list[Path]:
    """Return the notebooks in the order of _toc.yml; pages that are not notebooks are left out."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    names = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [path for name in names if (path := root / f"{name}.ipynb").exists()]


def strip(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what a second run would change, and name cells that have no name."""
    for index, cell in enumerate(notebook.cells):
        cell.metadata.pop("execution", None)
        if not cell.get("id"):
            cell["id"] = f"cell-{index}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata.pop("widgets", None)
    return nbformat.from_dict(notebooks.sync(notebook))


def execute(path: Path) -> float:
    """Run one notebook in place and return the seconds it took; an error leaves the file alone."""
    notebook = nbformat.from_dict(notebooks.sync(nbformat.read(path, as_version=4)))
    start = time.monotonic()
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with tempfile.TemporaryDirectory() as folder:
        search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        own = {"IPYTHONDIR": str(figures.profile(Path(folder))), "PYTHONPATH": search}
        own["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
        client.execute(env=os.environ | own)
    notebooks.write(path, strip(notebook))
    return time.monotonic() - start


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", help="chapters to run, as in _toc.yml without the folder; default all"
    )
    names = set(parser.parse_args().names)
    paths = [path for path in reading_order() if not names or path.stem in names]
    if missing := names - {path.stem for path in paths}:
        print(f"no such notebook in _toc.yml: {', '.join(sorted(missing))}")
        return 1
    os.environ["CODEC_LIB_LIVE"] = "0"  # what is stored has to move without a kernel
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("PYTHONHASHSEED", "0")
    failed = []
    for path in paths:
        try:
            print(f"{path.stem:<28} {execute(path):6.1f} s", flush=True)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            failed.append(path.stem)
            print(f"{path.stem:<28} FAILED\n{error}", flush=True)
    print(f"{len(paths) - len(failed)} of {len(paths)} notebooks ran")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
