"""Whatever the application has set in Pillow: whole files only, and profiles of any size."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from codec_lib import picture
from codec_lib.picture import metadata
from tests import icc
from tests.picture.test_depth import png
from tests.picture.test_opening import FILES
from tests.png_chunks import chunk


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"])
def test_half_a_file_is_refused_even_if_the_application_takes_it(monkeypatch, kind):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ValueError, match=r"^image: [^\n]*$"):
        picture.take(FILES[kind][: len(FILES[kind]) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def with_profile(size: int) -> bytes:
    """A PNG with a profile of that many bytes."""
    profile = icc.matrix(icc.P3_PRIMARIES).ljust(size, b"\0")
    rows = np.zeros((2, 3, 3), np.uint8)
    return png(rows, (3, 2), "RGB", chunk(b"iCCP", b"name\0\0" + zlib.compress(profile)), bits=8)


@pytest.mark.parametrize("size", [1_500_000, metadata.MAX_BYTES])
def test_a_profile_of_more_than_a_megabyte_is_kept(size):
    before = PngImagePlugin.MAX_TEXT_CHUNK
    parts = picture.take(with_profile(size), exact=True)
    assert parts.notes == ()
    assert len(metadata.unpack("icc", parts.sections["icc"], "RGB")) == size
    assert before == PngImagePlugin.MAX_TEXT_CHUNK


def test_a_profile_that_is_too_long_does_not_cost_the_picture():
    data = with_profile(metadata.MAX_BYTES + 1)
    assert picture.take(data).notes == (f"icc: more than {metadata.MAX_BYTES} bytes; left out",)
    with pytest.raises(ValueError, match="Decompressed data too large"):
        Image.open(io.BytesIO(data))
