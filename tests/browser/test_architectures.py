"""Drawings of codecs in a browser's own letters: nothing leaves its box, nothing lies on other text."""

import pytest
from playwright.sync_api import Browser

from codec_lib import viz
from codec_lib.models import MODELS

pytestmark = pytest.mark.browser
NARROW = 350  # pixels, a phone's column
CROWDED = """() => {
  const svg = document.querySelector(".architecture svg"), found = [];
  const boxes = Array.from(svg.querySelectorAll("rect.box, rect.tensor"), (box) => box.getBBox());
  const texts = Array.from(svg.querySelectorAll("text"), (text) => [text.textContent, text.getBBox()]);
  texts.forEach(([words, b], k) => {
    const height = b.y + b.height / 2;
    const home = boxes.find((box) => height > box.y && height < box.y + box.height
      && b.x < box.x + box.width && b.x + b.width > box.x);
    const [left, right] = home ? [home.x, home.x + home.width] : [0, 350];
    if (b.x < left + 2 || b.x + b.width > right - 2) found.push(`${words}: out of its box`);
    for (const [others, o] of texts.slice(0, k)) {
      const across = o.x < b.x + b.width && b.x < o.x + o.width;
      const along = Math.abs(o.y - b.y) < (o.height + b.height) / 2 - 6;
      if (across && along) found.push(`${words}: on ${others}`);
    }
  });
  return found;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser):
    with browser.new_context(viewport={"width": NARROW, "height": 800}) as context:
        yield context.new_page()


@pytest.mark.parametrize("name", MODELS)
def test_text_stays_in_its_box(page, name):
    page.set_content(f'<body style="margin: 0">{viz.architecture(name)._repr_html_()}')
    assert page.evaluate(CROWDED) == []
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW


@pytest.mark.parametrize("colour", ["#222222", "#dddddd"])
def test_lines_and_letters_have_the_colour_of_the_page(page, colour):
    page.set_content(f'<body style="color: {colour}">{viz.architecture("hyperprior")._repr_html_()}')
    used = "element => [getComputedStyle(element).fill, getComputedStyle(element).stroke]"
    shown = "rgb(34, 34, 34)" if colour == "#222222" else "rgb(221, 221, 221)"
    assert page.locator(".architecture text").first.evaluate(used)[0] == shown
    assert page.locator(".architecture .arrow").first.evaluate(used)[1] == shown
