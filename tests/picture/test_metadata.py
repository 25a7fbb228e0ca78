"""Profiles, EXIF and XMP: what is kept, what is left out, what is refused."""

import io
import itertools
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from codec_lib import picture
from codec_lib.errors import BitstreamError
from codec_lib.picture import metadata
from tests import icc
from tests.png_chunks import chunk

P3 = icc.matrix(icc.P3_PRIMARIES)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'


def gradient(mode: str = "RGB") -> Image.Image:
    """8 x 6 of many colours."""
    samples = np.random.default_rng(0).integers(0, 256, (6, 8, 4), dtype=np.uint8)
    return Image.fromarray(samples).convert(mode)


def with_profile(profile: bytes, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    kind = "TIFF" if mode == "CMYK" else "PNG"
    gradient(mode).save(buffer, kind, icc_profile=profile)
    return buffer.getvalue()


def restored(parts: picture.Parts) -> Image.Image:
    return picture.restore(parts.levels, parts.mode, parts.sections)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_profile_of_rgb_goes_with_rgb(mode):
    parts = picture.take(with_profile(P3, mode))
    assert parts.notes == ()
    assert len(parts.sections["icc"]) < len(P3)
    assert restored(parts).info["icc_profile"] == P3


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_profile_of_grey_goes_with_grey(mode):
    assert restored(picture.take(with_profile(icc.grey(), mode))).info["icc_profile"] == icc.grey()


@pytest.mark.parametrize(
    ("profile", "mode", "space"), [(P3, "L", "RGB"), (icc.grey(), "RGB", "GRAY"), (icc.grey(), "P", "GRAY")]
)
def test_a_profile_that_does_not_fit_is_left_out_with_a_note(profile, mode, space):
    parts = picture.take(with_profile(profile, mode))
    assert "icc" not in parts.sections
    assert parts.notes[0].startswith(f"icc: a profile of '{space}'; {parts.mode} takes one of ")
    assert parts.notes[0].endswith("; left out")


@pytest.mark.parametrize("profile", [icc.matrix(), metadata.srgb()])
def test_srgb_costs_one_byte_and_comes_back_as_srgb(profile):
    parts = picture.take(with_profile(profile))
    assert parts.sections == {"icc": b"\0"}
    back = restored(parts).info["icc_profile"]
    assert ImageCms.getProfileName(io.BytesIO(back)).strip().startswith("sRGB")
    assert metadata.is_srgb(back)


@pytest.mark.parametrize(
    "other",
    [
        P3,
        icc.matrix(transfer=2.2),
        icc.matrix(transfer=icc.srgb_curve() ** 1.03),
        icc.matrix(((0.4460, 0.2225, 0.0139), *icc.SRGB_PRIMARIES[1:])),
        icc.grey(),
        icc.matrix()[:-500],
        b"",
        b"sRGB",
    ],
)
def test_nothing_else_is_taken_for_srgb(other):
    assert not metadata.is_srgb(other)


def test_a_profile_with_tables_is_not_taken_for_srgb_even_if_its_matrix_says_so():
    grid = np.array([[255, 128, 128]] * 8, np.uint8)
    tables = icc.table(3, grid)
    with_tables = icc.matrix(more={b"A2B0": tables})
    assert ImageCms.ImageCmsProfile(io.BytesIO(with_tables)).profile.is_matrix_shaper
    assert not metadata.is_srgb(with_tables)


def test_cmyk_goes_through_its_profile_which_is_then_gone():
    corners = np.full((16, 3), 128)
    corners[:, 0] = [255, 0] * 8  # white, or black where there is K
    corners[8, 0] = 128  # cyan alone is a grey here
    image = Image.new("CMYK", (3, 2), (255, 0, 0, 0))
    image.info["icc_profile"] = icc.ink(corners)
    parts = picture.take(image)
    assert parts.notes == ("CMYK became sRGB through its profile",)
    assert parts.sections == {}
    assert np.array_equal(parts.samples(), np.full((2, 3, 3), 119))  # L* = 50.2 in sRGB


@pytest.mark.parametrize("profile", [P3, b"nonsense", b"\0" * 200])
def test_cmyk_with_a_profile_of_something_else_becomes_rgb_without(profile):
    image = Image.new("CMYK", (3, 2), (255, 0, 0, 0))
    image.info["icc_profile"] = profile
    parts = picture.take(image)
    assert parts.notes == ("CMYK became RGB without its profile, which does not fit",)
    assert parts.sections == {}
    assert np.array_equal(parts.samples()[0, 0], [0, 255, 255])


def test_what_is_not_asked_for_is_not_kept():
    assert picture.take(with_profile(P3), keep=()).sections == {}
    with pytest.raises(ValueError, match="keep: gps; allowed are icc, exif, xmp"):
        picture.take(with_profile(P3), keep=("gps",))


def test_an_srgb_chunk_needs_no_section():
    image = gradient()
    image.info["srgb"] = 0
    assert picture.take(image).sections == {}


@pytest.mark.parametrize(
    ("info", "notes"),
    [
        ({"gamma": 1.0}, ("gamma: 1, and no profile; left out",)),
        ({"gamma": 0.45455}, ()),
        ({"gamma": 10**400}, ("gamma: inf, and no profile; left out",)),
        ({"gamma": 10**5000}, ("gamma: inf, and no profile; left out",)),
        ({"gamma": "1"}, ()),
        ({"gamma": 1.0, "srgb": 0}, ()),
        ({"gamma": 1.0, "icc_profile": P3}, ()),
    ],
)
def test_a_gamma_that_is_not_that_of_srgb_is_left_out_with_a_note(info, notes):
    image = gradient()
    image.info |= info
    assert picture.take(image).notes == notes


@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_exif_and_xmp_say_that_the_picture_is_upright_and_nothing_else_changes(orientation):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    if orientation:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    xmp = XMP if orientation == 6 else b"<x:xmpmeta/>"
    gradient().save(buffer, "JPEG", exif=exif, xmp=xmp)
    parts = picture.take(buffer.getvalue(), keep=("exif", "xmp"))
    assert parts.size == ((6, 8) if orientation == 6 else (8, 6))
    info = restored(parts).info
    found = Image.Exif()
    found.load(info["exif"])
    assert dict(found) == {0x010F: "a maker"} | ({0x0112: 1} if orientation else {})
    assert info["xmp"] == xmp.replace(b'"6"', b'"1"')
    assert np.array_equal(picture.take(restored(parts)).samples(), parts.samples())


def test_too_much_is_left_out_with_a_note():
    image = gradient()
    image.info["xmp"] = b"x" * (metadata.MAX_BYTES + 1)
    parts = picture.take(image, keep=("xmp",))
    assert parts.sections == {}
    assert parts.notes == (f"xmp: more than {metadata.MAX_BYTES} bytes; left out",)
    image.info["xmp"] = b"x" * metadata.MAX_BYTES
    assert restored(picture.take(image, keep=("xmp",))).info["xmp"] == image.info["xmp"]


@pytest.mark.parametrize("profile", ["text", None, b"", 5])
def test_what_is_no_profile_is_left_out_with_a_note(profile):
    image = gradient()
    image.info |= {"icc_profile": profile, "gamma": 1.0}
    parts = picture.take(image)
    assert parts.sections == {}
    assert parts.notes == ("icc: cannot be read; left out", "gamma: 1, and no profile; left out")
    assert picture.take(image, keep=()).notes == ()


def test_a_damaged_profile_of_a_file_is_left_out_with_a_note():
    whole = with_profile(P3)
    start = whole.index(b"iCCP") - 4
    end = start + 12 + int.from_bytes(whole[start : start + 4], "big")
    damaged = whole[:start] + chunk(b"iCCP", b"name\0\0no zlib stream") + whole[end:]
    for source in (damaged, Image.open(io.BytesIO(damaged))):
        parts = picture.take(source, exact=True)
        assert (parts.sections, parts.notes) == ({}, ("icc: cannot be read; left out",))


def test_half_a_profile_is_left_out_with_a_note():
    parts = picture.take(with_profile(P3[:-100]))
    note = f"icc: {len(P3) - 100} bytes of a profile of {len(P3)}; left out"
    assert (parts.sections, parts.notes) == ({}, (note,))


@pytest.mark.parametrize(
    ("info", "notes"),
    [
        ({"cicp": 5}, ()),
        ({"chromaticity": ("a",) * 8}, ()),
        ({"chromaticity": (1, 2)}, ()),
        ({"chromaticity": 7}, ()),
        ({"gamma": "2.2"}, ()),
        ({"xmp": "text"}, ("xmp: cannot be read; left out",)),
        ({"xmp": {"a": 1}}, ("xmp: cannot be read; left out",)),
    ],
)
def test_what_an_application_put_there_does_not_matter(info, notes):
    image = gradient()
    image.info |= info
    parts = picture.take(image, exact=True, keep=metadata.OPTIONAL)
    assert (parts.sections, parts.notes) == ({}, notes)
    assert picture.take(image, exact=True).notes == ()


def test_the_order_of_what_is_kept_does_not_matter():
    image = gradient()
    image.info |= {"icc_profile": P3, "xmp": b"<x/>", "exif": b"II*\0\x08\0\0\0\0\0\0\0\0\0"}
    for keep in itertools.permutations(metadata.OPTIONAL):
        assert list(picture.take(image, keep=keep).sections) == ["icc", "exif", "xmp"]


PACKED = zlib.compress(P3)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        (zlib.compress(bytes(metadata.MAX_BYTES + 1)), f"more than {metadata.MAX_BYTES} bytes"),
        (zlib.compress(bytes(1 << 26), 1), f"more than {metadata.MAX_BYTES} bytes"),
        (PACKED[:-1], "ends too early"),
        (PACKED + b"\0", "1 bytes after its zlib stream"),
        (b"", "ends too early"),
        (b"\0\0", "damaged zlib stream"),
        (b"text", "damaged zlib stream"),
        (zlib.compress(b"text"), "4 bytes that are no colour profile"),
        (zlib.compress(icc.grey()), "a profile of 'GRAY'; RGB takes one of 'RGB'"),
    ],
)
def test_a_bad_section_is_refused_in_one_line(section, problem):
    levels = picture.take(gradient()).levels
    with pytest.raises(BitstreamError, match=rf"^section icc: .*{problem}") as caught:
        picture.restore(levels, "RGB", {"icc": section})
    assert "\n" not in str(caught.value)


def test_a_section_of_srgb_does_not_fit_grey():
    with pytest.raises(BitstreamError, match="section icc: a profile of 'RGB'; L takes one of 'GRAY'"):
        picture.restore(picture.take(gradient("L")).levels, "L", {"icc": b"\0"})


def test_the_srgb_profile_is_the_same_on_every_day():
    assert metadata.srgb()[24:36] == bytes.fromhex("07d000010001000000000000")
