"""Keep the chapters uniform: `python -m tools.notebooks lint|sync [FILE ...]`.

`lint` checks every rule of `RULES` and lists what breaks one; `sync` inserts or refreshes the setup
cell and normalises the metadata. A rule is a function from a notebook (the parsed JSON) to its
complaints.
"""

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from tools import prose_numbers, setup_cell, shown_values
from tools.setup_cell import ROOT

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "pygments_lexer": "ipython3",
}
MAX_COLUMNS = 79
MAX_CELL_LINES = 30
MAX_MEDIAN_LINES = 12
CODE_CELLS = (10, 24)
SOLUTION = "solution"  # the tag of cells that do an exercise; they are folded on the page
WORDS = (1000, 3000)
MAX_OUTPUT_BYTES = 1_500_000
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:work|tmp|root|home/\w+|Users/\w+|content|mnt)/|\b[A-Z]:\\\\?Users"
)
DOWNLOAD = re.compile(r"^\s*!\s*(?:wget|curl|pip|git)\b", re.MULTILINE)
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
PLACEHOLDER = re.compile(r"\bTODO\b|\bTO-DECIDE\b|\b[A-Z]{2,}-TEXT\b|\bFIXME\b")
IMG_TAG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ALT_TEXT = re.compile(r'\balt="([^"]*)"')
ALT = re.compile(r"""\balt\s*=\s*["'][^"']+["']""", re.IGNORECASE)

Complaints = Iterator[str]


def text(value: str | list[str]) -> str:
    """Join a multi-line string of the notebook format."""
    return value if isinstance(value, str) else "".join(value)


def code_cells(notebook: dict) -> list[dict]:
    """Return the code cells in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def lesson_cells(notebook: dict) -> list[dict]:
    """Return the code cells that a reader goes through: not the setup cell, no solutions."""
    return [cell for cell in code_cells(notebook)[1:] if SOLUTION not in cell["metadata"].get("tags", [])]


def outputs(notebook: dict) -> Iterator[tuple[int, dict, dict]]:
    """Yield (number of the code cell from 1, the cell, one of its outputs)."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.get("outputs", []):
            yield number, cell, output


def title_first(notebook: dict) -> Complaints:
    """The first cell is Markdown and starts with the chapter's H1."""
    first = notebook["cells"][0] if notebook["cells"] else {"cell_type": "none", "source": ""}
    if first["cell_type"] != "markdown" or not text(first["source"]).startswith("# "):
        yield "the first cell is not Markdown that starts with a level-one heading"


def setup_cell_first(notebook: dict) -> Complaints:
    """The first code cell is the setup cell, exactly, and is not on the page."""
    cells = code_cells(notebook)
    if not cells or text(cells[0]["source"]) != setup_cell.source():
        yield "the first code cell is not the setup cell (run `python -m tools.notebooks sync`)"
    elif setup_cell.TAG not in cells[0]["metadata"].get("tags", []):
        yield f"the setup cell lacks the tag {setup_cell.TAG}"
    if sum("google.colab" in text(cell["source"]) for cell in cells) > 1:
        yield "more than one cell deals with Colab"


def kernel_is_python3(notebook: dict) -> Complaints:
    """The kernel is called python3, the name that every Jupyter and Colab knows."""
    name = notebook["metadata"].get("kernelspec", {}).get("name")
    if name != "python3":
        yield f"the kernel is {name!r}, not 'python3'"


def executed_in_order(notebook: dict) -> Complaints:
    """The stored outputs come from one run, top to bottom."""
    counts = [cell.get("execution_count") for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1..{len(counts)} (run `make execute`)"


def has_outputs(notebook: dict) -> Complaints:
    """Outputs are stored (the build does not execute) and none is an error."""
    found = [output["output_type"] for _, _, output in outputs(notebook)]
    if not found:
        yield "no outputs are stored (run `make execute`)"
    for number, _, output in outputs(notebook):
        if output["output_type"] == "error":
            yield f"code cell {number} stored an error: {output.get('ename')}"


def cells_are_short(notebook: dict) -> Complaints:
    """No code cell is longer than a reader's screen; what is longer belongs in the library."""
    for number, cell in enumerate(code_cells(notebook), start=1):
        length = len(text(cell["source"]).splitlines())
        if length > MAX_CELL_LINES:
            yield f"code cell {number} has {length} lines, more than {MAX_CELL_LINES}"
    lengths = [len(text(cell["source"]).splitlines()) for cell in lesson_cells(notebook)]
    if lengths and statistics.median(lengths) > MAX_MEDIAN_LINES:
        median = statistics.median(lengths)
        yield f"the median code cell has {median} lines, more than {MAX_MEDIAN_LINES}"


def lines_are_narrow(notebook: dict) -> Complaints:
    """No line of code is wider than the page's column, where it would have to be scrolled."""
    for number, cell in enumerate(code_cells(notebook)[1:], start=2):
        for line in text(cell["source"]).splitlines():
            if len(line) > MAX_COLUMNS:
                yield f"code cell {number} has a line of {len(line)} columns, more than {MAX_COLUMNS}"


def nothing_is_left_open(notebook: dict) -> Complaints:
    """No text stands for one that is still to be written."""
    for index, cell in enumerate(notebook["cells"], start=1):
        if match := PLACEHOLDER.search(text(cell["source"])):
            yield f"cell {index} has a placeholder: {match.group()}"


def solutions_are_run(notebook: dict) -> Complaints:
    """Behind every solution of an exercise stands a cell that does it and asserts what comes out."""
    last = {"cell_type": "none", "metadata": {}, "source": ""}
    for index, (cell, after) in enumerate(pairwise([*notebook["cells"], last]), start=1):
        solutions = text(cell["source"]).count("<summary>Solution") * (cell["cell_type"] == "markdown")
        if solutions > 1 or (solutions and SOLUTION not in after["metadata"].get("tags", [])):
            yield f"cell {index} has a solution without a cell tagged {SOLUTION} behind it"
        elif solutions and "assert " not in text(after["source"]):
            yield f"cell {index + 1} does an exercise and asserts nothing"


def what_is_shown_is_seen(notebook: dict) -> Complaints:
    """A table or a picture is the last value of its cell: another one would appear nowhere."""
    for number, cell in enumerate(code_cells(notebook)[1:], start=2):
        for call in shown_values.thrown_away(text(cell["source"])):
            yield f"code cell {number} throws away {call}"


def right_size(notebook: dict) -> Complaints:
    """A chapter has 10 to 24 code cells that one reads, and 1,000 to 3,000 words of prose."""
    count = len(lesson_cells(notebook))
    if not CODE_CELLS[0] <= count <= CODE_CELLS[1]:
        yield f"{count} code cells, not {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    prose = [text(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    words = sum(len(part.split()) for part in prose)
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words of prose, not {WORDS[0]} to {WORDS[1]}"


def runs_anywhere(notebook: dict) -> Complaints:
    """No path of one machine, no shell download, no object address that changes with every run."""
    for index, cell in enumerate(notebook["cells"], start=1):
        source = text(cell["source"])
        if match := MACHINE_PATH.search(source):
            yield f"cell {index} names a path of one machine: {match.group()}"
        if cell["cell_type"] == "code" and (match := DOWNLOAD.search(source)):
            yield f"cell {index} calls {match.group().strip()!r}"
    for number, _, output in outputs(notebook):
        shown = text(output.get("text", "")) + text(output.get("data", {}).get("text/plain", ""))
        for pattern, what in (
            (MACHINE_PATH, "a path of one machine"),
            (ADDRESS, "a memory address"),
        ):
            if match := pattern.search(shown):
                yield f"the output of code cell {number} shows {what}: {match.group().strip()}"


def numbers_have_a_source(notebook: dict) -> Complaints:
    """Every number in prose is computed in the chapter, or its source is known."""
    cells = notebook["cells"]
    prose = [text(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    code = [text(cell["source"]) for cell in code_cells(notebook)]
    printed = []
    for _, _, output in outputs(notebook):
        kinds = output.get("data", {})
        printed += [text(output.get("text", "")), text(kinds.get("text/plain", ""))]
        printed += ALT_TEXT.findall(text(kinds.get("text/html", "")))
    title = prose[0].splitlines()[0].removeprefix("# ") if prose else ""
    for found in prose_numbers.unsupported(title, prose, code, printed):
        yield f"nothing computes {found}"


def small_outputs(notebook: dict) -> Complaints:
    """The stored outputs of a notebook stay under 1.5 MB together."""
    size = sum(len(json.dumps(output)) for _, _, output in outputs(notebook))
    if size > MAX_OUTPUT_BYTES:
        yield f"the outputs take {size:,} bytes, more than {MAX_OUTPUT_BYTES:,}"


def pictures_have_alt_text(notebook: dict) -> Complaints:
    """Every picture says in words what it shows."""
    for number, cell, output in outputs(notebook):
        data = output.get("data", {})
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
        if any(kind.startswith("image/") for kind in data) and not alt.strip():
            yield f"code cell {number} shows a picture without metadata mystnb.image.alt"
        if any(not ALT.search(tag) for tag in IMG_TAG.findall(text(data.get("text/html", "")))):
            yield f"code cell {number} writes an <img> without alt text"
    for index, cell in enumerate(notebook["cells"], start=1):
        source = text(cell["source"]) if cell["cell_type"] == "markdown" else ""
        if "![](" in source or any(not ALT.search(tag) for tag in IMG_TAG.findall(source)):
            yield f"cell {index} has a picture without alt text"


RULES: tuple[Callable[[dict], Complaints], ...] = (
    title_first,
    setup_cell_first,
    kernel_is_python3,
    executed_in_order,
    has_outputs,
    cells_are_short,
    lines_are_narrow,
    nothing_is_left_open,
    solutions_are_run,
    what_is_shown_is_seen,
    right_size,
    runs_anywhere,
    numbers_have_a_source,
    small_outputs,
    pictures_have_alt_text,
)


def lint(notebook: dict) -> list[str]:
    """Return all complaints about one notebook."""
    return [complaint for rule in RULES for complaint in rule(notebook)]


def sync(notebook: dict) -> dict:
    """Put the setup cell in its place and the metadata into normal form; outputs stay."""
    cells = notebook["cells"]
    old = next(
        (cell for cell in cells if cell["cell_type"] == "code" and "google.colab" in text(cell["source"])),
        None,
    )
    cell = old or {
        "cell_type": "code",
        "execution_count": None,
        "id": "setup",
        "metadata": {},
        "outputs": [],
    }
    cell["source"] = setup_cell.source()
    cell["metadata"]["tags"] = [setup_cell.TAG]
    first_code = next((i for i, other in enumerate(cells) if other["cell_type"] == "code"), len(cells))
    cells[first_code:] = [cell, *(other for other in cells[first_code:] if other is not cell)]
    for other in cells:
        other["metadata"].pop("execution", None)
    notebook["metadata"] = {"kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)}
    return notebook


def read(path: Path) -> dict:
    """Parse a notebook file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, notebook: dict) -> None:
    """Write a notebook the way Jupyter does."""
    import nbformat  # here, so that the lint needs nothing but the standard library

    written = nbformat.writes(nbformat.from_dict(notebook), version=4)
    path.write_text(written.rstrip("\n") + "\n", encoding="utf-8")


def main() -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["lint", "sync"])
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    paths = arguments.files or sorted((ROOT / "book").glob("*.ipynb"))
    broken = 0
    for path in paths:
        if arguments.command == "sync":
            write(path, sync(read(path)))
            continue
        complaints = lint(read(path))
        broken += bool(complaints)
        for complaint in complaints:
            print(f"{path.name}: {complaint}")
    if arguments.command == "lint":
        print(f"{len(paths)} notebooks, {len(RULES)} rules: {len(paths) - broken} clean, {broken} not")
    return 1 if broken or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
