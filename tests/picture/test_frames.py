"""Of a file of several pictures one is taken, and a note says so."""

import io

import numpy as np
import pytest
from PIL import Image

from codec_lib import picture


def animation(kind: str) -> bytes:
    frames = [Image.fromarray(np.full((6, 8, 3), 40 * k, np.uint8)) for k in range(3)]
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_the_first_is_taken_with_a_note(kind):
    parts = picture.take(animation(kind))
    assert parts.notes == ("frame 1 of 3; the others are left out",)
    assert not parts.samples()[..., :3].any()


def test_of_the_applications_image_its_frame_is_taken():
    image = Image.open(io.BytesIO(animation("GIF")))
    image.seek(1)
    parts = picture.take(image)
    assert parts.notes == ("frame 2 of 3; the others are left out",)
    assert (parts.samples() == 40).all()
    assert image.tell() == 1


def test_an_image_whose_file_is_closed_is_still_a_picture():
    with Image.open(io.BytesIO(animation("GIF"))) as image:
        image.load()
    assert not picture.take(image).samples().any()


def icon(kind: str, sizes: list[tuple[int, int]]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (32, 32), "red").save(
        buffer, kind.replace("CUR", "ICO"), sizes=sizes, bitmap_format="bmp"
    )
    data = bytearray(buffer.getvalue())
    data[2] = {"ICO": 1, "CUR": 2}[kind]
    return bytes(data)


@pytest.mark.parametrize("kind", ["ICO", "CUR"])
def test_of_an_icon_of_several_sizes_one_is_taken_with_a_note(kind):
    data = icon(kind, [(16, 16), (24, 24), (32, 32)])
    for source in (data, Image.open(io.BytesIO(data))):
        parts = picture.take(source)
        assert parts.size == (32, 32)
        assert parts.notes == ("one of 3 pictures; the others are left out",)
    assert picture.take(icon(kind, [(32, 32)])).notes == ()


def test_of_an_icon_of_apple_one_size_is_taken_with_a_note():
    buffer = io.BytesIO()
    Image.new("RGBA", (32, 32), "red").save(buffer, "ICNS")
    loaded = Image.open(io.BytesIO(buffer.getvalue()))
    loaded.load()
    note = f"one of {len(loaded.info['sizes'])} pictures; the others are left out"
    for source in (buffer.getvalue(), loaded):
        assert note in picture.take(source).notes
