"""On a phone the menu and the contents open and close, by touch and by keyboard."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.pages import CHAPTERS, PAGES, grouped
from tests.browser.screens import PHONE, open_pages

pytestmark = pytest.mark.browser

CHAPTER = "book/gdn"

KINDS = [("primary", "Site navigation"), ("secondary", "On this page")]
both = pytest.mark.parametrize(("kind", "label"), KINDS, ids=["menu", "contents"])


def visit(page: Page, name: str) -> None:
    page.goto(f"/{name}.html")


def parts(page: Page, kind: str) -> tuple[Locator, Locator]:
    """The button that a reader sees, and the dialog that it opens."""
    return page.locator(f".bd-header-article .{kind}-toggle"), page.locator(f"#pst-{kind}-sidebar-modal")


@pytest.fixture(scope="module", params=grouped(PAGES))
def each(request, browser, site):
    """Each page of the book once, on a phone, and its name."""
    for page in open_pages(browser, PHONE, site):
        visit(page, request.param)
        yield page, request.param


def test_a_tap_opens_the_menu_with_all_chapters_and_another_closes_it(each):
    page, name = each
    button, menu = parts(page, "primary")
    expect(menu).to_be_hidden()
    button.tap()
    expect(menu).to_be_visible()
    links = menu.locator("nav a.reference:not([href='#'])")
    targets = set(links.evaluate_all("links => links.map(link => link.pathname)"))
    assert targets >= {f"/{chapter}.html" for chapter in CHAPTERS if chapter != name}
    expect(links.first).to_be_in_viewport()
    assert menu.evaluate("menu => menu.scrollWidth <= menu.clientWidth")
    menu.get_by_role("button", name="Close").tap()
    expect(menu).to_be_hidden()
    button.tap()
    expect(menu).to_be_visible()


def test_the_menu_leads_to_a_chapter(phone):
    visit(phone, CHAPTER)
    button, menu = parts(phone, "primary")
    button.tap()
    menu.get_by_role("link", name="Entropy: what a symbol costs").tap()
    expect(phone).to_have_url("/book/entropy.html")


def test_the_contents_lead_to_a_section_and_make_room_for_it(phone):
    visit(phone, CHAPTER)
    button, contents = parts(phone, "secondary")
    button.tap()
    expect(contents).to_be_visible()
    contents.get_by_role("link", name="Summary").tap()
    expect(contents).to_be_hidden()
    expect(phone.locator("#summary h2")).to_be_in_viewport()


@both
def test_a_tap_beside_it_closes_it(phone, kind, label):
    visit(phone, CHAPTER)
    button, dialog = parts(phone, kind)
    button.tap()
    expect(dialog).to_be_visible()
    phone.touchscreen.tap(385 if kind == "primary" else 5, 800)
    expect(dialog).to_be_hidden()


@both
def test_the_reading_position_stays(phone, kind, label):
    visit(phone, CHAPTER)
    phone.wait_for_load_state("networkidle")  # pictures that arrive later would move the text
    phone.evaluate("window.scrollTo({top: 3000, behavior: 'instant'})")
    at = phone.evaluate("scrollY")
    button, dialog = parts(phone, kind)
    for target in (button, dialog.get_by_role("button", name="Close")):
        box = target.bounding_box()  # a finger on the screen: Playwright's own tap scrolls first
        phone.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(dialog).to_be_visible(visible=target is button)
    assert phone.evaluate("scrollY") == at > 2000


@both
@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_opens_and_closes_it_and_comes_back(phone, kind, label, key):
    visit(phone, CHAPTER)
    button, dialog = parts(phone, kind)
    button.focus()
    phone.keyboard.press(key)
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    phone.keyboard.press(key)
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    phone.keyboard.press(key)
    phone.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


@both
def test_a_screen_reader_hears_what_it_is_and_whether_it_is_open(phone, kind, label):
    visit(phone, CHAPTER)
    button, dialog = parts(phone, kind)
    expect(button).to_have_accessible_name(label)
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_have_attribute("aria-controls", dialog.get_attribute("id"))
    button.tap()
    expect(dialog).to_have_accessible_name(label)
    expect(button).to_have_attribute("aria-expanded", "true")
    phone.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")


def test_no_button_is_left_in_the_sidebar_of_a_page_that_gets_wide(phone):
    visit(phone, CHAPTER)
    button, menu = parts(phone, "primary")
    button.tap()
    menu.get_by_role("button", name="Close").tap()
    phone.set_viewport_size({"width": 1280, "height": 900})
    expect(phone.locator("#pst-primary-sidebar")).to_be_visible()
    expect(phone.get_by_role("button", name="Close")).to_have_count(0)
    expect(button).to_have_attribute("aria-expanded", "true")


def test_on_a_desk_the_button_hides_the_menu_and_shows_it_again(desk):
    visit(desk, CHAPTER)
    button, menu = parts(desk, "primary")
    sidebar = desk.locator("#pst-primary-sidebar")
    expect(sidebar).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    button.click()
    expect(sidebar).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(sidebar).to_be_visible()
    expect(menu).to_be_hidden()
