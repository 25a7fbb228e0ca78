"""A phone with the built book on it: Chromium through Playwright, pages from a server of this process.

Without a browser the tests are skipped by name; never where the environment variable CI is set.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.screens import DESK, PHONE, open_pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture(scope="session")
def site(repository: Path) -> Iterator[str]:
    """The address of the built book."""
    folder = repository / "_build" / "html"
    assert (folder / "index.html").exists(), "the book is not built: `make book`"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def phone(browser: Browser, site: str) -> Iterator[Page]:
    yield from open_pages(browser, PHONE, site)


@pytest.fixture
def desk(browser: Browser, site: str) -> Iterator[Page]:
    yield from open_pages(browser, DESK, site)
