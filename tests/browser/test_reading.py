"""Reading on a phone and on paper: nothing is lost at an edge, and a swipe is a swipe."""

import io
import re
import unicodedata

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.pages import visiting
from tests.browser.screens import DESK

pytestmark = pytest.mark.browser

SCROLLS = re.compile("scrolls more-right")
PRINTED = ["book/gdn", "book/errata"]
SLIDERS = ["book/five-minutes", "book/near-lossless"]


def squeeze(text: str) -> str:
    """Return a text without spaces and ligatures, which differ between a page and its PDF."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def is_printed(line: str, printed: str) -> bool:
    """Whether a line is there, as a whole or in two pieces: a paragraph may go over a page."""
    pieces = ((line[:k], line[k:]) for k in range(len(line)))
    return any(a in printed and b in printed for a, b in pieces)


@pytest.mark.parametrize("name", PRINTED)
def test_every_line_of_a_page_is_in_its_pdf(browser, site, name):
    with visiting(browser, DESK, site, name) as visit:
        page = visit.page
        pdf = PdfReader(io.BytesIO(page.pdf(format="A4")))
        page.locator(".bd-article details").evaluate_all("all => all.forEach(d => d.open = true)")
        shown = page.locator(".bd-article :is(pre, p:not(summary p, :has(.math)))")
        lines = [line for text in shown.all_inner_texts() for line in text.splitlines()]
    printed = squeeze("".join(sheet.extract_text() for sheet in pdf.pages))
    wanted = [line for line in map(squeeze, lines) if line and line.isascii()]
    assert len(wanted) > 30
    assert [line for line in wanted if not is_printed(line, printed)] == []


def test_what_was_opened_for_paper_is_closed_again(desk):
    desk.goto("/book/gdn.html")
    closed = desk.locator(".bd-article details:not([open])")
    before = closed.count()
    assert before > 0
    desk.emulate_media(media="print")
    expect(closed).to_have_count(0)
    desk.emulate_media(media="screen")
    expect(closed).to_have_count(before)


def test_a_formula_that_is_too_wide_says_so_and_scrolls_by_keyboard(phone):
    phone.goto("/book/gdn.html")
    formula = phone.locator("div.math").first
    expect(formula).not_to_have_class(SCROLLS)
    formula.evaluate("e => { e.style.width = '5rem' }")
    phone.evaluate("dispatchEvent(new Event('resize'))")
    expect(formula).to_have_class(SCROLLS)
    assert "gradient" in formula.evaluate("e => getComputedStyle(e).maskImage")
    formula.focus()
    expect(formula).to_be_focused()
    formula.evaluate("e => e.scrollTo({left: e.scrollWidth, behavior: 'instant'})")
    expect(formula).to_have_class(re.compile("more-left"))
    expect(formula).not_to_have_class(re.compile("more-right"))


def test_fifty_characters_of_output_fit_on_a_phone(phone):
    phone.goto("/book/gdn.html")
    output = phone.locator(".cell_output pre").first
    assert output.evaluate("""pre => {
      pre.textContent = "x".repeat(50);
      return pre.scrollWidth <= pre.clientWidth;
    }""")


@pytest.mark.parametrize("name", SLIDERS)
def test_a_swipe_down_that_starts_on_a_viewer_scrolls_the_page(phone, name):
    phone.goto(f"/{name}.html")
    sliders = phone.locator(".cell_output input[type=range]")
    assert sliders.count() > 0
    for slider in sliders.all():
        slider.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
        at, before = phone.evaluate("scrollY"), slider.input_value()
        swipe_up(phone, slider.bounding_box())
        phone.wait_for_function(f"scrollY > {at + 100}")
        assert slider.input_value() == before


def swipe_up(page, box) -> None:
    """Move a finger 200 pixels up, from a place in this box that is not where its slider stands."""
    cdp = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    cdp.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 21):
        point = {"x": x, "y": y - 10 * step}
        cdp.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


LONELY = """() => [...document.querySelectorAll('.bd-article span.math:not(.scrolls)')].filter(math => {
  const mark = math.nextSibling;
  if (mark?.nodeType !== Node.TEXT_NODE || !/^[.,:;!?]/.test(mark.data)) return false;
  const range = document.createRange();
  range.setStart(mark, 0);
  range.setEnd(mark, 1);
  return range.getBoundingClientRect().left < math.getBoundingClientRect().right - 5;
}).map(math => math.parentNode.parentNode.textContent)"""


@pytest.mark.parametrize("name", ["book/rate-control", "book/near-lossless"])
def test_no_line_begins_with_the_mark_behind_a_formula(phone, name):
    phone.goto(f"/{name}.html")
    assert phone.locator(".bd-article .unbroken").count() > 10
    assert phone.evaluate(LONELY) == []
