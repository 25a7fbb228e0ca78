"""What is beside colours of 16 bits: in the file, in what the command writes, or in a warning."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import decoding
from codec_lib.folders import pool, tree
from tests import icc
from tests.command import run
from tests.picture.test_depth import deep_png
from tests.png_chunks import chunk

pytest.importorskip("imagecodecs")
P3 = icc.matrix(icc.P3_PRIMARIES)
EXIF = Image.Exif()
EXIF[0x010F] = "a maker"
XMP = b"<x:xmpmeta/>"


@pytest.fixture(scope="module")
def file() -> bytes:
    """Of a 16-bit picture with a profile, EXIF and XMP."""
    beside = chunk(b"iCCP", b"name\0\0" + zlib.compress(P3)) + chunk(b"eXIf", EXIF.tobytes()[6:])
    beside += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    return cl.encode(deep_png("RGB", beside), "near-lossless", keep=("icc", "exif", "xmp"))


def is_whole(data: bytes) -> bool:
    info = Image.open(io.BytesIO(data)).info
    return (info["icc_profile"], info["exif"], info["xmp"]) == (P3, EXIF.tobytes(), XMP)


def test_an_array_has_no_place_for_what_is_beside_it(file):
    with pytest.warns(cl.PictureWarning) as told:
        image = cl.decode(file)
    assert isinstance(image, np.ndarray)
    notes = [f"{name}: an array has no place for it; left out" for name in ("icc_profile", "exif", "xmp")]
    assert [str(warning.message) for warning in told] == notes


def test_it_is_found_beside_the_array(file, recwarn):
    decoded = decoding.decode(file)
    assert decoded.info == {"icc_profile": P3, "exif": EXIF.tobytes(), "xmp": XMP}
    preview = decoding.decode(file, stages=1)
    assert isinstance(preview.image, Image.Image)
    assert preview.image.info == preview.info == decoded.info
    assert not recwarn.list


def test_the_commands_write_it(file, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deep.clc").write_bytes(file)
    decoded = run("decode", tmp_path / "in" / "deep.clc", tmp_path / "deep.png")
    assert (decoded.returncode, decoded.stderr) == (0, "")
    assert is_whole((tmp_path / "deep.png").read_bytes())
    (row,) = tree.decode_all(tmp_path / "in", tmp_path / "out", pool.run, lambda row, left: None)
    assert "notes" not in row
    assert is_whole((tmp_path / "out" / "deep.png").read_bytes())
