"""The pages of the library, one a module, written before the book is built.

`book/api.md` says which modules have one, in the lists of its `modules` directives. A page holds nothing
but the module's own docstrings, so none is committed: `write` makes them, `with_pages` enters them into
the table of contents.
"""

import re
import shutil
from pathlib import Path

from tools.setup_cell import ROOT

OVERVIEW = "book/api"
LISTS = re.compile(r"^```\{modules\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = """# {name}

```{{eval-rst}}
.. automodule:: {name}
   :members: {members}
```
"""


def modules(root: Path = ROOT) -> dict[str, str]:
    """Return the modules of the overview, each with the members to show (none named: all)."""
    lists = LISTS.findall((root / f"{OVERVIEW}.md").read_text(encoding="utf-8"))
    lines = [line.split() for block in lists for line in block.splitlines() if line.strip()]
    return {name: ", ".join(members) for name, *members in lines}


def module_path(name: str, root: Path = ROOT) -> Path:
    """Return the file of a module or a package."""
    path = root / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def page_name(module: str) -> str:
    """Return the page of a module, without suffix: book/api/layers-gdn."""
    return f"{OVERVIEW}/{module.removeprefix('codec_lib.').replace('.', '-').replace('_', '-')}"


def write(root: Path = ROOT) -> None:
    """Write the pages of all modules, and no others."""
    shutil.rmtree(root / OVERVIEW, ignore_errors=True)
    (root / OVERVIEW).mkdir()
    for name, members in modules(root).items():
        text = PAGE.format(name=name, members=members).replace(": \n", ":\n")
        (root / f"{page_name(name)}.md").write_text(text, encoding="utf-8")


def with_pages(toc: dict, root: Path = ROOT) -> dict:
    """Return a table of contents with the modules' pages below the overview."""
    pages = [{"file": page_name(name), "title": name.removeprefix("codec_lib.")} for name in modules(root)]
    for part in toc["parts"]:
        part["chapters"] = [
            {**entry, "sections": pages} if entry["file"] == OVERVIEW else entry
            for entry in part["chapters"]
        ]
    return toc
