"""The public workflow, with the weights that come with the library."""

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import codec_lib as cl
from codec_lib import container, metrics, picture, weights

NAMES = ("hyperprior", "factorized", "autoencoder")


def photo(width=96, height=80) -> Image.Image:
    from codec_lib import data

    return data.sample("astronaut").crop((150, 20, 150 + width, 20 + height))


@pytest.mark.parametrize("model", NAMES)
def test_a_photo_survives_and_shrinks(model):
    image = photo(256, 256)
    data = cl.encode(image, model=model, quality=5)
    assert len(data) < 256 * 256 * 3 / 10
    assert metrics.psnr(image, cl.decode(data)) > 26


@pytest.mark.parametrize("model", NAMES)
def test_quality_orders_bytes_and_errors(model):
    image = photo(192, 192)
    files = [cl.encode(image, model=model, quality=q) for q in (1, 2.5, 4, 6, 8)]
    sizes = [len(data) for data in files]
    errors = [metrics.psnr(image, cl.decode(data)) for data in files]
    assert sizes == sorted(sizes)
    assert errors == sorted(errors)


@pytest.mark.parametrize("model", NAMES)
def test_encoding_and_decoding_are_the_same_on_every_run(model):
    first, second = (cl.encode(photo(), model=model, quality=3) for _ in range(2))
    assert first == second
    assert np.array_equal(cl.decode(first), cl.decode(first))


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (1, 200), (53, 37), (64, 64), (65, 63)])
def test_any_size_comes_back(model, size):
    image = photo(512, 512).resize(size)
    assert cl.decode(cl.encode(image, model=model)).size == size


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "CMYK"])
def test_any_mode_is_coded_and_alpha_is_lossless(mode):
    image = photo()
    if "A" in mode:
        alpha = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 96), dtype=np.uint8))
        image = image.convert("RGB")
        image.putalpha(alpha)
    decoded = cl.decode(cl.encode(image.convert(mode)))
    assert decoded.mode == {"P": "RGB", "1": "L", "CMYK": "RGB"}.get(mode, mode)
    if "A" in mode:
        assert np.array_equal(decoded.getchannel("A"), alpha)


def test_grey_stays_grey():
    decoded = cl.decode(cl.encode(photo().convert("L"), quality=6))
    assert decoded.mode == "L"
    assert metrics.psnr(photo().convert("L"), decoded) > 28


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 80 * 96).reshape(80, 96).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    expected = np.rint(ramp / 257).astype(np.uint8)
    assert np.array_equal(picture.load(tmp_path / "ramp.png"), expected)
    assert metrics.psnr(expected, cl.decode(cl.encode(tmp_path / "ramp.png", quality=8))) > 28


@pytest.mark.parametrize("kind", ["path", "string", "array", "grey array"])
def test_pictures_come_as_paths_and_arrays(kind, tmp_path):
    photo().save(tmp_path / "photo.png")
    given = {
        "path": tmp_path / "photo.png",
        "string": str(tmp_path / "photo.png"),
        "array": np.asarray(photo()),
        "grey array": np.asarray(photo().convert("L")),
    }[kind]
    assert cl.decode(cl.encode(given)).size == (96, 80)


def test_a_photo_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees"
    photo(96, 80).save(tmp_path / "photo.jpg", exif=exif)
    assert cl.decode(cl.encode(tmp_path / "photo.jpg")).size == (80, 96)


@pytest.mark.parametrize("quality", [0, 0.99, 8.01, 9, -1, float("nan"), float("inf"), "4", None])
def test_a_quality_out_of_range_is_refused(quality):
    with pytest.raises(ValueError, match="quality"):
        cl.encode(photo(), quality=quality)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match="image"):
        cl.encode(image)


def test_an_unknown_model_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match=r"'nothing'; there are .*hyperprior"):
        cl.encode(photo(), model="nothing")


FILE = cl.encode(photo(), quality=2)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_no_damaged_byte_gives_a_picture(position, change):
    damaged = bytearray(FILE)
    damaged[position] ^= change
    with pytest.raises(cl.BitstreamError):
        cl.decode(bytes(damaged))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=100))
def test_no_stream_crashes_even_behind_valid_checksums(y, z):
    header, _ = container.read(FILE)
    hostile = container.write(header, {"z": z, "y": y})
    with pytest.raises(cl.BitstreamError):
        cl.decode(hostile)


def test_a_file_of_other_weights_is_refused():
    header, sections = container.read(FILE)
    other = container.Header(**{**vars(header), "weights": "00" * 8})
    with pytest.raises(cl.BitstreamError, match="weights: file needs hyperprior 0000000000000000"):
        cl.decode(container.write(other, sections))


def test_a_file_of_an_unknown_model_is_refused():
    header, sections = container.read(FILE)
    other = container.Header(**{**vars(header), "model": "future"})
    with pytest.raises(cl.BitstreamError, match="future"):
        cl.decode(container.write(other, sections))


@pytest.mark.parametrize("sections", [{}, {"y": b""}, {"z": b"", "y": b"", "alpha": b""}])
def test_missing_and_surplus_sections_are_refused(sections):
    header, _ = container.read(FILE)
    with pytest.raises(cl.BitstreamError, match="sections"):
        cl.decode(container.write(header, sections))


def test_an_alpha_section_that_is_no_png_is_refused():
    header, sections = container.read(cl.encode(photo().convert("RGBA")))
    for alpha in (b"", b"text", sections["alpha"][:-20]):
        with pytest.raises(cl.BitstreamError, match="alpha"):
            cl.decode(container.write(header, {**sections, "alpha": alpha}))


def test_weights_that_differ_from_their_card_are_refused(tmp_path, monkeypatch):
    for suffix in (".safetensors", ".json"):
        shutil.copy(weights.SHIPPED / f"hyperprior{suffix}", tmp_path)
    damaged = bytearray((tmp_path / "hyperprior.safetensors").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "hyperprior.safetensors").write_bytes(damaged)
    with pytest.raises(cl.BitstreamError, match="SHA-256"):
        weights.load(str(tmp_path / "hyperprior.safetensors"))


def test_weights_that_are_no_safetensors_are_refused(tmp_path):
    (tmp_path / "odd.safetensors").write_bytes(b"not at all")
    with pytest.raises(cl.BitstreamError, match="no safetensors"):
        weights.load(str(tmp_path / "odd.safetensors"))


def test_inspect_needs_no_network(monkeypatch):
    monkeypatch.setattr(weights, "load", lambda *a: pytest.fail("a network was loaded"))
    assert cl.inspect(FILE).header.model == "hyperprior"
