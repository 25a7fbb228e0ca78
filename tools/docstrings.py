"""A small Sphinx extension for the API page: a module's docstring is shown as it is in the source.

Those docstrings are short essays with diagrams and equations in plain text, made for readers of the
code. Read as reStructuredText they would warn and lose their layout.
"""

from sphinx.application import Sphinx


def show_module_essay(
    app: Sphinx, kind: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Keep the first sentence as a paragraph and put the rest into a block of plain text."""
    if kind != "module" or not lines:
        return
    end = lines.index("") if "" in lines else len(lines)
    summary, essay = lines[:end], lines[end:]
    while essay and not essay[0].strip():
        essay.pop(0)
    lines[:] = [line.strip() for line in summary] + [""]
    if any(line.strip() for line in essay):
        block = [f"   {line}" if line.strip() else "" for line in essay]
        lines += [".. code-block:: text", "   :class: essay", "", *block, ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx; before napoleon, which would read the essay as sections."""
    app.connect("autodoc-process-docstring", show_module_essay, priority=100)
    return {"parallel_read_safe": True}
