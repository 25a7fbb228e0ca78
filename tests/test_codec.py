"""The public workflow, with the weights that come with the library."""

import shutil
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

import codec_lib as cl
from codec_lib import container, picture, weights
from codec_lib.header import Header
from codec_lib.measure import metrics
from codec_lib.picture import planes
from tests import icc
from tests.png_chunks import chunk

NAMES = ("flagship", "context", "checkerboard", "hyperprior", "factorized", "autoencoder")


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


@pytest.mark.parametrize("quality", [0, 0.99, 8.01, 9, -1, float("nan"), float("inf"), "4", True])
def test_a_quality_out_of_range_is_refused(quality):
    with pytest.raises(ValueError, match="quality"):
        cl.encode(photo(), quality=quality)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros((4, 4, 5), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_an_array_that_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match="image"):
        cl.encode(image)


def test_an_unknown_model_is_refused_and_the_known_ones_are_named():
    with pytest.raises(ValueError, match=r"'nothing'; there are .*hyperprior"):
        cl.encode(photo(), model="nothing")


FILE = cl.encode(photo(), quality=2)


def parts_of(data: bytes) -> tuple[Header, dict[str, bytes]]:
    file = container.read(data)
    return file.header, file.take()


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_whatever_acts_like_bytes_is_decoded(kind):
    assert np.array_equal(cl.decode(kind(FILE)), cl.decode(FILE))


@pytest.mark.parametrize("thing", ["photo.clc", None, 10**15, ["bytes"]])
def test_what_is_no_bytes_is_refused_by_its_type(thing):
    with pytest.raises(TypeError, match=f"data: {type(thing).__name__}; allowed are bytes"):
        cl.decode(thing)


def test_the_limit_on_pixels_is_the_callers():
    assert cl.decode(FILE, max_pixels=96 * 80).size == (96, 80)
    with pytest.raises(cl.BitstreamError, match=r"size: 96 x 80; .* 1 to 7679 pixels"):
        cl.decode(FILE, max_pixels=96 * 80 - 1)
    with pytest.raises(cl.BitstreamError, match="size"):
        cl.verify(photo(), FILE, max_pixels=96 * 80 - 1)


@pytest.mark.parametrize("kind", ["y", "z"])
@pytest.mark.parametrize("payload", [b"", b"\0" * 40, b"\xff" * 41])
def test_a_bad_stream_is_reported_by_the_name_of_its_section(kind, payload):
    header, sections = parts_of(FILE)
    with pytest.raises(cl.BitstreamError, match=f"^section {kind}: rans: "):
        cl.decode(container.write(header, {**sections, kind: payload}))


def test_a_file_of_other_weights_is_refused():
    header, sections = parts_of(FILE)
    other = Header(**{**vars(header), "weights": "00" * 8})
    with pytest.raises(cl.BitstreamError, match="weights: file needs flagship 0000000000000000"):
        cl.decode(container.write(other, sections))


def test_a_file_of_an_unknown_model_is_refused():
    header, sections = parts_of(FILE)
    other = Header(**{**vars(header), "model": "future"})
    with pytest.raises(cl.BitstreamError, match=r"model: 'future'; there are .*hyperprior"):
        cl.decode(container.write(other, sections))


def test_a_file_cannot_make_the_decoder_open_a_path(monkeypatch):
    header, sections = parts_of(FILE)
    path = weights.SHIPPED / "hyperprior.safetensors"
    for name in (path.as_posix(), path.name, "../weights/hyperprior", "a" * 255):
        monkeypatch.chdir(path.parent)
        other = Header(**{**vars(header), "model": name})
        with pytest.raises(cl.BitstreamError, match="model: "):
            cl.decode(container.write(other, sections))


@pytest.mark.parametrize(
    "sections", [{}, {"y": b""}, {"z": b"", "y": b"", "alpha": b""}, {"z": b"", "y": b"", "other": b""}]
)
def test_missing_and_surplus_sections_are_refused(sections):
    header, _ = parts_of(FILE)
    with pytest.raises(cl.BitstreamError, match="sections"):
        cl.decode(container.write(header, sections))


def test_an_alpha_section_that_is_no_png_is_refused():
    header, sections = parts_of(cl.encode(photo().convert("RGBA")))
    for alpha in (b"", b"text", sections["alpha"][:-20], sections["alpha"] + b"\0"):
        with pytest.raises(cl.BitstreamError, match=r"^section alpha: "):
            cl.decode(container.write(header, {**sections, "alpha": alpha}))


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"acTL", b"PLTE", b"IHDR", b"fdAT"])
def test_an_alpha_png_with_chunks_that_unpack_to_something_else_is_refused(kind):
    header, sections = parts_of(cl.encode(photo().convert("RGBA")))
    bomb = chunk(kind, b"name\0\0" + zlib.compress(bytes(10**6)))
    alpha = sections["alpha"][:33] + bomb + sections["alpha"][33:]
    with pytest.raises(cl.BitstreamError, match=r"^section alpha: chunks"):
        cl.decode(container.write(header, {**sections, "alpha": alpha}))


def test_an_alpha_png_of_another_size_is_refused():
    header, sections = parts_of(cl.encode(photo().convert("RGBA")))
    other = planes.pack("alpha", np.zeros((80, 97), np.uint8))
    with pytest.raises(cl.BitstreamError, match="section alpha: no PNG of 96 x 80"):
        cl.decode(container.write(header, {**sections, "alpha": other}))


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
    assert cl.inspect(FILE).header.model == "flagship"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize(("writer", "reader"), [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_a_file_of_one_device_decodes_on_the_other(model, writer, reader):
    image = photo(256, 192)
    data = cl.encode(image, model, quality=5, device=writer)
    assert metrics.psnr(cl.decode(data, device=writer), cl.decode(data, device=reader)) > 45


def test_the_public_names_are_shown_and_lead_somewhere():
    assert {"encode", "decode", "truncate", "verify", "inspect", "BitstreamError"} <= set(dir(cl))
    assert all(callable(getattr(cl, name)) for name in cl.__all__)


def test_what_follows_picture_and_model_goes_by_name():
    with pytest.raises(TypeError):
        cl.encode(photo(), "flagship", 4)
    with pytest.raises(TypeError):
        cl.decode(FILE, 1)


def profile() -> bytes:
    """A colour profile whose curve is not that of sRGB."""
    return icc.matrix(transfer=1.8)


def test_a_colour_profile_comes_back_and_can_be_left_out(tmp_path):
    photo().save(tmp_path / "photo.png", icc_profile=profile())
    kept, stripped = cl.encode(tmp_path / "photo.png"), cl.encode(tmp_path / "photo.png", keep=())
    assert cl.decode(kept).info["icc_profile"] == profile()
    assert "icc_profile" not in cl.decode(stripped).info
    sections = {section.name: section.length for section in cl.inspect(kept).sections}
    assert list(sections) == ["icc", "z", "y"]
    assert len(kept) - len(stripped) == sections["icc"] + 1 + len("icc") + 8


@pytest.mark.parametrize("model", NAMES)
def test_alpha_with_a_profile_and_a_transparency_entry_decodes(model, tmp_path):
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.info["transparency"] = (1, 2, 3)
    image.save(tmp_path / "photo.png", icc_profile=profile(), dpi=(300, 300))
    decoded = cl.decode(cl.encode(tmp_path / "photo.png", model))
    assert np.array_equal(decoded.getchannel("A"), image.getchannel("A"))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_of_any_colour_are_kept_exactly_and_have_a_preview(channels):
    samples = np.random.default_rng(channels).integers(0, 65536, (21, 34, channels), dtype=np.uint16)
    file = cl.encode(samples, "near-lossless")
    assert np.array_equal(cl.decode(file), samples)
    assert cl.verify(samples, file).largest_error == 0
    eight = cl.decode(file, stages=2)
    assert np.array_equal(np.asarray(eight), (samples >> 8).astype(np.uint8))
    assert cl.decode(cl.truncate(file, stages=2), stages=1).size == (34, 21)
