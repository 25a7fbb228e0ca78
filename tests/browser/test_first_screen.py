"""Every chapter shows its picture before one scrolls, on a desk and on a phone."""

import pytest

from tests.browser.pages import CHAPTERS, visiting
from tools.setup_cell import ROOT

NOTEBOOKS = [name for name in CHAPTERS if (ROOT / f"{name}.ipynb").exists()]
SCREENS = [{"width": 1280, "height": 800}, {"width": 390, "height": 844}]
SHOWN = 60  # pixels of the picture that have to be in sight
TOP = """() => [...document.querySelectorAll('.bd-article :is(img, svg, figure)')]
  .map(e => e.getBoundingClientRect()).filter(r => r.width > 80 && r.height > 60)
  .map(r => r.top + scrollY)"""


@pytest.mark.browser
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: str(screen["width"]))
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_picture_is_in_the_first_screen(browser, site, name, screen):
    with visiting(browser, {"viewport": screen}, site, name) as visit:
        tops = visit.page.evaluate(TOP)
    assert tops
    assert tops[0] < screen["height"] - SHOWN
