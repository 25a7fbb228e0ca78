"""A small Sphinx extension for the pages of the library: a module's docstring, read as an essay.

Those docstrings are made for readers of the code: paragraphs, and between them diagrams, equations and
examples that are indented. As reStructuredText they would warn and lose their layout. So paragraphs
become paragraphs, with everything in backticks set as code, and what is indented or aligned by hand
stays as it is. The directive `modules` lists modules, each with its first sentence and its page.
"""

import ast
import re
from collections.abc import Iterator
from itertools import groupby

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.api_pages import module_path, page_name

ALIGNED = re.compile(r"\S {3,}\S")
BULLET = re.compile(r"(?:-|\*|\d+\.) ")
MARKUP = re.compile(r"([*|\\]|_(?!\w))")  # what reStructuredText would take for its own


def as_prose(line: str) -> str:
    """Return a line of prose as reStructuredText: code as code, and every other sign as itself."""
    if bullet := BULLET.match(line):
        return bullet[0] + as_prose(line[bullet.end() :])
    parts = line.split("`")
    if len(parts) % 2 == 0:  # a lonely backtick
        return MARKUP.sub(r"\\\1", line.replace("`", "'"))
    return "".join(f"``{part}``" if k % 2 else MARKUP.sub(r"\\\1", part) for k, part in enumerate(parts))


def kind_of(line: str, block: list[str]) -> str:
    """Return what a line of a block of text is part of."""
    if block[0].lstrip().startswith(">>>"):
        return "pycon"
    if BULLET.match(block[0]):
        return "list"
    by_hand = block[0].startswith(" ") or any(ALIGNED.search(other) for other in block)
    return "text" if by_hand or line.startswith(" ") else "prose"


def essay(lines: list[str]) -> Iterator[str]:
    """Yield a docstring's lines as reStructuredText."""
    for empty, group in groupby(lines, key=lambda line: not line.strip()):
        if empty:
            continue
        block = list(group)
        for kind, run in groupby(block, key=lambda line: kind_of(line, block)):
            if kind in ("prose", "list"):
                yield from map(as_prose, run)
            else:
                yield from (f".. code-block:: {kind}", "", *(f"   {line}" for line in run))
            yield ""


def render_module(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Set a module's docstring as an essay; those of functions and classes are reStructuredText."""
    if kind == "module":
        lines[:] = list(essay(lines))


class Modules(SphinxDirective):
    """A table of modules, one a line of the content: its page, and the first sentence of its docstring."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        rows = ["| Module | |", "|---|---|"]
        for line in self.content:
            name = line.split()[0]
            docstring = ast.get_docstring(ast.parse(module_path(name).read_text(encoding="utf-8"))) or ""
            first = " ".join(docstring.split("\n\n")[0].split()).replace("|", "\\|")
            rows.append(f"| [`{name.removeprefix('codec_lib.')}`](/{page_name(name)}.md) | {first} |")
        node = nodes.container(classes=["modules"])
        self.state.nested_parse(StringList(rows, source=""), self.content_offset, node)
        return [node]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx; before napoleon, which would read an essay as sections."""
    app.connect("autodoc-process-docstring", render_module, priority=100)
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
