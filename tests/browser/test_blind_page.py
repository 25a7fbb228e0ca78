"""The blind test in a real browser: pairs one by one, by mouse and by keyboard, and what was chosen."""

import pytest
from playwright.sync_api import expect

from tests.browser.screens import PHONE
from tests.test_viz_blind import NAMES, markup

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser):
    with browser.new_context(**PHONE) as context:
        page = context.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(error.message))
        page.set_content(f'<meta name="viewport" content="width=device-width"><body>{markup()}</body>')
        yield page
        assert errors == []


def test_pairs_come_one_by_one_and_the_choices_are_told(page):
    for k in range(6):
        expect(page.locator("output")).to_contain_text(f"Pair {k + 1} of 6.")
        assert page.locator(".pair:visible").count() == 1
        chosen = NAMES[1] if k < 4 else NAMES[0]
        page.locator(".pair:visible button").filter(has=page.locator("img")).locator(
            f"xpath=self::*[@data-of={chr(34)}{chosen}{chr(34)}]"
        ).click()
    expect(page.locator("output")).to_have_text(f"You chose {NAMES[1]} 4 times of 6.")
    assert page.locator("tbody tr td:nth-child(2)").all_inner_texts() == [NAMES[1]] * 4 + [NAMES[0]] * 2
    assert page.locator(".pair:visible").count() == 0
    expect(page.locator(".again")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("output")).to_contain_text("Pair 1 of 6.")
    assert not page.locator(".verdict").is_visible()
    expect(page.locator(".pair:visible button").first).to_be_focused()


def test_keys_are_enough_and_nothing_is_wider_than_a_phone(page):
    page.locator(".pair:visible button").first.focus()
    for _ in range(6):
        page.keyboard.press("Enter")
    expect(page.locator("output")).to_contain_text("You chose")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
