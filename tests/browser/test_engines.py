"""The book in Firefox and in WebKit: its codec, its explorers, and its pages at the width of a phone."""

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import container, data
from tests.browser.engines import ENGINES, Engine, Watched, missing
from tests.browser.pages import PAGES
from tools.built_site import served

pytestmark = pytest.mark.browser
PHOTO = data.sample("astronaut").crop((150, 30, 310, 130))
TRY = "book/try"
# Gives the page "Try it" a file as its button does, and answers with its last line.
GIVE = """
const [name, text, done] = arguments;
const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const files = new DataTransfer();
files.items.add(new File([bytes], name));
const input = document.querySelector("[data-part=file]");
input.files = files.files;
const line = document.querySelector("[data-part=status]");
line.textContent = "";
input.dispatchEvent(new Event("change", {bubbles: true}));
const timer = setInterval(() => {
  const busy = document.querySelector("#try").hasAttribute("aria-busy");
  if (busy || !(line.textContent.startsWith("Done: ") || line.classList.contains("error"))) return;
  clearInterval(timer);
  done(line.textContent);
}, 50);
"""
# Presses a button that saves, and answers with the bytes.
SAVE = """
const [part, done] = arguments;
window.saved = null;
document.querySelector(`[data-part=${part}]`).click();
const timer = setInterval(() => {
  if (!window.saved) return;
  clearInterval(timer);
  const reader = new FileReader();
  reader.onload = () => done(reader.result.split(",")[1]);
  reader.readAsDataURL(window.saved);
}, 50);
"""
# A page in a frame that is as wide as a phone.
PHONE = """
const [address, done] = arguments;
const frame = document.createElement("iframe");
frame.style = "position: fixed; inset: 0; z-index: 9999; width: 390px; height: 844px; border: 0";
frame.onload = () => setTimeout(() => {
  const page = frame.contentDocument, view = frame.contentWindow;
  page.querySelector(".bd-header-article .primary-toggle").click();
  setTimeout(() => {
    const menu = page.querySelector("#pst-primary-sidebar-modal");
    const answer = {
      width: page.documentElement.scrollWidth, screen: view.innerWidth, troubles: [...view.troubles],
      open: menu.open, links: menu.querySelectorAll("nav a.reference").length,
    };
    frame.remove();
    done(answer);
  }, 50);
}, 50);
frame.src = address;
document.body.append(frame);
"""
UNTIL = """
const [condition, done] = arguments;
const timer = setInterval(() => {
  const answer = new Function(`return ${condition}`)();
  if (!answer) return;
  clearInterval(timer);
  done(answer);
}, 50);
"""


@pytest.fixture(scope="module")
def watched(repository: Path) -> Iterator[str]:
    """The address of the built book, whose pages note their errors."""
    with served(repository / "_build" / "html", Watched) as address:
        yield address


@pytest.fixture(scope="module", params=ENGINES)
def engine(request) -> Iterator[Engine]:
    if package := missing(request.param):
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up(f"{package} is not installed")
    with ENGINES[request.param]() as engine:
        yield engine


@pytest.fixture
def visit(engine: Engine, watched: str):
    """Opens a page; what its scripts raised fails the test."""

    def open_page(name: str) -> Engine:
        engine.open(f"{watched}/{name}.html")
        engine.wait(UNTIL, "document.querySelectorAll('#try :disabled').length === 0")  # its script has run
        return engine

    yield open_page
    assert engine.run("return window.troubles") == []


def give(engine: Engine, name: str, content: bytes) -> str:
    return engine.wait(GIVE, name, base64.b64encode(content).decode())


def saved(engine: Engine, part: str) -> bytes:
    return base64.b64decode(engine.wait(SAVE, part))


def shown(engine: Engine) -> np.ndarray:
    """The picture on the page, from the PNG that it saves."""
    return np.asarray(Image.open(io.BytesIO(saved(engine, "save"))))


def test_a_photo_becomes_a_file_that_python_reads(visit):
    engine, photo = visit(TRY), io.BytesIO()
    PHOTO.save(photo, "PNG")
    assert give(engine, "photo.png", photo.getvalue()).startswith("Done: 160 x 100, RGB, quality 3.00.")
    file = saved(engine, "download")
    expected = cl.encode(PHOTO, quality=3)
    assert container.read(file).header == container.read(expected).header
    assert abs(len(file) - len(expected)) <= 2
    assert np.abs(shown(engine).astype(int) - np.asarray(cl.decode(file))).max() <= 1


@pytest.mark.parametrize(
    ("model", "setting", "most"),
    [
        ("flagship", {"quality": 6.5}, 1),
        ("near-lossless", {"tau": 0}, 0),
        ("near-lossless", {"tau": 3}, 0),
        ("fitted", {"quality": 4, "effort": 0}, 1),
    ],
)
def test_a_file_by_python_decodes(visit, model, setting, most):
    engine, file = visit(TRY), cl.encode(PHOTO, model, **setting)
    assert give(engine, "python.clc", file).startswith("Done: ")
    assert saved(engine, "download") == file
    assert np.abs(shown(engine).astype(int) - np.asarray(cl.decode(file))).max() <= most


def test_a_damaged_file_is_refused_and_the_next_one_decodes(visit):
    engine, file = visit(TRY), bytearray(cl.encode(PHOTO, quality=2))
    whole = bytes(file)
    file[-1] ^= 1
    assert give(engine, "damaged.clc", bytes(file)).startswith("section y: CRC-32 is ")
    assert give(engine, "cut.clc", whole[:-1]).endswith("; truncated")
    assert give(engine, "whole.clc", whole).startswith("Done: ")


def test_a_flipped_bit_is_seen(visit):
    engine = visit("book/format")
    line = "document.querySelector('byte-surgery .said')?.textContent"
    engine.wait(UNTIL, f"{line} === 'All checks pass.'")
    engine.run("document.querySelector('byte-surgery .byte').click()")
    assert engine.wait(UNTIL, f"{line} !== 'All checks pass.' && {line}").startswith("magic: 88 43 4c 43")


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_a_page_fits_and_its_menu_opens(engine, watched, name):
    if engine.run("return location.origin") != watched:
        engine.open(f"{watched}/search.html")
    answer = engine.wait(PHONE, f"{watched}/{name}.html")
    assert answer["troubles"] == []
    assert answer["width"] <= answer["screen"] == 390
    assert answer["open"]
    assert answer["links"] > 20
