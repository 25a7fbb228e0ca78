"""The format page's components: bytes that can be damaged, a coder that can be stepped through."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.screens import DESK, PHONE

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # milliseconds, on a busy machine


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, site: str, request) -> Iterator[Page]:
    with browser.new_context(**request.param, base_url=site, reduced_motion="reduce") as context:
        page, errors = context.new_page(), []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: errors.append(error.stack or error.message))
        page.goto("/book/format.html")
        yield page
        assert errors == []


def press(page: Page, place: int) -> None:
    """Flip a bit of the byte at some place; -1 is the last."""
    page.locator("byte-surgery .byte").nth(place).click()


def test_a_flipped_bit_is_seen_and_flipped_back(page):
    verdict = page.locator("byte-surgery .said")
    expect(verdict).to_have_text("All checks pass.")
    for place, line in [
        (0, "magic: 88 43 4c 43"),
        (6, "header: CRC-32 is "),
        (-1, "section y: CRC-32 is "),
    ]:
        press(page, place)
        expect(verdict).to_contain_text(line)
        expect(page.locator("byte-surgery .about")).not_to_be_empty()
        press(page, place)
        expect(verdict).to_have_text("All checks pass.")


def test_behind_right_checksums_the_coder_sees_damage(page):
    press(page, -1)
    page.get_by_role("button", name="Repair checksums and decode").click()
    verdict = page.locator("byte-surgery .said")
    expect(verdict).to_contain_text("With right checksums: section y: ")
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("button", name="Decode", exact=True).click()
    expect(verdict).to_have_text("it decodes, to 64 x 64 pixels.")
    expect(page.locator("byte-surgery canvas")).to_be_visible()


def test_a_verdict_on_bytes_that_are_others_by_now_is_not_said(page):
    held = []
    page.route("**/decoder-*.bin", lambda route: held.append(route))
    with page.expect_request("**/decoder-*.bin"):
        page.get_by_role("button", name="Decode", exact=True).click()
    press(page, 6)
    verdict = page.locator("byte-surgery .said")
    expect(verdict).to_contain_text("header: CRC-32 is ")
    held[0].continue_()
    page.wait_for_function("!document.querySelector('byte-surgery').work.isBusy")
    expect(verdict).to_contain_text("header: CRC-32 is ")
    expect(page.locator("byte-surgery canvas")).to_be_hidden()


def test_what_a_press_fetches_is_said_before(page, repository):
    weights = repository / "_build" / "html" / "_static" / "codec" / "weights.json"
    megabytes = json.loads(weights.read_text())["decoder"]["bytes"] / 1e6
    expect(page.locator("byte-surgery")).to_contain_text(f"Decoding fetches {megabytes:.1f} MB")


def test_a_value_of_nothing_is_a_value(page):
    page.locator("byte-surgery .byte[title=mode]").focus()
    expect(page.locator("byte-surgery .about")).to_contain_text(". mode = ")


def test_arrow_keys_walk_through_the_bytes(page):
    page.locator("byte-surgery .byte").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("byte-surgery .byte").nth(1)).to_be_focused()
    expect(page.locator("byte-surgery .about")).to_have_text("Byte 1: 43. magic")


def test_a_coder_is_stepped_through(page):
    """The numbers are those that the chapter on range coding prints."""
    stepper = page.locator("coder-stepper")
    slider, said = stepper.get_by_label("Step", exact=True), stepper.locator(".said")
    for x in (11, 70, 104, 156, 234, 350):
        stepper.get_by_role("button", name="Step forward").click()
        expect(said).to_contain_text(f"= {x}")
    expect(said).to_contain_text("log2 x = 8.45, at least 7.51")
    slider.fill("12")
    expect(said).to_contain_text("symbol 2; x = 1 · ⌊11 / 6⌋ + 5 - 5 = 1")
    stepper.get_by_label("Coder").select_option("range coder")
    slider.fill("6")
    expect(said).to_contain_text("width 2^-7.51")


def test_a_message_without_a_table_is_one_line(page):
    stepper = page.locator("coder-stepper")
    stepper.get_by_label("Message").fill("0 7")
    expect(stepper.locator(".said")).to_have_text("message: allowed are 1 to 40 numbers from 0 to 2")
    stepper.get_by_label("Frequencies").fill("1 1 1 1 1 1 1 5")
    expect(stepper.locator(".said")).to_contain_text("The message costs")


def test_nothing_is_wider_than_a_small_phone(page):
    page.set_viewport_size({"width": 320, "height": 700})
    expect(page.locator("byte-surgery .said")).to_have_text("All checks pass.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
