"""A phone with the built book on it: Chromium through Playwright, pages from a server of this process.

Without a browser the tests are skipped by name; never where the environment variable CI is set.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.screens import DESK, PHONE, open_pages
from tools.built_site import ARGUMENTS, CHROMIUMS, find_chromium, served


@pytest.fixture(scope="session")
def site(repository: Path) -> Iterator[str]:
    """The address of the built book."""
    with served(repository / "_build" / "html") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"none of {', '.join(CHROMIUMS)} is installed")
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
