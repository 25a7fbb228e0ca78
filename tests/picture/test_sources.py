"""What an application may hand over beside files, and what stays of our reading in its process."""

import io
import os
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode

from codec_lib import picture
from codec_lib.picture import limits

SAMPLES = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def refused(source) -> None:
    with pytest.raises(ValueError, match=r"^image: [^\n]*without samples[^\n]*; allowed is a plain one$"):
        picture.take(source)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_without_samples_of_their_own_are_refused_in_one_line():
    refused(torch.nested.nested_tensor([torch.zeros(3, 4), torch.zeros(2, 4)]))
    with FakeTensorMode():
        refused(torch.zeros(3, 4, 4))
    torch.func.vmap(lambda x: (refused(x), x)[1])(torch.zeros(2, 3, 4, 4))


def test_a_mask_is_not_lost_without_a_word():
    with pytest.raises(ValueError, match=r"^image: uint8 array with a mask; allowed is one without"):
        picture.take(np.ma.masked_array(SAMPLES, mask=SAMPLES > 100))
    assert np.array_equal(picture.take(np.ma.masked_array(SAMPLES)).samples(), SAMPLES)


KEEP = [None, True, 3, b"3", "icc", [3], [["icc"]], [b"icc"], np.array(4.0), ["a\nb"], np.zeros((3, 3))]


@pytest.mark.parametrize("keep", KEEP, ids=lambda keep: f"{type(keep).__name__}")
def test_what_is_no_collection_of_names_is_refused_in_one_line(keep):
    with pytest.raises(ValueError, match=r"^keep: [^\n]*; allowed [^\n]* icc, exif, xmp$"):
        picture.take(SAMPLES, keep=keep)


ODD_KEYS = [[1, [2, 3]], np.zeros((40, 40)), object(), "two\nlines", 256, -1, 2**40, 10**5000, np.int64(3)]


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: type(key).__name__)
@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_a_transparent_colour_of_any_kind_makes_a_note_of_one_line(mode, key):
    image = Image.fromarray(SAMPLES).convert(mode)
    image.info["transparency"] = key
    (note,) = picture.take(image, exact=True).notes
    assert note.endswith("is no colour of the picture; left out")
    assert "\n" not in note


def test_a_palette_with_no_transparent_entry_is_opaque():
    image = Image.fromarray(SAMPLES).convert("P")
    image.info["transparency"] = None
    assert (picture.take(image).mode, picture.take(image).notes) == ("RGB", ())


def test_a_file_opened_as_text_is_refused_in_one_line(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(SAMPLES).save(path)
    line = r"^image: a file that gives str; allowed is one opened as binary$"
    with path.open(encoding="utf-8") as file, pytest.raises(ValueError, match=line):
        picture.take(file)


@pytest.mark.parametrize("exif", [5, b"Exif\0\0garbage", b"garbage"])
def test_bad_exif_of_an_image_is_left_out_with_a_note_and_stays_in_the_image(exif):
    image = Image.fromarray(SAMPLES)
    image.info["exif"] = exif
    parts = picture.take(image, exact=True, keep=picture.OPTIONAL)
    assert parts.notes == ("EXIF cannot be read; left out",)
    assert np.array_equal(parts.samples(), SAMPLES)
    assert image.info["exif"] == exif


@pytest.mark.parametrize("height", [2047, 2049])
def test_pillow_does_not_warn_about_any_size(monkeypatch, height):
    monkeypatch.setattr(Image.Image, "load", lambda self: None)
    with warnings.catch_warnings(), limits.own_limits():
        warnings.simplefilter("error")
        if height < 2048:
            assert Image.open(io.BytesIO(b"P5 65536 %d 255 " % height)).size == (65_536, height)
        else:
            with pytest.raises(Image.DecompressionBombError):
                Image.open(io.BytesIO(b"P5 65536 %d 255 " % height))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_forked_while_another_thread_reads_has_the_applications_limit(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    with limits.own_limits():
        child = os.fork()
        if not child:
            os._exit(0 if Image.MAX_IMAGE_PIXELS == 7 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert Image.MAX_IMAGE_PIXELS == 7
