"""The price of every latent: a file is decoded in the page, and each place says what it cost."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from codec_lib import container
from codec_lib.measure.bit_map import bit_map
from tests.browser.screens import DESK, PHONE

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # milliseconds, on a busy machine
FOLDER = "/_static/codec"
MOUNT = f"""() => {{
  const file = "{FOLDER}/portrait.clc";
  document.querySelector("article").innerHTML = `<latent-prices src="${{file}}">A script.</latent-prices>`;
  return import("{FOLDER}/prices.js").then(() => null);
}}"""
LATEST = "Row {}, column {}: "


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(browser: Browser, site: str, request) -> Iterator[Page]:
    with browser.new_context(**request.param, base_url=site, reduced_motion="reduce") as context:
        page, errors = context.new_page(), []
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto("/book/notation.html")
        page.on("pageerror", lambda error: errors.append(error.stack or error.message))
        page.evaluate(MOUNT)
        yield page
        assert errors == []


@pytest.fixture
def opened(page: Page) -> Page:
    page.get_by_role("button", name="Open the file here").click()
    expect(page.locator("latent-prices table")).to_be_visible()
    return page


@pytest.fixture(scope="module")
def file(repository) -> bytes:
    return (repository / "_build" / "html" / "_static" / "codec" / "portrait.clc").read_bytes()


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", text)]


def test_nothing_is_fetched_before_somebody_asks(page):
    fetched = page.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    assert not [name for name in fetched if name.endswith((".bin", ".clc", ".wasm"))]
    expect(page.locator("latent-prices button")).to_contain_text(
        re.compile(r"fetches \d\.\d MB of weights")
    )


def test_the_dearest_place_is_chosen_first_and_its_bits_are_those_of_python(opened, file):
    bits = bit_map(file)
    row, column = np.unravel_index(bits.argmax(), bits.shape)
    said = opened.locator("latent-prices .said")
    expect(said).to_contain_text(LATEST.format(row, column))
    assert numbers(said.inner_text())[2] == round(bits.max(), 1)


def test_all_places_add_up_to_the_section_of_the_file(opened, file):
    places, y, y_bytes, y_length, _, z_bytes, z_length = numbers(
        opened.locator("latent-prices .about").inner_text()
    )
    sections = container.read(file).take(["z", "y"])
    bits = bit_map(file)
    assert (places, y) == (bits.size, round(bits.sum(), 1))
    assert (z_length, y_length) == (len(sections["z"]), len(sections["y"]))
    # A coder's head, and at most four states of five bytes.
    assert 0 <= y_length - y_bytes <= 23
    assert 0 <= z_length - z_bytes <= 8


def test_channels_of_the_table_add_up_to_what_is_said(opened):
    shown = [numbers(text)[-1] for text in opened.locator("latent-prices tbody tr").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    *_, all_bits, _, count, listed, _, others = numbers(opened.locator("latent-prices .said").inner_text())
    assert count == len(shown) == 8
    assert abs(sum(shown) - listed) < 0.1
    assert abs(listed + others - all_bits) < 0.11


def test_a_press_and_arrow_keys_choose_a_place(opened):
    places, said = opened.locator("latent-prices .places button"), opened.locator("latent-prices .said")
    assert places.count() == 96
    places.nth(13).click()
    expect(said).to_contain_text(LATEST.format(1, 1))
    for key, row, column in (
        ("ArrowRight", 1, 2),
        ("ArrowDown", 2, 2),
        ("ArrowLeft", 2, 1),
        ("ArrowUp", 1, 1),
        ("ArrowUp", 0, 1),
        ("ArrowUp", 0, 1),  # nothing is above
    ):
        opened.keyboard.press(key)
        expect(said).to_contain_text(LATEST.format(row, column))
    expect(places.nth(1)).to_be_focused()
    expect(places.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(opened.locator("latent-prices [aria-pressed=true]")).to_have_count(1)


def test_the_map_covers_the_picture_and_can_be_taken_away(opened):
    canvas, grid = (
        opened.locator(f"latent-prices {part}").bounding_box() for part in ("canvas", ".places")
    )
    assert canvas
    assert grid
    for side in ("x", "y", "width", "height"):
        assert abs(canvas[side] - grid[side]) < 1
    opened.get_by_label("Show the bits").uncheck()
    background = "element => getComputedStyle(element).backgroundColor"
    assert opened.locator("latent-prices .places button").first.evaluate(background) == "rgba(0, 0, 0, 0)"


def test_nothing_is_wider_than_a_small_phone(opened):
    opened.set_viewport_size({"width": 320, "height": 700})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 320
