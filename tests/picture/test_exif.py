"""EXIF turns a picture, and is kept as it is but for the orientation."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from codec_lib import picture
from codec_lib.picture import exif, metadata

SAMPLES = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
OWNER = "© Müller".encode() + b"\0"  # Pillow writes ASCII only
THUMBNAIL = b"the bytes of a thumbnail, in a directory that Pillow does not write"
MAKER, DATE = 0x010F, 0x9003


def entry(order: str, tag: int, kind: int, value: bytes, count: int = 1) -> bytes:
    return struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")


def by_hand(order: str, way: int, more: tuple[bytes, ...] = ()) -> bytes:
    """EXIF with an orientation, a copyright, `more` entries, and a thumbnail."""
    count = 2 + len(more)
    owner_at = 8 + 2 + 12 * count + 4
    thumbnail_at = owner_at + len(OWNER)
    owner = entry(order, 0x8298, 2, struct.pack(f"{order}I", owner_at), len(OWNER))
    entries = [entry(order, 0x0112, 3, struct.pack(f"{order}H", way)), *more, owner]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, count)
    second = struct.pack(f"{order}H", 1) + entry(
        order, 0x0201, 4, struct.pack(f"{order}I", thumbnail_at + 18)
    )
    next_at = struct.pack(f"{order}I", thumbnail_at)
    return head + b"".join(entries) + next_at + OWNER + second + bytes(4) + THUMBNAIL


def file_of(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SAMPLES).save(buffer, kind, **options)
    return buffer.getvalue()


def kept(source) -> bytes:
    parts = picture.take(source, keep=("exif",))
    assert parts.notes == ()
    return metadata.unpack("exif", parts.sections["exif"], parts.mode)


def tags(data: bytes) -> Image.Exif:
    found = Image.Exif()
    found.load(data)
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("way", [1, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_byte_but_the_orientation_is_kept(order, way, kind):
    data = file_of(kind, exif=exif.HEAD + by_hand(order, way))
    assert picture.take(data).size == ((12, 20) if way == 6 else (20, 12))
    assert kept(data).removeprefix(exif.HEAD) == by_hand(order, 1)


@pytest.mark.parametrize("head", [b"", exif.HEAD, 2 * exif.HEAD])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_changed_in_place(head, order):
    assert exif.upright_bytes(head + by_hand(order, 8)) == head + by_hand(order, 1)


def shown(parts: picture.Parts) -> np.ndarray:
    """What a viewer makes of the picture that comes back: it turns it as EXIF or XMP say."""
    return np.asarray(ImageOps.exif_transpose(picture.restore(parts.levels, parts.mode, parts.sections)))


SIX = {  # in all types of numbers of a TIFF that Pillow turns for, and twice as SHORT
    3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q",
    (3, 2): "HH",
}  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.filterwarnings("ignore:Metadata Warning")  # of Pillow: there are two of it
@pytest.mark.parametrize("kind", SIX, ids=str)
def test_an_orientation_of_any_type_turns_once(kind, order):
    form = SIX[kind]
    kind, count = kind if isinstance(kind, tuple) else (kind, 1)
    value = struct.pack(order + form, *([6, 1] if kind in (5, 10) else [6] * count))
    place = value if len(value) <= 4 else struct.pack(f"{order}I", 26)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, 1)
    data = head + entry(order, 0x0112, kind, place, count) + bytes(4) + value
    parts = picture.take(file_of("PNG", exif=data), keep=("exif",))
    assert np.array_equal(parts.samples(), np.rot90(SAMPLES, -1))
    assert np.array_equal(shown(parts), parts.samples())


@pytest.mark.parametrize("value", ["6", "6 ", "6\n", "60", "06", " 6", "1", "0"])
@pytest.mark.parametrize("form", ['<x tiff:Orientation="{}"/>', "<tiff:Orientation>{}</tiff:Orientation>"])
def test_an_orientation_in_xmp_turns_once_with_whatever_behind_it(form, value):
    parts = picture.take(file_of("WEBP", xmp=form.format(value).encode(), lossless=True), keep=("xmp",))
    is_turned = value.startswith("6")
    assert np.array_equal(parts.samples(), np.rot90(SAMPLES, -1) if is_turned else SAMPLES)
    assert np.array_equal(shown(parts), parts.samples())


@pytest.mark.parametrize("data", [b"text", b"II*\0", b"II*\0\xff\0\0\0", by_hand("<", 6)[:20]])
def test_bytes_that_are_no_exif_are_refused_in_one_line(data):
    with pytest.raises(ValueError, match=r"^exif: cannot be read \([^\n]*\)$"):
        exif.upright_bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_tag_that_pillow_cannot_write_costs_neither_the_orientation_nor_exif(kind):
    odd = by_hand("<", 6, (entry("<", 296, 4, struct.pack("<I", 70_000)),))
    with pytest.raises(struct.error):
        tags(odd).tobytes()
    data = file_of(kind, exif=exif.HEAD + odd)
    for source in (data, Image.open(io.BytesIO(data))):
        parts = picture.take(source, keep=("exif",))
        assert (parts.size, parts.notes, list(parts.sections)) == ((12, 20), (), ["exif"])


def test_exif_in_the_tags_of_a_tiff_is_kept_without_those_of_its_samples():
    written = Image.Exif()
    written[MAKER], written[0x0112] = "a maker", 6
    written.get_ifd(exif.EXIF_IFD)[DATE] = "2020:01:01 00:00:00"
    written.get_ifd(exif.GPS_IFD)[1] = "N"
    data = file_of("TIFF", exif=written.tobytes())
    for source in (data, Image.open(io.BytesIO(data))):
        found = tags(kept(source))
        assert set(found) == {MAKER, exif.EXIF_IFD, exif.GPS_IFD}
        assert found[MAKER] == "a maker"
        assert found.get_ifd(exif.EXIF_IFD) == {DATE: "2020:01:01 00:00:00"}
        assert found.get_ifd(exif.GPS_IFD) == {1: "N"}
    plain = picture.take(file_of("TIFF"), keep=("exif",))
    assert (plain.sections, plain.notes) == ({}, ())


def test_exif_in_a_text_of_a_png_is_kept():
    from PIL.PngImagePlugin import PngInfo

    text, data = PngInfo(), exif.HEAD + by_hand("<", 6)
    text.add_text(exif.RAW_PROFILE, f"\nexif\n{len(data):8}\n{data.hex()}\n")
    assert kept(file_of("PNG", pnginfo=text)) == exif.HEAD + by_hand("<", 1)


def test_exif_that_an_application_set_is_kept():
    image = Image.fromarray(SAMPLES)
    image.getexif()[MAKER] = "a maker"
    image.getexif()[0x0112] = 6
    assert picture.take(image).size == (12, 20)
    assert dict(tags(kept(image))) == {MAKER: "a maker"}
    image = Image.fromarray(SAMPLES)
    image.info["exif"] = tags(by_hand("<", 6))
    assert tags(kept(image))[0x0112] == 1


def test_exif_that_cannot_be_written_is_left_out_with_a_note():
    image = Image.fromarray(SAMPLES)
    image.getexif()[296] = 70_000
    parts = picture.take(image, keep=("exif",))
    assert parts.sections == {}
    assert parts.notes[0].startswith("exif: cannot be read (")
    assert picture.take(image).notes == ()


def test_an_orientation_is_applied_even_if_the_tags_cannot_be_copied(monkeypatch):
    image = Image.fromarray(SAMPLES)
    image.getexif()[0x0112] = 6
    monkeypatch.setattr(Image.Exif, "get_ifd", lambda self, tag: {}[tag])
    parts = picture.take(image, keep=("exif",))
    assert (parts.size, parts.sections) == ((12, 20), {})
    assert parts.notes == ("EXIF cannot be read; left out",)
