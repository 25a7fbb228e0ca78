"""The page of all curves: by finger, mouse and keyboard, and without a script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.screens import DESK, PHONE, open_pages

pytestmark = pytest.mark.browser
ADDRESS = "/book/curves.html"
CROP = 160  # pixels a side


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, site: str, request) -> Iterator[Page]:
    for page in open_pages(browser, request.param, site):
        page.goto(ADDRESS)
        expect(page.locator(".curve-explorer")).to_have_class("curve-explorer live")
        yield page


def point(page: Page, words: str) -> Locator:
    """The point whose words begin like this."""
    return page.locator(f'.point:has(title:text-matches("^{words}:"))')


def touch(page: Page, words: str) -> None:
    """Tap or click in the middle of a point."""
    page.locator(".plot").scroll_into_view_if_needed()
    box = point(page, words).locator("path").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    (page.touchscreen.tap if page.evaluate("'ontouchstart' in window") else page.mouse.click)(*middle)


def slot(page: Page, index: int) -> str:
    return page.locator(".slot p:first-of-type").nth(index).inner_text()


def test_a_touched_point_shows_its_crop_and_the_point_before_stays_beside_it(page):
    loaded = []
    page.on("request", lambda request: loaded.append(request.url))
    before = slot(page, 0)
    touch(page, "JPEG, quality 5")
    expect(page.locator(".slot p").first).to_contain_text("JPEG, quality 5: ")
    assert slot(page, 1) == before
    expect(page.locator(".slot").first).to_contain_text("The astronaut at this setting:")
    page.wait_for_function(f"document.querySelector('.slot img').naturalWidth === {CROP}")
    assert [url.rsplit("/", 1)[1] for url in loaded] == ["jpeg-5.webp"]
    expect(point(page, "JPEG, quality 5")).to_be_focused()


def test_arrow_keys_go_along_a_curve_and_to_the_next(page):
    point(page, "JPEG, quality 20").focus()
    for key, words in [
        ("ArrowRight", "JPEG, quality 30"), ("ArrowLeft", "JPEG, quality 20"), ("End", "JPEG, quality 95"),
        ("Home", "JPEG, quality 5"), ("ArrowLeft", "JPEG, quality 5"),
    ]:  # fmt: skip
        page.keyboard.press(key)
        expect(point(page, words)).to_be_focused()
        assert slot(page, 0).startswith(words)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".point:focus title")).not_to_contain_text("JPEG, ")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".point:focus title")).to_contain_text("JPEG, ")
    assert page.locator('.point[tabindex="0"]').count() == 1
    assert page.locator('.point[aria-checked="true"]').count() == 1


# Every visible point, where it is drawn, and where curves.py says that it lies.
PLACES = """([rate, measure]) => [...document.querySelectorAll('.point')]
  .filter(p => getComputedStyle(p).display != 'none')
  .map(p => [p.getAttribute('transform'), `translate(${+p.dataset[rate]} ${+p.dataset[measure]})`])"""


def test_measures_and_axes_move_every_point_to_its_place(page):
    options = page.locator(".measure option")
    measures = [options.nth(index).get_attribute("value") for index in range(options.count())]
    assert len(measures) >= 2
    counts = {}
    for measure in reversed(measures):
        for rate in ("linear", "log"):
            page.locator(".measure").select_option(measure)
            page.locator(".rate").select_option(rate)
            places = page.evaluate(PLACES, [rate, measure])
            counts[measure] = len(places)
            assert [drawn for drawn, _ in places] == [said for _, said in places]
            seen = page.locator("[data-axis]:visible")
            assert {seen.nth(i).get_attribute("data-axis") for i in range(seen.count())} == {rate, measure}
    assert counts["psnr"] > counts["ms_ssim"]  # published curves have PSNR alone


def test_a_curve_without_the_measure_cannot_be_switched_on(page):
    box = page.get_by_label("VTM (2020)")
    expect(box).to_be_enabled()
    page.locator(".measure").select_option("ms_ssim")
    expect(box).to_be_disabled()


def test_what_is_looked_at_is_no_curve_that_is_switched_off(page):
    name = page.locator(".point.chosen title").text_content().split(",")[0]
    page.get_by_label(name, exact=True).uncheck()
    title = page.locator(".point.chosen title").text_content()
    assert not title.startswith(name)
    assert slot(page, 0) == title
    assert slot(page, 1).startswith(name)


def test_keys_pass_over_a_curve_that_is_switched_off(page):
    page.get_by_label("WebP", exact=True).uncheck()
    expect(point(page, "WebP, quality 1")).to_be_hidden()
    point(page, "JPEG, quality 20").focus()
    for _ in range(page.locator(".curve-explorer input:checked").count()):
        page.keyboard.press("ArrowDown")
        expect(page.locator(".point:focus title")).not_to_contain_text("WebP")
    expect(page.locator(".point:focus title")).to_contain_text("JPEG, ")


def test_without_a_script_the_curves_stand_the_switches_work_and_the_table_has_all(browser, site):
    with browser.new_context(**PHONE, base_url=site, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(ADDRESS)
        expect(page.locator(".choices")).to_be_hidden()
        expect(point(page, "AVIF, quality 45")).to_be_visible()
        page.get_by_label("AVIF", exact=True).uncheck()
        expect(point(page, "AVIF, quality 45")).to_be_hidden()
        page.get_by_text("All points as a table").click()
        expect(page.get_by_role("row", name="VTM (2020)").first).to_be_visible()
