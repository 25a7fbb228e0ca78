"""What the tests of the page's codec share: its files as the book publishes them, and pictures."""

from pathlib import Path

import pytest
from PIL import Image

from codec_lib import data
from tests.web.page import Page
from tools import web


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Module, scripts and weights, as in the built book."""
    folder = tmp_path_factory.mktemp("site")
    web.publish(folder)
    return folder


@pytest.fixture
def page(site: Path, tmp_path: Path) -> Page:
    return Page(site, tmp_path)


def transparent(image: Image.Image) -> Image.Image:
    """The same picture, more transparent towards its upper edge."""
    image = image.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def _pictures() -> dict[str, tuple[Image.Image, float]]:
    photo = data.sample("astronaut")
    return {
        "colour": (photo.crop((130, 0, 386, 200)), 4),
        "odd": (photo.crop((60, 100, 263, 231)), 3.3),
        "one": (photo.crop((200, 100, 201, 101)), 1),
        "narrow": (photo.crop((200, 100, 203, 229)), 8),
        "grey": (photo.crop((100, 50, 165, 180)).convert("L"), 6.5),
        "alpha": (transparent(photo.crop((100, 50, 180, 131))), 2),
        "grey-alpha": (transparent(photo.crop((100, 50, 130, 71)).convert("L")), 5),
        "chunks": (photo.resize((1025, 520)), 7),  # more than 1024 places a step
    }


PICTURES = _pictures()
