"""The file inside a file: `extract` gives what any program opens, and refuses what has none."""

import io

import imagecodecs
import numpy as np
import pytest
import torch
import torchvision.io
from PIL import Image

import codec_lib as cl
from codec_lib import data, standard, weights
from codec_lib.cli import main
from codec_lib.models.codec_in_the_loop import CODECS, CodecInTheLoop
from codec_lib.picture import metadata


@pytest.fixture(scope="module")
def photo():
    return data.sample("astronaut").crop((150, 40, 247, 113))


@pytest.fixture
def around(tmp_path, monkeypatch):
    """Untrained weights around each codec; they are found by name."""
    torch.manual_seed(0)
    for k, name in enumerate(CODECS):
        model = CodecInTheLoop(K=8, D=1, codec=k)
        weights.save(model, "codec-in-the-loop", tmp_path / f"around-{name}.safetensors", {})
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("quality", [2, 6])
def test_independent_decoders_open_the_jpeg_and_see_the_same(around, photo, quality):
    extracted = cl.extract(cl.encode(photo, "around-jpeg", quality=quality))
    assert extracted.ending == ".jpg"
    size = photo.size if quality == 6 else (49, 37)
    with Image.open(io.BytesIO(extracted.data)) as image:
        shown = np.asarray(image.convert("RGB"))
    assert shown.shape == (size[1], size[0], 3)
    assert np.abs(imagecodecs.jpeg8_decode(extracted.data).astype(int) - shown).max() <= 2
    seen = torchvision.io.decode_jpeg(torch.frombuffer(bytearray(extracted.data), dtype=torch.uint8))
    assert np.abs(seen.movedim(0, -1).numpy().astype(int) - shown).max() <= 2
    again = imagecodecs.jpegxl_decode_jpeg(imagecodecs.jpegxl_encode_jpeg(extracted.data))
    assert again == extracted.data  # libjxl has a reader of JPEG of its own, and writes it back


@pytest.mark.parametrize("codec", CODECS)
def test_the_bytes_are_those_in_the_file(around, photo, codec):
    file = cl.encode(photo, f"around-{codec}", quality=5)
    extracted = cl.extract(file)
    assert extracted.ending == standard.STANDARD[codec].ending
    assert extracted.data in file


def test_the_network_is_not_run_and_a_size_can_be_refused(around, photo, monkeypatch):
    file = cl.encode(photo, "around-jpeg", quality=5)
    monkeypatch.setattr(CodecInTheLoop, "reconstruct", None)
    assert cl.extract(file, max_pixels=photo.width * photo.height).ending == ".jpg"
    with pytest.raises(cl.BitstreamError, match="size"):
        cl.extract(file, max_pixels=photo.width * photo.height - 1)


def test_the_profile_goes_along_and_what_cannot_is_said(around, photo):
    tagged = photo.copy()
    tagged.info["icc_profile"] = metadata.srgb()
    with Image.open(io.BytesIO(cl.extract(cl.encode(tagged, "around-jpeg")).data)) as image:
        assert image.info["icc_profile"] == metadata.srgb()
    with pytest.warns(cl.PictureWarning, match="icc: left out"):
        cl.extract(cl.encode(tagged, "around-webp"))
    tagged.putalpha(128)
    with pytest.warns(cl.PictureWarning, match="alpha: left out"):
        cl.extract(cl.encode(tagged, "around-jpeg"))


def test_a_model_without_such_a_file_and_a_damaged_file_are_refused(around, photo):
    with pytest.raises(ValueError, match="extract: hyperprior writes no file of another format"):
        cl.extract(cl.encode(photo, "hyperprior"))
    file = cl.encode(photo, "around-jpeg")
    with pytest.raises(cl.BitstreamError):
        cl.extract(file[:-1])
    with pytest.raises(cl.BitstreamError):
        cl.extract(file[:-20] + b"?" + file[-19:])


def test_the_command_asks_for_the_right_ending(around, photo, capsys):
    file = around / "photo.clc"
    file.write_bytes(cl.encode(photo, "around-jpeg"))
    for name in ("out.jpg", "out.JPEG"):
        assert main(["extract", str(file), str(around / name)]) == 0
        assert (around / name).read_bytes() == cl.extract(file.read_bytes()).data
    assert main(["extract", str(file), str(around / "out.png")]) == 1
    assert "the file inside is a .jpg" in capsys.readouterr().err
    assert not (around / "out.png").exists()
