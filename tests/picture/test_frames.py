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


STREAM_NOTE = "the first of several pictures; the others are left out"


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB"])
@pytest.mark.parametrize("between", [b"", b"\n"])
def test_of_a_stream_of_pixmaps_the_first_is_taken_with_a_note(mode, between):
    samples = np.random.default_rng(0).integers(0, 256, (5, 13, 3), np.uint8)
    image = Image.fromarray(samples).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(samples[..., 0].astype(np.uint16) * 257)
    image.save(buffer := io.BytesIO(), "PPM")
    alone = buffer.getvalue()
    assert STREAM_NOTE not in picture.take(alone).notes
    assert STREAM_NOTE not in picture.take(alone + b"\nPoem").notes
    assert STREAM_NOTE in picture.take(alone + between + alone).notes


def test_a_pixmap_with_comments_in_its_head_is_measured_as_it_is():
    head = b"P5\n# P6 2 2 255\n3 # wide\n2\n255\n"
    assert STREAM_NOTE not in picture.take(head + b"P5 P6 ").notes
    assert STREAM_NOTE in picture.take(head + b"P5 P6 " + b"P5 1 1 255\n0").notes
