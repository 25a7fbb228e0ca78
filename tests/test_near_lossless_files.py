"""Near-lossless files as a user meets them: the bound, the preview, `codec-lib verify`."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import container, data
from codec_lib.measure import metrics

MODEL = "near-lossless"


def photo(width: int = 90, height: int = 70) -> Image.Image:
    return data.sample("astronaut").crop((150, 40, 150 + width, 40 + height))


def run(*arguments):
    command = [sys.executable, "-m", "codec_lib", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("tau", [0, 1, 3, 5, 8, 20])
def test_a_photo_comes_back_within_tau_and_shrinks(tau):
    file = cl.encode(photo(), MODEL, tau=tau)
    result = cl.verify(photo(), file)
    assert (result.largest_error, result.promise, result.is_kept) == (tau, tau, True)
    assert len(file) < (0.75 if tau == 0 else 0.55) * 90 * 70 * 3


def test_bytes_fall_as_tau_rises():
    sizes = [len(cl.encode(photo(), MODEL, tau=tau)) for tau in (0, 1, 2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


def test_lossless_beats_png():
    from io import BytesIO

    png = BytesIO()
    photo(256, 192).save(png, "PNG", optimize=True)
    assert len(cl.encode(photo(256, 192), MODEL)) < 0.9 * len(png.getvalue())


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "1", "P"])
def test_any_eight_bit_mode_is_lossless(mode):
    image = photo(50, 30).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    decoded = cl.decode(cl.encode(image, MODEL))
    expected = image if mode in ("L", "LA", "RGB", "RGBA") else image.convert(decoded.mode)
    assert np.array_equal(np.asarray(decoded), np.asarray(expected))


def test_sixteen_bits_are_lossless_or_refused_never_rounded():
    deep = Image.fromarray(np.arange(0, 60000, 100, dtype=np.uint16).reshape(20, 30))
    assert np.array_equal(cl.decode(cl.encode(deep, MODEL)), deep)
    with pytest.raises(ValueError, match="16 bits a sample are coded with tau = 0 only"):
        cl.encode(deep, MODEL, tau=1)


def test_a_grey_picture_costs_a_third_or_so():
    grey = photo().convert("L")
    assert len(cl.encode(grey, MODEL)) < 0.6 * len(cl.encode(photo(), MODEL))


def test_a_file_without_its_residual_still_has_a_preview():
    file = cl.encode(photo(), MODEL, tau=1)
    whole = cl.decode(file, stages=1)
    length = container.inspect(file).sections[-1].length
    assert container.inspect(file).sections[-1].name == "r"
    cut = cl.decode(file[: -length // 2], stages=1)
    assert np.array_equal(np.asarray(whole), np.asarray(cut))
    assert metrics.psnr(photo(), whole) > 24
    with pytest.raises(cl.BitstreamError, match=r"section r: .* truncated \(1 of 2 stages is intact\)"):
        cl.decode(file[: -length // 2])


def test_a_preview_of_a_damaged_lossy_layer_is_refused():
    file = bytearray(cl.encode(photo(), MODEL))
    length = container.inspect(bytes(file)).sections[-1].length
    file[-length - 3] ^= 1
    with pytest.raises(cl.BitstreamError, match="section y"):
        cl.decode(bytes(file), stages=1)


def test_a_truncated_file_is_the_preview_and_promises_nothing():
    file = cl.encode(photo(), MODEL, tau=1)
    shorter = cl.truncate(file, stages=1)
    assert len(shorter) < len(file) / 2
    assert cl.truncate(file, target_bytes=len(file) - 1) == shorter
    assert cl.truncate(file, target_bytes=len(file)) == file
    with pytest.warns(cl.PictureWarning, match="1 of 2; it was truncated"):
        picture = cl.decode(shorter)
    assert np.array_equal(picture, cl.decode(file, stages=1))
    with pytest.warns(cl.PictureWarning):
        assert cl.verify(photo(), shorter).promise is None


def test_a_lossy_file_has_one_stage():
    file = cl.encode(photo(), "factorized")
    assert np.array_equal(cl.decode(file, stages=1), cl.decode(file))
    assert cl.truncate(file, stages=1) == file
    with pytest.raises(ValueError, match="stages: 2; the file has 1"):
        cl.decode(file, stages=2)
    with pytest.raises(ValueError, match="the first stage alone makes"):
        cl.truncate(file, target_bytes=100)


@pytest.mark.parametrize(
    ("model", "options", "complaint"),
    [
        (MODEL, {"quality": 4}, "takes tau"),
        (MODEL, {"tau": 21}, "0 to 20"),
        (MODEL, {"tau": -1}, "0 to 20"),
        (MODEL, {"tau": 1.5}, "0 to 20 in steps of 1"),
        (MODEL, {"tau": True}, "0 to 20"),
        ("hyperprior", {"tau": 1}, "takes quality"),
    ],
)
def test_settings_of_another_kind_of_model_are_refused(model, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        cl.encode(photo(), model, **options)


def test_verify_sees_a_broken_promise():
    file = cl.encode(photo(), MODEL, tau=2)
    other = np.array(photo())
    other[5, 6, 0] ^= 64
    result = cl.verify(other, file)
    assert not result.is_kept
    assert result.largest_error >= 62
    with pytest.raises(ValueError, match="original"):
        cl.verify(photo(80, 70), file)


def test_encode_verify_and_first_stage_on_the_command_line(tmp_path):
    photo().save(tmp_path / "photo.png")
    file = tmp_path / "photo.clc"
    assert run("encode", tmp_path / "photo.png", file, "--model", MODEL, "--tau", 2).returncode == 0
    verified = run("verify", tmp_path / "photo.png", file)
    assert verified.returncode == 0
    assert verified.stdout.split() == ["largest", "error", "2", "promised", "2"]
    inspected = run("inspect", file).stdout
    assert "tau           2" in inspected
    assert run("decode", file, tmp_path / "preview.png", "--stages", 1).returncode == 0
    refused = run("verify", tmp_path / "preview.png", file)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "allowed is 2" in refused.stderr


def test_sixteen_bits_without_their_low_bytes_are_verified_as_eight():
    deep = np.random.default_rng(0).integers(0, 65536, (40, 48, 3)).astype(np.uint16)
    file = cl.encode(deep, "near-lossless")
    assert cl.verify(deep, file).largest_error == 0
    with pytest.warns(cl.PictureWarning, match="it was truncated"):
        found = cl.verify(deep, cl.truncate(file, stages=2))
    assert (found.mode, found.promise) == ("RGB", None)
    assert found.largest_error == 1  # high bytes are cut, a picture of 16 bits is rounded
