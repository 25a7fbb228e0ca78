"""The pages of the book, and one look at a page: what it loads and what the console says."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import yaml
from playwright.sync_api import Browser, ConsoleMessage, Page, Response

from tools import api_pages
from tools.setup_cell import ROOT

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))


def files(entries: list[dict]) -> Iterator[str]:
    """Yield the file of every entry of a table of contents, and of those below it."""
    for entry in entries:
        yield entry["file"]
        yield from files(entry.get("sections", []))


CHAPTERS = list(files([entry for part in TOC["parts"] for entry in part["chapters"]]))
PAGES = [TOC["root"], *CHAPTERS, "genindex", "search"]
# The pages of the library are made alike: the one with the most text, and one with drawings and examples.
LIBRARY = [api_pages.page_name(f"codec_lib.{name}") for name in ("models.base", "layers.gdn")]
PICTURES = re.compile(rb"data:image/[^\"')]*")


def grouped(names: list[str]) -> list:
    """Return parameters of which each keeps its tests in one process: a page is opened once."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in names]


@dataclass
class Visit:
    """One page in a browser, what it loaded, and what went wrong."""

    page: Page
    name: str
    complaints: list[str] = field(default_factory=list)
    texts: list[Response] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)

    def listen(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(error.stack or error.message))
        self.page.on("response", self._loaded)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _loaded(self, response: Response) -> None:
        kind = response.headers.get("content-type", "")
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")
        elif not kind.startswith("image/"):
            self.texts.append(response)

    def weigh(self) -> None:
        """Count the bytes of what was loaded, uncompressed, without pictures that are written into it.

        Not as responses arrive: a body may still be on its way.
        """
        self.weights = {text.url: len(PICTURES.sub(b"", text.body())) for text in self.texts}


@contextmanager
def visiting(browser: Browser, screen: dict, site: str, name: str) -> Iterator[Visit]:
    """Open a page on such a screen in a browser that has seen nothing before."""
    with browser.new_context(**screen, base_url=site, reduced_motion="reduce") as context:
        visit = Visit(context.new_page(), name)
        visit.listen()
        visit.page.goto(f"/{name}.html", wait_until="networkidle")
        visit.weigh()
        yield visit
