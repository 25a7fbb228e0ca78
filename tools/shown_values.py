"""Values that a chapter means to show, and that a notebook would not: only the last of a cell is shown."""

import ast

SHOWN = {"architecture", "compare", "explore_curves", "filmstrip", "table"}  # of `codec_lib.viz`


def thrown_away(source: str) -> list[str]:
    """Calls of `viz` in a cell whose values nobody sees, as "viz.table, line 7".

    >>> thrown_away("viz.table(rows)\\nassert rows")
    ['viz.table, line 1']
    >>> thrown_away("assert rows\\nviz.table(rows)")
    []
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a command of IPython
        return []
    last = body[-1] if body else None
    return [
        f"{ast.unparse(node.value.func)}, line {node.lineno}"
        for node in ast.walk(ast.Module(body, []))
        if isinstance(node, ast.Expr) and node is not last and _is_shown(node.value)
    ]


def _is_shown(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in SHOWN
        and ast.unparse(value.func.value) == "viz"
    )
