"""Every source of a picture: read, or refused in one line and as one type of error."""

import io
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from codec_lib import picture

SAMPLES = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def file_of(kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SAMPLES).save(buffer, kind, **options)
    return buffer.getvalue()


PNG = file_of("PNG")


def taken(source) -> np.ndarray:
    return picture.take(source, exact=True).samples()


class Folder(os.PathLike):
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("kind", [str, Path, Folder])
def test_a_path_is_read(kind, tmp_path):
    (tmp_path / "photo").write_bytes(PNG)  # what it is called does not matter
    assert np.array_equal(taken(kind(tmp_path / "photo")), SAMPLES)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_bytes_of_a_file_are_read(kind):
    assert np.array_equal(taken(kind(PNG)), SAMPLES)


def test_an_open_file_is_read_from_where_it_is_and_left_open(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"before" + PNG)
    with (tmp_path / "photo.png").open("rb") as file:
        file.seek(6)
        assert np.array_equal(taken(file), SAMPLES)
        assert not file.closed
    memory = io.BytesIO(PNG)
    assert np.array_equal(taken(memory), SAMPLES)
    assert not memory.closed


def test_a_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(PNG,), daemon=True)
    writer.start()
    assert np.array_equal(taken(tmp_path / "pipe"), SAMPLES)
    writer.join()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, ">u2", bool])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_whole_numbers_are_samples_in_every_layout_of_memory(kind, channels):
    shape = (12, 20) if channels is None else (12, 20, channels)
    array = np.random.default_rng(0).integers(0, 2 if kind is bool else 256, shape).astype(kind)
    expected = array * np.uint8(255) if kind is bool else array
    expected = expected[..., 0] if channels == 1 else expected
    for laid_out in (array, np.asfortranarray(array), np.repeat(array, 2, axis=0)[::2], array[::-1][::-1]):
        before = laid_out.copy()
        assert np.array_equal(taken(laid_out), expected)
        assert np.array_equal(laid_out, before)
    array.flags.writeable = False
    assert np.array_equal(taken(array), expected)


@pytest.mark.parametrize("shape", [(12, 20), (1, 12, 20), (2, 12, 20), (3, 12, 20), (4, 12, 20)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.bool])
def test_tensors_of_whole_numbers_are_samples(shape, dtype):
    array = np.random.default_rng(0).integers(0, 2 if dtype is torch.bool else 256, shape)
    expected = np.moveaxis(array, 0, -1) if len(shape) == 3 else array
    expected = expected[..., 0] if shape[0] == 1 else expected
    for tensor in (torch.from_numpy(array).to(dtype), torch.from_numpy(array).to(dtype)[None]):
        if tensor.ndim != 3 or len(shape) == 2:
            assert np.array_equal(taken(tensor), expected * (255 if dtype is torch.bool else 1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_floats_count_from_zero_to_one(dtype):
    x = torch.linspace(0, 1, 3 * 12 * 20).reshape(1, 3, 12, 20).to(dtype).requires_grad_()
    parts = picture.take(x)
    expected = (x.detach().double() * 255).round()[0].permute(1, 2, 0)
    assert np.array_equal(parts.samples(), expected)
    assert parts.notes == (f"float samples of {8 * dtype.itemsize} bits became 8",)
    with pytest.raises(ValueError, match=r"image: .*float.*; exact coding takes"):
        picture.take(x, exact=True)


def test_what_to_tensor_gives_comes_back_as_it_was():
    image = Image.fromarray(SAMPLES)
    assert np.array_equal(picture.take(picture.to_tensor(image)).samples(), SAMPLES)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01, 255.0])
def test_floats_beyond_zero_to_one_are_refused(value):
    x = torch.zeros(3, 4, 4)
    x[1, 2, 3] = value
    with pytest.raises(ValueError, match=r"image: float32 tensor with samples from .*; allowed is 0 to 1"):
        picture.take(x)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((0, 4, 3), np.uint8), np.zeros((4, 0), np.uint8), np.zeros((4, 4, 0), np.uint8),
        np.zeros((4, 4, 5), np.uint8), np.zeros(4, np.uint8), np.uint8(3) * np.ones((), np.uint8),
        np.zeros((1, 3, 4, 4), np.uint8), np.zeros((4, 4)), np.zeros((4, 4), np.int64),
        np.zeros((4, 4), complex), np.full((4, 4), "text"), np.full((4, 4), None),
        torch.zeros(0, 4, 4), torch.zeros(5, 4, 4), torch.zeros(2, 3, 4, 4), torch.zeros(()),
        torch.zeros(3, 4, 4, dtype=torch.int32), torch.zeros(3, 4, 4, dtype=torch.complex64),
        torch.zeros(3, 4, 4, device="meta"), torch.zeros(4, 4).to_sparse(),
        Image.new("RGB", (0, 4)), None, 7, 1.5, ["a list"], io.StringIO("text"), object(),
        b"", b"text", b"\0" * 10_000, np.zeros((70_000, 1), np.uint8),
    ],
    ids=lambda source: f"{type(source).__name__}",
)  # fmt: skip
@pytest.mark.parametrize("exact", [False, True])
def test_what_is_no_picture_is_refused_in_one_line(source, exact):
    with pytest.raises(ValueError, match=r"^image: [^\n]*$"):
        picture.take(source, exact=exact)


def test_paths_of_no_picture_are_refused(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("a text")
    for name in ("empty.png", "text.png"):
        with pytest.raises(ValueError, match=f"image: .*{name} is not a picture that Pillow reads"):
            picture.take(tmp_path / name)
    for name in (str(tmp_path), "/dev/zero", "/dev/null"):
        with pytest.raises(ValueError, match=f"image: {name} is no file"):
            picture.take(name)
    with pytest.raises(FileNotFoundError):
        picture.take(tmp_path / "missing.png")
    with pytest.raises(ValueError, match="null"):
        picture.take("a\0b")


KINDS = ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000"]
KINDS += ["DDS", "ICO", "PCX", "TGA", "SGI", "PPM", "QOI", "ICNS"]
Image.init()
FILES = {kind: file_of(kind) for kind in KINDS if kind in Image.SAVE}  # AVIF and QOI are new in Pillow
buffer = io.BytesIO()
Image.fromarray(SAMPLES).convert("P").save(buffer, "PNG", transparency=bytes(range(256)))
FILES["palette"] = buffer.getvalue()


@given(st.sampled_from(sorted(FILES)), st.data())
def test_no_damage_makes_anything_else_than_a_valueerror_of_one_line(kind, data):
    broken = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    broken = bytes(broken[: data.draw(st.integers(0, len(broken)))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture.take(broken, keep=picture.OPTIONAL)
        except ValueError as error:
            assert str(error).startswith("image: ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_truncated_file_is_refused(kind):
    data = FILES[kind]
    with pytest.raises(ValueError, match=r"^image: .* bytes "):
        picture.take(data[: len(data) // 2])


@pytest.mark.parametrize(
    "error", [IndexError, KeyError, NotImplementedError, OverflowError, RuntimeError, SystemError, EOFError]
)
@pytest.mark.parametrize("message", ["two\nlines", ""])
def test_whatever_a_plugin_raises_becomes_one_line(monkeypatch, error, message):
    def broken(self):
        raise error(message)

    monkeypatch.setattr(ImageFile.ImageFile, "load", broken)
    with pytest.raises(ValueError, match=r"^image: \d+ bytes cannot be read \([^\n]+\)$"):
        picture.take(PNG)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_lack_of_memory_is_not_the_pictures_fault(monkeypatch, error):
    def broken(self):
        raise error

    monkeypatch.setattr(ImageFile.ImageFile, "load", broken)
    with pytest.raises(error):
        picture.take(PNG)


@pytest.mark.parametrize("limit", [1, 100, None])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "WEBP"])
def test_the_applications_limit_on_pixels_neither_refuses_nor_warns_nor_changes(monkeypatch, limit, kind):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture.take(FILES[kind]).size == (20, 12)
        with pytest.raises(ValueError, match=r"^image: 100 bytes "):
            picture.take(FILES[kind][:100])
    assert limit == Image.MAX_IMAGE_PIXELS


def test_the_limit_is_put_back_by_the_last_of_many_threads(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)
    failures = []

    def read():
        for kind in ("TIFF", "PNG", "GIF") * 20:
            try:
                picture.take(FILES[kind])
            except BaseException as error:  # of any type: a thread's is seen by nobody
                failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Image.MAX_IMAGE_PIXELS == 7


@pytest.mark.parametrize("size", [(70_000, 1), (1, 70_000), (65_536, 2049)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_larger_than_our_files_is_refused_before_it_is_loaded(monkeypatch, size):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it was loaded"))
    with pytest.raises(ValueError, match=r"^image: .*allowed are sides to 65536 and 1 to 134217728 pixels"):
        picture.take(b"P5 %d %d 255 " % size)


def test_a_photo_is_turned_upright_whatever_it_comes_as(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("PNG", "TIFF", "WEBP"):
        data = file_of(kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
        expected = np.rot90(SAMPLES, -1)
        assert np.array_equal(taken(data), expected), kind
        opened = Image.open(io.BytesIO(data))
        assert np.array_equal(taken(opened), expected), kind


def test_the_applications_image_is_left_as_it_is():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(file_of("PNG", exif=exif, dpi=(72, 72))))
    image.load()
    before = image.size, image.mode, dict(image.info), image.tobytes()
    picture.take(image, keep=picture.OPTIONAL)
    assert (image.size, image.mode, dict(image.info), image.tobytes()) == before
