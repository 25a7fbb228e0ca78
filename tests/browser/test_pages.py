"""Every page of the book, on a phone and on a desk: light, silent, and readable by everybody."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.pages import LIBRARY, PAGES, grouped, visiting
from tests.browser.screens import DESK, PHONE

pytestmark = pytest.mark.browser

MOST_BYTES = 1_000_000  # of all but pictures, before compression: what a slow phone waits for
A4 = {"width": 718, "height": 1047}  # CSS pixels between margins of 1 cm
SMALLEST = {"width": 320, "height": 568}

AXE = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js").read_text(encoding="utf-8")
# Formulas and code are drawn by thousands of elements, which axe would look at one by one: formulas are
# hidden from a screen reader, which gets MathML, and the colours of code are looked at once.
SIMPLIFY = """() => {
  document.querySelectorAll("mjx-math, mjx-assistive-mml").forEach(e => e.replaceWith("formula"));
  document.querySelectorAll("pre").forEach(e => { e.textContent = e.textContent });
}"""
RULES = """{resultTypes: ["violations"], rules: {"label-content-name-mismatch": {enabled: true}}}"""


@pytest.fixture(scope="module", params=grouped([*PAGES, *LIBRARY]))
def visit(request, browser, site):
    """Each page of the book once, on a phone."""
    with visiting(browser, PHONE, site, request.param) as visit:
        yield visit


def resize(page, size) -> None:
    """Give the page another size, and the theme the time after which it looks again."""
    page.set_viewport_size(size)
    page.wait_for_timeout(450)  # the theme waits 0.3 s


def complaints_of_axe(page, where="document", options=RULES) -> list[str]:
    """Return what axe-core finds."""
    page.evaluate(AXE)
    violations = page.evaluate(f"axe.run({where}, {options})")["violations"]
    return [f"{found['id']}: {node['html'][:160]}" for found in violations for node in found["nodes"]]


def test_the_console_is_silent(visit):
    assert visit.complaints == []


def test_it_weighs_less_than_a_megabyte_before_pictures(visit):
    heaviest = sorted(visit.weights.items(), key=lambda item: -item[1])[:5]
    assert 100_000 < sum(visit.weights.values()) < MOST_BYTES, heaviest


def test_it_is_no_wider_than_the_smallest_phone(visit):
    for size in (SMALLEST, PHONE["viewport"]):
        resize(visit.page, size)
        widths = visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert widths == [size["width"], size["width"]]


# What is wider than its own box, or than the paper.
CUT = """() => [...document.querySelectorAll('.bd-article :is(pre, table, div.math, .output)')]
  .filter(e => e.getClientRects().length)
  .filter(e => e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).overflowX != 'visible'
    || e.getBoundingClientRect().right > document.documentElement.clientWidth + 2)
  .map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 60))"""
# Texts whose ink is light.
GREY = """() => [...document.querySelectorAll('.bd-article :is(p, li, pre, pre span, h2)')]
  .map(e => getComputedStyle(e).color.match(/[0-9.]+/g).slice(0, 3).map(Number))
  .filter(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b > 140).length"""


def test_nothing_is_cut_off_or_closed_or_grey_on_paper(visit):
    page = visit.page
    resize(page, A4)
    page.emulate_media(color_scheme="dark", media="print")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator(".bd-article details:not([open])")).to_have_count(0)
    assert page.evaluate(CUT) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(GREY) == 0
    page.emulate_media(color_scheme="light", media="screen")
    resize(page, PHONE["viewport"])


def test_nobody_is_shut_out_on_a_phone_or_a_dark_desk(visit):
    page = visit.page
    page.evaluate(SIMPLIFY)
    assert complaints_of_axe(page) == []
    resize(page, DESK["viewport"])
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert complaints_of_axe(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_stands_out_from_its_paper(browser, site, scheme):
    with visiting(browser, DESK | {"color_scheme": scheme}, site, "book/range-coding") as visit:
        first = "document.querySelectorAll('.bd-article pre')[2]"
        assert complaints_of_axe(visit.page, first, '{runOnly: ["color-contrast"]}') == []
