"""Give references to equations their numbers, in the built pages.

A chapter writes `$$ ... $$ (twelfth)` and later "by (twelfth)". Colab shows both as they are written, so
the name is the reference there. The page numbers its equations: here the name becomes the number, and a
link to the equation.
"""

import re
from pathlib import Path

LABEL = re.compile(r'id="equation-([\w-]+)">\s*<span class="eqno">\(([\d.]+)\)')
ARTICLE = re.compile(r'<article class="bd-article">.*?</article>', re.DOTALL)  # a page without its frame
# What is no prose, or is a link already; a tag; a name in brackets.
PIECE = re.compile(
    r"<(?P<tag>a|pre|script|style|code|h[1-6]|figure)\b.*?</(?P=tag)>|<[^>]*>|\((?P<label>[\w-]+)\)",
    re.DOTALL,
)


def number(page: str) -> tuple[str, int]:
    """Return a page that refers to its equations by number, and how many references there are."""
    numbers = dict(LABEL.findall(page))
    count = 0

    def refer(piece: re.Match) -> str:
        nonlocal count
        label = piece["label"]
        if label not in numbers:
            return piece[0]
        count += 1
        return f'<a class="reference internal" href="#equation-{label}">({numbers[label]})</a>'

    return ARTICLE.sub(lambda article: PIECE.sub(refer, article[0]), page), count


def number_references(site: Path) -> int:
    """Number the references of every page of a site; return how many there are."""
    total = 0
    for path in sorted((site / "book").glob("*.html")):
        page, count = number(path.read_text(encoding="utf-8"))
        path.write_text(page, encoding="utf-8")
        total += count
    return total
