"""Profile, EXIF and XMP go into a file of any format that holds them, or there is a note."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from codec_lib.picture import exif, export
from codec_lib.picture.exif import HEAD
from tests import icc
from tests.picture.test_export import noise, open_again

EXIF = Image.Exif()
EXIF[0x010E] = "a title"
ABOUT: dict[str, bytes] = {
    "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    "exif": EXIF.tobytes(),
    "xmp": b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>',
}


def with_info(**info: bytes) -> Image.Image:
    picture = Image.fromarray(noise(21, 33, 3))
    picture.info = dict(info)
    return picture


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg", ".webp", ".avif", ".bmp", ".jp2", ".qoi"])
def test_profile_exif_and_xmp_are_in_the_file_or_in_the_notes(ending):
    picture = with_info(**ABOUT)
    data, notes = export.to_bytes(picture, ending, lossless=False)
    opened = open_again(data)
    if ending in (".bmp", ".jp2", ".qoi"):
        names = ("colour profile", "EXIF data", "XMP data")
        assert notes == tuple(f"the ending {ending} does not hold the {name}" for name in names)
    else:
        assert notes == ()
        assert opened.info["icc_profile"] == ABOUT["icc_profile"]
        assert opened.info["xmp"] == ABOUT["xmp"]
        assert opened.getexif()[0x010E] == "a title"
    assert picture.info == ABOUT


@pytest.mark.parametrize(("mode", "space"), [("RGB", b"CMYK"), ("L", b"RGB ")])
def test_a_profile_of_another_colour_space_is_left_out(mode, space):
    picture = Image.new(mode, (5, 4))
    picture.info["icc_profile"] = bytes(16) + space + bytes(108)
    data, notes = export.to_bytes(picture, ".png", lossless=True)
    assert notes == (f"the colour profile is not one of {mode} pictures and was left out",)
    assert "icc_profile" not in open_again(data).info


@pytest.mark.parametrize(
    ("ending", "bad", "name"),
    [
        (".tif", {"exif": b"not EXIF data"}, "EXIF data"),
        (".jpg", {"exif": HEAD + bytes(70_000)}, "EXIF data"),
        (".png", {"xmp": b"\xff no UTF-8"}, "XMP data"),
        (".jpg", {"xmp": bytes(70_000)}, "XMP data"),
    ],
)
def test_metadata_that_a_writer_refuses_costs_nothing_else(ending, bad, name):
    data, notes = export.to_bytes(with_info(**ABOUT | bad), ending, lossless=False)
    assert notes == (f"the ending {ending} does not hold the {name}",)
    opened = open_again(data)
    assert opened.size == (33, 21)
    for key in ABOUT.keys() - bad.keys():
        assert key in opened.info or ending == ".tif"
    assert opened.info["icc_profile"] == ABOUT["icc_profile"]


def test_two_kinds_that_a_writer_refuses_do_not_cost_the_profile():
    bad = {"exif": HEAD + bytes(70_000), "xmp": bytes(70_000)}
    data, notes = export.to_bytes(with_info(**ABOUT | bad), ".jpg", lossless=False)
    assert notes == tuple(f"the ending .jpg does not hold the {name}" for name in ("EXIF data", "XMP data"))
    assert open_again(data).info["icc_profile"] == ABOUT["icc_profile"]


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg", ".webp", ".avif"])
def test_exif_is_written_whether_or_not_its_head_is_there(ending):
    bare = ABOUT["exif"].removeprefix(HEAD)
    data, notes = export.to_bytes(with_info(exif=bare), ending, lossless=False)
    assert notes == ()
    assert open_again(data).getexif()[0x010E] == "a title"


@pytest.mark.parametrize("ending", [".png", ".tif", ".jpg"])
def test_a_profile_of_more_than_a_megabyte_is_written(ending):
    profile = icc.matrix(icc.P3_PRIMARIES).ljust(1_500_000, b"\0")
    data, notes = export.to_bytes(with_info(icc_profile=profile), ending, lossless=False)
    assert notes == ()
    assert profile[:1000] in data or ending == ".png"  # which packs it


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_profile_exif_and_xmp_go_with_colours_of_sixteen_bits(ending, channels):
    pytest.importorskip({".png": "imagecodecs", ".tif": "tifffile"}[ending])
    samples = noise(21, 33, channels, dtype=np.uint16)
    data, notes = export.to_bytes(samples, ending, lossless=True, info=ABOUT)
    opened = open_again(data)
    assert opened.info["icc_profile"] == ABOUT["icc_profile"]
    assert opened.info["xmp"] == ABOUT["xmp"]
    assert opened.getexif()[0x010E] == "a title"
    assert notes == ()


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("width", [33, 34])
def test_a_camera_s_tags_go_into_a_tiff_of_sixteen_bits(channels, width):
    tifffile = pytest.importorskip("tifffile")
    tags = Image.Exif()
    tags[0x010F], tags[0x0112], tags[0x011A] = "maker", 6, IFDRational(300)
    tags[0x0100] = 4000  # the width of another picture
    tags[exif.EXIF_IFD] = {0x829A: IFDRational(1, 250), 0x8827: 400, 0x927C: bytes(range(99))}
    tags[exif.GPS_IFD] = {1: "N", 2: (IFDRational(47), IFDRational(22), IFDRational(5, 2))}
    samples = noise(21, width, channels, dtype=np.uint16)
    data, notes = export.to_bytes(samples, ".tif", lossless=True, info={"exif": tags.tobytes()})
    assert notes == ()
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), samples)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = file.pages[0].tags
        assert len(file.pages) == 1
        assert found["ImageWidth"].value == width
        assert found["Make"].value == "maker"
        assert "Orientation" not in found
        assert found["ExifTag"].value["ExposureTime"] == (1, 250)
        assert found["ExifTag"].value["MakerNote"] == bytes(range(99))
        assert found["GPSTag"].value["GPSLatitude"] == (47, 1, 22, 1, 5, 2)


def test_exif_that_cannot_be_read_does_not_cost_a_tiff_of_sixteen_bits():
    pytest.importorskip("tifffile")
    samples = noise(4, 5, 3, dtype=np.uint16)
    data, notes = export.to_bytes(samples, ".tif", lossless=True, info=ABOUT | {"exif": b"not EXIF data"})
    assert notes == ("the ending .tif does not hold the EXIF data",)
    assert open_again(data).info["xmp"] == ABOUT["xmp"]


def test_metadata_of_sixteen_bits_that_does_not_fit_is_told():
    pytest.importorskip("imagecodecs")
    info = {"icc_profile": icc.grey(), "xmp": b"\xff no UTF-8"}
    _, notes = export.to_bytes(noise(4, 5, 3, dtype=np.uint16), ".png", lossless=True, info=info)
    assert notes == (
        "the colour profile is not one of RGB pictures and was left out",
        "the ending .png does not hold the XMP data",
    )
    samples = noise(4, 5, 2, dtype=np.uint16)
    data, notes = export.to_bytes(samples, ".png", lossless=True, info={"icc_profile": icc.grey()})
    assert notes == ()
    assert Image.open(io.BytesIO(data)).info["icc_profile"] == icc.grey()
