"""A small Sphinx extension: a page loads only what it uses, and says in one sentence what it is about.

Jupyter Book gives every page the scripts of Thebe (twice, which is an error in the console), of
MathJax, of tabs and of toggles. This book starts no kernel in the page, has its formulas typeset when
it is built (tools/formulas.py), and lets the browser open what is closed.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from tools import api_pages

UNUSED = re.compile(r"thebe|mathjax|design-tabs|toggle(button|Hint|OpenOnPrint)", re.IGNORECASE)
SOURCE_BUTTONS = ("source-buttons", "download-buttons", "download-source-button", "download-pdf-button")
DESCRIPTION_LENGTH = 200  # characters; what follows is cut off where the sentence is shown
SHARE_ALT = "One crop of a photo three times: the original, JPEG and a learned codec at the same bytes"


def is_used(asset: Any) -> bool:
    """Return whether a page of this book needs a script or a style sheet."""
    return not UNUSED.search(f"{asset.filename} {asset.attributes.get('body', '')}")


def description(doctree: nodes.document | None) -> str:
    """Return the first paragraphs of a page as plain text, cut at a word."""
    texts: list[str] = []
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        text = " ".join(paragraph.astext().split())
        if not isinstance(paragraph.parent, nodes.section) or len(text) < 40 or "$" in text:
            continue
        texts.append(text)
        if len(" ".join(texts)) > DESCRIPTION_LENGTH // 2:
            break
    whole = " ".join(texts)
    if len(whole) <= DESCRIPTION_LENGTH:
        return whole
    return whole[:DESCRIPTION_LENGTH].rsplit(" ", 1)[0].rstrip(",;:.") + " …"


def lighten(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Take the unused scripts and style sheets off a page; give it a description."""
    for kind in ("script_files", "css_files"):
        context[kind][:] = dict.fromkeys(asset for asset in context[kind] if is_used(asset))
    if page.startswith(
        f"{api_pages.OVERVIEW}/"
    ):  # written by the build: there is no source to edit or download
        context["header_buttons"] = [
            button
            for button in context.get("header_buttons", [])
            if button.get("label") not in SOURCE_BUTTONS
        ]
    context["description"] = description(doctree)
    context["html_baseurl"] = app.config.html_baseurl
    context["share_alt"] = SHARE_ALT


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx; after the extensions that add scripts to a single page."""
    app.connect("html-page-context", lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
