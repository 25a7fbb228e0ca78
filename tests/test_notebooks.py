"""The chapters keep the rules, and each rule can fail."""

import copy
import json

import nbformat
import pytest

from tools import execute, notebooks, setup_cell
from tools.setup_cell import ROOT

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))


def good_notebook() -> dict:
    """Return a notebook that keeps every rule."""
    nb = nbformat.v4
    cells = [nb.new_markdown_cell("# Title\n\n" + "word " * 1200)]
    cells.append(nb.new_code_cell(setup_cell.source(), metadata={"tags": ["remove-cell"]}))
    for number in range(11):
        cell = nb.new_code_cell(f"print({number})")
        cell.outputs = [nb.new_output("stream", name="stdout", text=f"{number}\n")]
        cells.append(cell)
    cells[-1].metadata["mystnb"] = {"image": {"alt": "A rising curve."}}
    cells[-1].outputs = [nb.new_output("display_data", data={"image/png": "iVBORw0KGgo="})]
    for count, cell in enumerate((c for c in cells if c.cell_type == "code"), start=1):
        cell.execution_count = count
    notebook = nb.new_notebook(cells=cells, metadata={"kernelspec": dict(notebooks.KERNEL)})
    return json.loads(nbformat.writes(notebook))


def code(notebook: dict, number: int) -> dict:
    """Return the code cell of this number, counted from 1."""
    return notebooks.code_cells(notebook)[number - 1]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_the_rules(path):
    assert notebooks.lint(notebooks.read(path)) == []


def test_a_good_notebook_has_no_complaints():
    assert notebooks.lint(good_notebook()) == []


def set_output(notebook: dict, **output) -> None:
    code(notebook, 3)["outputs"] = [{"metadata": {}, **output}]


def add_solution(notebook: dict, source: str | None) -> None:
    solution = "<details><summary>Solution</summary>\n\nOne.\n</details>"
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}, "source": solution})
    if source is not None:
        cell = copy.deepcopy(code(notebook, 2))
        cell |= {"source": source, "metadata": {"tags": [notebooks.SOLUTION]}}
        notebook["cells"].append(cell | {"execution_count": len(notebooks.code_cells(notebook)) + 1})


BREAKS = {
    "level-one heading": lambda n: n["cells"][0].update(source="No heading " * 1200),
    "not the setup cell": lambda n: code(n, 1).update(source=setup_cell.source() + " "),
    "lacks the tag": lambda n: code(n, 1)["metadata"].update(tags=[]),
    "more than one cell deals": lambda n: code(n, 5).update(source="'google.colab'"),
    "the kernel is": lambda n: n["metadata"]["kernelspec"].update(name="book-env"),
    "execution counts": lambda n: code(n, 4).update(execution_count=9),
    "no outputs": lambda n: [cell.update(outputs=[]) for cell in notebooks.code_cells(n)],
    "stored an error": lambda n: set_output(
        n, output_type="error", ename="NameError", evalue="x", traceback=[]
    ),
    "31 lines": lambda n: code(n, 2).update(source="x = 1\n" * 31),
    "the median code cell": lambda n: [
        cell.update(source="x = 1\n" * 13) for cell in notebooks.code_cells(n)[1:]
    ],
    "has a line of 80 columns": lambda n: code(n, 2).update(source="x" * 80),
    "has a placeholder": lambda n: n["cells"][0].update(source="# Title " + "word " * 1100 + "TODO"),
    "a solution without a cell": lambda n: add_solution(n, None),
    "asserts nothing": lambda n: add_solution(n, "print(1)"),
    "throws away viz.table, line 2": lambda n: code(n, 4).update(
        source="for row in rows:\n    viz.table([row])\nviz.table(rows)"
    ),
    "nothing computes 48.7": lambda n: n["cells"][0].update(source="# Title 48.7 " + "word " * 1100),
    "9 code cells": lambda n: n.update(cells=n["cells"][:11]),
    "25 code cells": lambda n: n["cells"].extend(copy.deepcopy(n["cells"][2:3]) * 14),
    "3 words of prose": lambda n: n["cells"][0].update(source="# Title one"),
    "3001 words": lambda n: n["cells"][0].update(source="# " + "word " * 3000),
    "names a path of one machine": lambda n: code(n, 3).update(source="open('/home/ada/x')"),
    "calls '!wget'": lambda n: code(n, 3).update(source="!wget https://example.org/x.png"),
    "shows a path of one machine": lambda n: set_output(
        n, output_type="stream", name="stdout", text="/root/x.py:3: Warning\n"
    ),
    "shows a memory address": lambda n: set_output(
        n,
        output_type="execute_result",
        execution_count=3,
        data={"text/plain": "<Line2D at 0x7f12ab34cd56>"},
    ),
    "the outputs take": lambda n: set_output(
        n, output_type="stream", name="stdout", text="x" * notebooks.MAX_OUTPUT_BYTES
    ),
    "picture without metadata": lambda n: code(n, 12)["metadata"].clear(),
    "writes an <img> without": lambda n: set_output(
        n, output_type="display_data", data={"text/html": '<img src="x.png">'}
    ),
    "has a picture without": lambda n: n["cells"].append(
        {"cell_type": "markdown", "metadata": {}, "source": "![](x.png)"}
    ),
}


@pytest.mark.parametrize("complaint", BREAKS)
def test_each_rule_can_fail(complaint):
    notebook = good_notebook()
    BREAKS[complaint](notebook)
    assert any(complaint in found for found in notebooks.lint(notebook))


def test_a_solution_that_asserts_its_answer_is_fine():
    notebook = good_notebook()
    add_solution(notebook, "assert 1 + 1 == 2")
    assert notebooks.lint(notebook) == []


def test_every_rule_is_proved():
    found = set()
    for damage in BREAKS.values():
        notebook = good_notebook()
        damage(notebook)
        found |= {rule.__name__ for rule in notebooks.RULES if list(rule(notebook))}
    assert found == {rule.__name__ for rule in notebooks.RULES}


def test_lint_command_fails_on_a_broken_notebook(tmp_path, monkeypatch, capsys):
    notebook = good_notebook()
    path = tmp_path / "x.ipynb"
    path.write_text(json.dumps(notebook))
    monkeypatch.setattr("sys.argv", ["notebooks", "lint", str(path)])
    assert notebooks.main() == 0
    code(notebook, 1)["source"] = "pass"
    path.write_text(json.dumps(notebook))
    assert notebooks.main() == 1
    assert "x.ipynb: the first code cell is not the setup cell" in capsys.readouterr().out


def test_sync_inserts_the_setup_cell_and_keeps_everything_else():
    notebook = good_notebook()
    del notebook["cells"][1]
    before = copy.deepcopy(notebook["cells"])
    after = notebooks.sync(notebook)["cells"]
    assert after[1]["source"] == setup_cell.source()
    assert [after[0], *after[2:]] == before


def test_sync_moves_a_setup_cell_to_the_front():
    notebook = good_notebook()
    cells = notebook["cells"]
    setup = cells.index(code(notebook, 1))
    cells.append(cells.pop(setup))
    assert notebooks.lint(notebook) != []
    expected, found = (
        [notebooks.text(cell["source"]) for cell in n["cells"]]
        for n in (good_notebook(), notebooks.sync(notebook))
    )
    assert found == expected


def test_sync_refreshes_an_old_setup_cell():
    notebook = good_notebook()
    code(notebook, 1)["source"] = 'import sys\nif "google.colab" in sys.modules:\n    pass'
    assert notebooks.lint(notebooks.sync(notebook)) == []


def test_written_notebooks_are_stable(tmp_path):
    path = tmp_path / "x.ipynb"
    notebooks.write(path, good_notebook())
    first = path.read_bytes()
    notebooks.write(path, notebooks.read(path))
    assert path.read_bytes() == first


def test_the_setup_cell_pins_nothing_and_is_idle_outside_colab():
    lines = setup_cell.source().splitlines()
    assert [line for line in lines if "pip" in line] == [
        f'    %pip install -q "git+{setup_cell.repository_url()}@main"'
    ]
    assert "==" not in setup_cell.source()


def test_execute_stores_outputs_and_nothing_volatile(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_code_cell("import sys\nprint('a')\nprint('b', file=sys.stderr)"),
        ]
    )
    path = tmp_path / "x.ipynb"
    nbformat.write(notebook, path)
    execute.execute(path)
    first = path.read_bytes()
    execute.execute(path)
    assert path.read_bytes() == first
    done = notebooks.read(path)
    assert [cell["execution_count"] for cell in notebooks.code_cells(done)] == [1, 2]
    assert [output["name"] for _, _, output in notebooks.outputs(done)] == ["stdout"]
    assert all("execution" not in cell["metadata"] for cell in done["cells"])


def test_reading_order_is_that_of_the_toc(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "parts:\n- chapters: [{file: book/b}, {file: book/page}]\n- chapters: [{file: book/a}]\n"
    )
    (tmp_path / "book").mkdir()
    for name in ("a", "b"):
        (tmp_path / "book" / f"{name}.ipynb").touch()
    assert [path.stem for path in execute.reading_order(tmp_path)] == ["b", "a"]
