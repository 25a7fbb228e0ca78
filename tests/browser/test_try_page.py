"""The codec in the page: its files decode in Python to the same symbols, Python's files decode in it.

Everything is done as a reader does it, with a mouse, a finger or the keyboard. A page error, an error on
the console, or a request to another host fails the test.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

import codec_lib as cl
from codec_lib import container, data, weights
from codec_lib.measure import metrics
from tests import icc
from tests.browser.screens import DESK, PHONE

pytestmark = pytest.mark.browser
PATIENCE = 120_000  # milliseconds, on a busy machine
PHOTO = data.sample("astronaut").crop((150, 30, 310, 130))


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def screen(request) -> dict:
    return request.param


@pytest.fixture
def page(browser: Browser, site: str, screen: dict) -> Iterator[Page]:
    with browser.new_context(**screen, base_url=site, accept_downloads=True) as context:
        page, complaints = context.new_page(), []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(error.stack or error.message))
        page.on("console", lambda message: complaints.append(trouble(message)))
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        hosts: set[str] = set()
        page.goto("/book/try.html")
        yield page
        assert [line for line in complaints if line] == []
        assert {host for host in hosts if host} == {site.split("/")[2]}


def trouble(message: ConsoleMessage) -> str | None:
    """An error or a warning on the console."""
    if message.type not in ("error", "warning"):
        return None
    return f"{message.text} ({message.location['url']})"


def png(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def give(page: Page, name: str, content: bytes) -> None:
    """Choose a file, as the button does."""
    files = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.locator("[data-part=file]").set_input_files(files=[files])


def done(page: Page) -> None:
    expect(page.locator("[data-part=status]")).to_contain_text("Done: ", timeout=PATIENCE)
    expect(page.locator("#try")).not_to_have_attribute("aria-busy", "true", timeout=PATIENCE)


def downloaded(page: Page, button: str, folder: Path) -> bytes:
    with page.expect_download() as info:
        page.get_by_role("button", name=button).click()
    path = folder / info.value.suggested_filename
    info.value.save_as(path)
    return path.read_bytes()


def symbols(file: bytes) -> dict[str, np.ndarray]:
    head, sections = container.read(file).header, container.read(file).take(["z", "y"])
    read = weights.load(head.model).model.read(sections, head.value, head.height, head.width)
    return {name: values.numpy() for name, values in read.items()}


@pytest.mark.parametrize(("tau", "said"), [(0, "Lossless: every"), (3, "Every sample is within 3 levels")])
def test_a_near_lossless_file_is_decoded_to_the_sample(page, tmp_path, tau, said):
    file = cl.encode(PHOTO, "near-lossless", tau=tau)
    give(page, "python.clc", file)
    done(page)
    shown = Image.open(io.BytesIO(downloaded(page, "Save as PNG", tmp_path)))
    assert np.array_equal(np.asarray(shown), np.asarray(cl.decode(file)))
    expect(page.locator("[data-part=caption]")).to_contain_text(said)
    expect(page.locator("[data-part=status]")).to_contain_text(f"tau {tau}.")
    assert int(row(page, "Near-lossless")[0]) == len(file)
    give(page, "flagship.clc", cl.encode(PHOTO, quality=2))  # the other codec is still there
    expect(page.locator("[data-part=status]")).to_contain_text("quality 2.00")
    done(page)
    expect(page.locator("[data-part=caption]")).to_contain_text("Map of bits")


def test_a_file_that_was_fitted_to_its_picture_is_decoded(page, tmp_path):
    file = cl.encode(PHOTO, "fitted", quality=4, effort=0)
    give(page, "python.clc", file)
    done(page)
    shown = Image.open(io.BytesIO(downloaded(page, "Save as PNG", tmp_path)))
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(cl.decode(file))).max() <= 1
    expect(page.locator("[data-part=caption]")).to_contain_text("The decoder is in the file")
    assert int(row(page, "Fitted to it")[0]) == len(file)


def row(page: Page, codec: str) -> list[str]:
    """The cells of a codec in the table: bytes, bits per pixel, PSNR, seconds."""
    cells = page.get_by_role("row", name=codec).get_by_role("cell").all_inner_texts()
    return [cell.replace(",", "") for cell in cells]


def test_a_photo_becomes_the_file_that_python_writes(page, tmp_path):
    give(page, "photo.png", png(PHOTO))
    done(page)
    file = downloaded(page, "Download .clc", tmp_path)
    expected = cl.encode(PHOTO, quality=3)
    assert container.read(file).header == container.read(expected).header
    assert all(
        np.array_equal(a, b) for a, b in zip(*map(dict.values, map(symbols, (file, expected))), strict=True)
    )
    decoded = cl.decode(file)
    shown = Image.open(io.BytesIO(downloaded(page, "Save as PNG", tmp_path)))
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(decoded)).max() <= 1
    size, _, quality, _ = row(page, "Flagship")
    assert int(size) == len(file)
    assert float(quality) == pytest.approx(metrics.psnr(PHOTO, shown), abs=0.006)  # it has two digits
    for rival in ("JPEG", "WebP"):
        assert 0 < int(row(page, rival)[0]) <= len(file)
        assert 10 < float(row(page, rival)[2]) < 60


def test_a_file_by_python_opens_and_saves_its_picture(page, tmp_path):
    file = cl.encode(PHOTO, quality=6.5)
    give(page, "python.clc", file)
    done(page)
    assert downloaded(page, "Download .clc", tmp_path) == file
    shown = Image.open(io.BytesIO(downloaded(page, "Save as PNG", tmp_path)))
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(cl.decode(file))).max() <= 1
    expect(page.get_by_role("row", name="JPEG")).to_have_count(0)
    assert page.locator("[data-part=left]").input_value() == "Flagship"


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_a_size_is_met(page, tmp_path):
    page.get_by_label("Kilobytes, at most").fill("2.5")
    page.get_by_label("By size").check()
    give(page, "photo.png", png(PHOTO))
    done(page)
    file = downloaded(page, "Download .clc", tmp_path)
    assert 0.97 * 2500 < len(file) <= 2500
    expected = cl.encode(PHOTO, target_bytes=2500)
    assert abs(len(file) - len(expected)) <= 0.005 * 2500 + 2


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_the_keyboard_changes_quality_and_moves_the_divider(page):
    give(page, "photo.png", png(PHOTO))
    done(page)
    before = int(row(page, "Flagship")[0])
    page.get_by_label("Quality, 1 to 8").focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(page.locator("[data-part=status]")).to_contain_text("quality 4.00", timeout=PATIENCE)
    done(page)
    assert int(row(page, "Flagship")[0]) > before
    at = page.locator(".stage").evaluate("stage => getComputedStyle(stage).getPropertyValue('--at')")
    page.get_by_label("Where the divider is").focus()
    page.keyboard.press("ArrowRight")
    moved = page.locator(".stage").evaluate("stage => getComputedStyle(stage).getPropertyValue('--at')")
    assert (at, moved) == ("50%", "50.5%")


def test_a_pointer_moves_the_divider(page, screen):
    give(page, "photo.png", png(PHOTO))
    done(page)
    stage = page.locator(".stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, middle, steps=3)
    page.mouse.up()
    at = stage.evaluate("stage => parseFloat(getComputedStyle(stage).getPropertyValue('--at'))")
    assert at == pytest.approx(25, abs=2)


def test_zoomed_in_the_divider_stays_in_view(page):
    give(page, "photo.png", png(PHOTO))
    done(page)
    page.get_by_label("3 : 1").check()
    width = page.locator(".stage").evaluate("stage => stage.clientWidth * devicePixelRatio")
    assert width == pytest.approx(3 * PHOTO.width, abs=1)
    page.locator(".view").evaluate("view => view.scrollTo(40, 0)")
    expect(page.locator(".divider")).to_be_in_viewport()
    shown = page.locator(".divider").bounding_box()
    view = page.locator(".view").bounding_box()
    middle = shown["x"] + shown["width"] / 2
    assert middle == pytest.approx(view["x"] + view["width"] / 2, abs=2)


@pytest.mark.parametrize("screen", [PHONE], ids=["phone"], indirect=True)
def test_nothing_is_wider_than_a_small_phone(page):
    page.set_viewport_size({"width": 320, "height": 700})
    give(page, "photo.png", png(PHOTO))
    done(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_alpha_and_grey_are_kept(page, tmp_path):
    image = PHOTO.convert("L")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    give(page, "photo.png", png(image))
    done(page)
    decoded = cl.decode(downloaded(page, "Download .clc", tmp_path))
    assert decoded.mode == "LA"
    assert np.array_equal(np.asarray(decoded.getchannel("A")), np.asarray(image.getchannel("A")))


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_a_picture_is_upright_and_in_srgb(page, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    buffer = io.BytesIO()
    wide = icc.matrix(icc.P3_PRIMARIES)
    green = Image.new("RGB", (120, 80), (40, 200, 60))
    green.save(buffer, "JPEG", quality=100, exif=exif, icc_profile=wide, subsampling=0)
    give(page, "photo.jpg", buffer.getvalue())
    done(page)
    decoded = cl.decode(downloaded(page, "Download .clc", tmp_path))
    assert decoded.size == (80, 120)
    assert np.asarray(decoded)[60, 40, 0] < 20, "this green of P3 has no red in sRGB; unconverted it has 40"


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("bad.clc", b"\x89CLC\x02" + bytes(40), "version: 2; this page reads version 3"),
        ("empty.clc", b"", "magic: none; a .clc file starts with 89 43 4c 43"),
        ("text.txt", b"no picture", "picture: this browser cannot read that file as a picture"),
    ],
    ids=["version", "empty", "text"],
)
def test_a_bad_file_is_one_line(page, name, content, line):
    give(page, name, content)
    expect(page.locator("[data-part=status]")).to_have_text(line)
    expect(page.locator("[data-part=status]")).to_have_class("status error")


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_after_a_damaged_file_the_next_one_opens(page):
    file = cl.encode(PHOTO)
    damaged = bytearray(file)
    damaged[-100] ^= 1
    give(page, "damaged.clc", bytes(damaged))
    expect(page.locator("[data-part=status]")).to_contain_text("section y: CRC-32 is ", timeout=PATIENCE)
    give(page, "whole.clc", file)
    done(page)


STATUS, RESULT = "[data-part=status]", "[data-part=result]"


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_a_file_that_fails_takes_the_result_before_away(page):
    give(page, "photo.png", png(PHOTO))
    done(page)
    expect(page.locator(RESULT)).to_be_visible()
    give(page, "bad.clc", b"\x89CLC\x02" + bytes(40))
    expect(page.locator(STATUS)).to_contain_text("version: 2")
    expect(page.locator(RESULT)).to_be_hidden()
    give(page, "photo.png", png(PHOTO))
    done(page)
    expect(page.locator(RESULT)).to_be_visible()


def test_what_nobody_has_foreseen_is_said_too(browser, site):
    """As where a browser has no room for a canvas; the console hears it as well."""
    with browser.new_context(**DESK, base_url=site) as context:
        page = context.new_page()
        page.goto("/book/try.html")
        expect(page.locator(STATUS)).to_contain_text("megabytes")
        page.evaluate("OffscreenCanvas.prototype.getContext = () => null")
        with page.expect_event("pageerror"):
            give(page, "photo.png", png(PHOTO))
        expect(page.locator(STATUS)).to_contain_text("page: it has failed (")
        expect(page.locator(STATUS)).to_have_class("status error")


READ_WITH_A_LIMIT = """async () => {
  const { readPicture } = await import("/_static/codec/picture.js");
  const canvas = new OffscreenCanvas(400, 300);
  canvas.getContext("2d");
  const { width, height, reduced, rgba } = await readPicture(await canvas.convertToBlob(), 30_000);
  return [width, height, reduced, rgba.length];
}"""


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_of_a_picture_above_the_limit_a_smaller_copy_is_taken(page):
    assert page.evaluate(READ_WITH_A_LIMIT) == [200, 150, "400 x 300", 4 * 200 * 150]


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_the_newest_of_several_pictures_wins(page, tmp_path):
    for width in (160, 150, 140, 130):
        give(page, f"photo-{width}.png", png(PHOTO.crop((0, 0, width, 90))))
        page.wait_for_timeout(300)
    expect(page.locator("[data-part=status]")).to_contain_text("Done: 130 x 90", timeout=PATIENCE)
    done(page)
    assert cl.decode(downloaded(page, "Download .clc", tmp_path)).size == (130, 90)


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_a_sample_that_comes_late_does_not_overtake(page):
    held = []
    page.route("**/sample.png", lambda route: held.append(route))
    with page.expect_request("**/sample.png"):
        page.get_by_role("button", name="Take the sample").click()
    give(page, "photo.png", png(PHOTO))
    ours = f"Done: {PHOTO.width} x {PHOTO.height}"
    expect(page.locator(STATUS)).to_contain_text(ours, timeout=PATIENCE)
    held[0].continue_()
    done(page)
    expect(page.locator(STATUS)).to_contain_text(ours)


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_a_sample_without_a_connection_is_one_line(browser, site, screen):
    with browser.new_context(**screen, base_url=site) as context:
        page = context.new_page()
        page.goto("/book/try.html")
        page.route("**/sample.png", lambda route: route.abort())
        page.get_by_role("button", name="Take the sample").click()
        expect(page.locator(STATUS)).to_have_text(
            "page: sample.png cannot be fetched; is there a connection?"
        )


@pytest.mark.parametrize("screen", [DESK], ids=["desk"], indirect=True)
def test_weights_are_fetched_when_asked_for_and_once(page):
    fetched = []
    page.on("request", lambda request: fetched.append(request.url.rsplit("/", 1)[1]))
    expect(page.locator("[data-part=status]")).to_contain_text("megabytes")
    assert [name for name in fetched if name.endswith(".bin")] == []
    give(page, "python.clc", cl.encode(PHOTO))
    done(page)
    assert [name.split("-")[0] for name in fetched if name.endswith(".bin")] == ["decoder"]
    give(page, "photo.png", png(PHOTO))
    done(page)
    assert [name.split("-")[0] for name in fetched if name.endswith(".bin")] == ["decoder", "encoder"]


def test_the_sample_is_one_tap_away(page, screen):
    button = page.get_by_role("button", name="Take the sample")
    button.tap() if screen is PHONE else button.click()
    done(page)
    expect(page.get_by_role("row", name="Flagship")).to_be_visible()
