"""One PDF of the whole book, printed from its built pages: `make pdf`, into _build/book.pdf.

Chromium prints each page as a reader would print it. In front stands a table of contents with page numbers,
and every page of the book is a bookmark. Needs the built book and the browser of the tests.
"""

import argparse
import html
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader, PdfWriter

from tools.built_site import ARGUMENTS, CHROMIUMS, find_chromium, served
from tools.setup_cell import ROOT

PAPER = "A4"
CONTENTS = """<style>
body {{ font: 12pt/1.7 sans-serif; margin: 15mm }} ul {{ padding: 0 }}
li {{ display: flex; justify-content: space-between }}
</style><h1>{title}</h1><ul>{lines}</ul>"""
# A heading without the link to itself: its number, if it has one, and its words.
TITLE = """h1 => [...h1.childNodes].filter(node => node.className !== 'headerlink')
.map(node => node.textContent).join('')"""


def names() -> Iterator[str]:
    """All pages of the table of contents, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    yield toc["root"]
    left = [entry for part in toc["parts"] for entry in part["chapters"]]
    while left:
        entry = left.pop(0)
        yield entry["file"]
        left = entry.get("sections", []) + left


def printed(page: Page, address: str) -> tuple[str, PdfReader]:
    """Title and sheets of a page."""
    page.goto(address, wait_until="networkidle")
    title = page.locator("h1").first.evaluate(TITLE)
    return title.strip(), PdfReader(io.BytesIO(page.pdf(format=PAPER)))


def contents(page: Page, title: str, chapters: list[tuple[str, PdfReader]], first: int) -> PdfReader:
    """The table of contents of chapters that begin on sheet `first`, counted from 1."""
    lines = []
    for name, reader in chapters:
        lines.append(f"<li><span>{html.escape(name)}</span> <span>{first}</span></li>")
        first += len(reader.pages)
    page.set_content(CONTENTS.format(title=html.escape(title), lines="".join(lines)))
    return PdfReader(io.BytesIO(page.pdf(format=PAPER)))


def print_book(browser: Browser, site: str, pages: list[str]) -> PdfWriter:
    """The PDF of some pages of a book that is served at an address."""
    page = browser.new_page(reduced_motion="reduce")
    chapters = [printed(page, f"{site}/{name}.html") for name in pages]
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    length = len(contents(page, title, chapters, 1).pages)
    front = contents(page, title, chapters, length + 1)
    page.close()
    book = PdfWriter()
    book.append(front, outline_item="Contents")
    for name, reader in chapters:
        book.append(reader, outline_item=name)
    book.add_metadata({"/Title": title})
    return book


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "html", help="the built book")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "book.pdf")
    options = parser.parse_args()
    path = find_chromium()
    if path is None:
        sys.exit(f"none of {', '.join(CHROMIUMS)} is installed")
    with served(options.folder) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        book = print_book(browser, site, list(names()))
        browser.close()
    book.write(options.out)
    print(f"{options.out}: {len(book.pages)} pages, {options.out.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
