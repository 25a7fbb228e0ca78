"""A TIFF that libtiff complains of is refused in one line, which is the only one."""

import io
import struct
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from codec_lib import picture
from codec_lib.picture import libtiff
from tests.command import assert_one_line, run

SAMPLES = np.random.default_rng(0).integers(0, 256, (20, 21, 3), dtype=np.uint8)


def tiff(samples: np.ndarray, compression: str | None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "TIFF", compression=compression)
    return buffer.getvalue()


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]


GOOD = tiff(SAMPLES, "tiff_lzw")
FAX = flipped(tiff(SAMPLES[..., 0] > 127, "group4"), 9)  # which Pillow takes for good
DAMAGED = {"fax": FAX, "deflate": flipped(tiff(SAMPLES, "tiff_deflate"), 600)}


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("source", [bytes, opened])
def test_what_libtiff_complains_of_is_refused_and_nothing_is_printed(data, source, capfd):
    with pytest.raises(ValueError, match=r"^image: .* cannot be read \(libtiff: [^\n]*\)$"):
        picture.take(source(data))
    assert capfd.readouterr().err == ""


def test_what_libtiff_says_to_other_threads_is_not_kept_from_them(monkeypatch, capfd):
    """The application loads a damaged file while we load a good one: only that message is printed."""

    def load(image):
        other = opened(FAX)
        thread = threading.Thread(target=TiffImageFile.load, args=[other])
        thread.start()
        thread.join()
        return TiffImageFile.load(image)

    good = opened(GOOD)
    monkeypatch.setattr(good, "load", lambda: load(good))
    assert np.array_equal(picture.take(good).samples(), SAMPLES)
    assert "Fax4Decode: Bad code word" in capfd.readouterr().err


def test_libtiff_prints_again_once_we_are_through(capfd):
    picture.take(GOOD)
    opened(FAX).load()
    assert "Fax4Decode: Bad code word" in capfd.readouterr().err


def test_what_pillow_logs_is_not_printed(tmp_path):
    path = tmp_path / "seven.tif"
    data = tiff(SAMPLES, None)
    path.write_bytes(data.replace(struct.pack("<HHIH", 277, 3, 1, 3), struct.pack("<HHIH", 277, 3, 1, 7)))
    result = run("encode", path, tmp_path / "seven.clc")
    assert_one_line(result, 1)


def test_ctrl_c_while_libtiff_speaks_is_raised_behind_it(monkeypatch):
    """It arrives in a function that libtiff has called: what is raised there, Python can only report."""
    good = opened(GOOD)
    reported = SimpleNamespace(exc_type=KeyboardInterrupt)
    monkeypatch.setattr(good, "load", lambda: sys.unraisablehook(reported))
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        libtiff.load(good)
    assert sys.unraisablehook is before


def test_a_look_at_who_listens_leaves_nobody_unheard(monkeypatch):
    """Another thread may be loading a damaged file."""
    messages = libtiff._Messages.of_pillow()
    if messages is None:
        pytest.skip("libtiff cannot be reached")
    asked, replace = [], messages._replace
    monkeypatch.setattr(messages, "_replace", lambda address: asked.append(address) or replace(address))
    before = messages.handler
    assert asked[0] == messages.own
    assert messages.handler == before
