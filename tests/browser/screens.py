"""The two screens that the book is looked at on."""

from collections.abc import Iterator

from playwright.sync_api import Browser, Page

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}


def open_pages(browser: Browser, screen: dict, site: str) -> Iterator[Page]:
    """A page on such a screen; what a script raises fails the test."""
    errors = []
    with browser.new_context(**screen, base_url=site, reduced_motion="reduce") as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(error.stack or error.message))
        yield page
    assert errors == []
