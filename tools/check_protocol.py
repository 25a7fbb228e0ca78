"""Only models/, and what draws them, knows a model: `python -m tools.check_protocol`.

A codec is one class that everything else knows by its protocol. So neither the name of such a class nor
that of an architecture may stand in the code of another file; docstrings may give examples. One name is
also a term of the field, and names a network of a prior: `context`.
"""

import ast
import sys
from collections.abc import Iterator

from codec_lib.models import MODELS
from tools.setup_cell import ROOT

CLASSES = {where.rpartition(":")[2] for where in MODELS.values()}
NAMES = set(MODELS) - {"context"}
LIBRARY = ROOT / "codec_lib"
KNOWING = LIBRARY / "models", LIBRARY / "viz" / "diagrams"


def known_models(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every class of a model, and of every name of one, that some code has.

    >>> list(known_models("from x import Flagship\\nif name == 'near-lossless': pass"))
    [(1, 'Flagship'), (2, 'near-lossless')]
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if name in CLASSES:
                yield node.lineno, name
            case ast.Constant(value=str(name)) if name in NAMES:
                yield node.lineno, name


def main() -> int:
    """Print what is found; returns the exit status."""
    others = [path for path in sorted(LIBRARY.rglob("*.py")) if not set(KNOWING) & set(path.parents)]
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}; only models/ and viz/diagrams/ know models"
        for path in others
        for line, name in known_models(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(found) or "protocol: no file outside models/ and viz/diagrams/ knows a model")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
