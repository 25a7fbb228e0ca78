"""Link what a chapter cites to its entry in the bibliography, in the built pages.

Colab shows `{cite}` as raw text, so a chapter says "Ballé et al., 2018" in its text and sets titles in
italics under "Further reading". Both are enough to find the entry: a title is looked for in the entries,
a name and a year in the authors and the year of `references.bib`. What is not in the bibliography, or
could mean two entries, stays as it is.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from tools.equations import ARTICLE
from tools.setup_cell import ROOT

BIBLIOGRAPHY = "book/bibliography.html"
REFERENCES = ROOT / "book" / "references.bib"
FIELD = re.compile(r"^\s*(author|title|year)\s*=\s*\{(.*)\},?\s*$", re.MULTILINE)
SHOWN = re.compile(r'<div class="citation" id="(?P<id>[^"]+)"[^>]*>(?P<text>.*?)</div>', re.DOTALL)
# A piece of a page: no prose or a link already; a title of three words or more; a tag; a name and a year.
PIECE = re.compile(
    r"(?P<closed><(?P<tag>a|pre|script|style|code|h[1-6]|summary|figure)\b.*?</(?P=tag)>)"
    r"|<em>(?P<title>[A-Z][^<\s]*(?:\s+[^<\s]+){2,})</em>"
    r"|(?P<markup><[^>]*>)"
    r"|(?P<name>[A-ZÀ-Þ][\w’-]+)(?: et al\.| and (?:others|[A-ZÀ-Þ][\w’-]+))?"
    r"(?:,? (?P<year>(?:19|20)\d\d)\b| \((?P<bracketed>(?:19|20)\d\d)\))",
    re.DOTALL,
)


@dataclass(frozen=True)
class Paper:
    """One entry: its anchor in the bibliography, its title, the first author's surname, the year."""

    anchor: str
    title: str
    surname: str
    year: str


def plain(text: str) -> str:
    """Return the letters and figures of a text, without accents and markup, in lower case."""
    bare = unicodedata.normalize("NFKD", html.unescape(re.sub(r"<[^>]+>", "", text)))
    return re.sub(r"[^a-z0-9]+", "", bare.lower())


def read_papers(references: str, bibliography: str) -> list[Paper]:
    """Return the papers of a BibTeX file, each with its anchor in the built bibliography.

    Raises ValueError for a paper that is not there.
    """
    shown = {plain(match["text"]): match["id"] for match in SHOWN.finditer(bibliography)}
    papers = []
    for entry in references.split("\n@"):
        fields = dict(FIELD.findall(entry))
        title, surname = plain(fields["title"]), plain(fields["author"].split(",")[0])
        # Two papers may share words: the entry also has the right year.
        anchors = [anchor for text, anchor in shown.items() if title in text and fields["year"] in text]
        if not anchors:
            raise ValueError(f"{REFERENCES.name}: {fields['title']} is not in the bibliography")
        papers.append(Paper(anchors[0], title, surname, fields["year"]))
    return papers


def meant(piece: re.Match, papers: list[Paper]) -> Paper | None:
    """Return the one paper that a piece of a page cites."""
    if title := piece["title"]:
        found = [paper for paper in papers if paper.title.startswith(plain(title))]
    else:
        cited = plain(piece["name"] or ""), piece["year"] or piece["bracketed"]
        found = [paper for paper in papers if (paper.surname, paper.year) == cited]
    return found[0] if len(found) == 1 else None


def link(page: str, papers: list[Paper], bibliography: str) -> tuple[str, int]:
    """Return a page whose citations are links, and how many there are."""
    count = 0

    def link_piece(piece: re.Match) -> str:
        nonlocal count
        paper = meant(piece, papers)
        if paper is None:
            return piece[0]
        count += 1
        return f'<a class="citation" href="{bibliography}#{paper.anchor}">{piece[0]}</a>'

    linked = ARTICLE.sub(lambda article: PIECE.sub(link_piece, article[0]), page)
    return linked, count


def link_citations(site: Path) -> int:
    """Link the citations of every chapter; return how many there are."""
    bibliography = (site / BIBLIOGRAPHY).read_text(encoding="utf-8")
    papers = read_papers(REFERENCES.read_text(encoding="utf-8"), bibliography)
    total = 0
    for path in sorted((site / "book").glob("*.html")):
        if path.stem in ("bibliography", "api"):
            continue
        page, count = link(path.read_text(encoding="utf-8"), papers, Path(BIBLIOGRAPHY).name)
        path.write_text(page, encoding="utf-8")
        total += count
    return total
