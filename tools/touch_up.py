"""Mend in the built pages what the theme and docutils write and a screen reader stumbles over.

Each entry of `MENDED` is one such thing: what is written, what should be, and why. The browser tests
run axe-core on every page and find the next one.
"""

import re
from pathlib import Path

MENDED = (
    # The logo and its title lie outside every landmark.
    (
        r'<div id="pst-primary-sidebar"',
        '<div id="pst-primary-sidebar" role="complementary" aria-label="Book"',
    ),
    # Its title stands beside the logo.
    (r'(<img [^>]*class="logo__image[^>]*?) alt=""', r'\1 alt="" aria-hidden="true"'),
    # ARIA 1.3 drops the role of a bibliography's entry; a list of them holds anchors beside them.
    (r' role="doc-biblioentry"', ""),
    (r'<div role="list" class="citation-list">', '<div class="citation-list">'),
    # What is seen on a button is also its name.
    (r'(<summary) aria-label="Toggle hidden content"', r"\1"),
    (r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1"),
    (r'<summary>(<span class="toctree-toggle")', r'<summary aria-label="The pages below">\1'),
    # The corner of a table that has headings on two sides is no heading.
    (r'<th class="head">(?:<p></p>)?</th>', "<td></td>"),
)


def touch_up(site: Path) -> int:
    """Mend every page of a site; return how many places that were."""
    count = 0
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        for written, wanted in MENDED:
            page, found = re.subn(written, wanted, page)
            count += found
        path.write_text(page, encoding="utf-8")
    return count
