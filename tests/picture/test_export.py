"""A decoded picture becomes a whole file of any writable format, and what is lost is refused or told."""

import importlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from codec_lib import data
from codec_lib.picture import export, take

Image.init()
REGISTERED = sorted(Image.registered_extensions())


def can_be_written(ending: str) -> bool:
    try:
        export.check_ending(ending)
    except ValueError:
        return False
    return True


WRITABLE = [ending for ending in REGISTERED if can_be_written(ending)]
WITH_ALPHA = [".apng", ".dds", ".jp2", ".png", ".qoi", ".sgi", ".tga", ".tif", ".webp"]
EXACT = [*WITH_ALPHA, ".bmp", ".pcx", ".ppm"]
CHANNELS = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}
BOTH = r"\.png and \.tif"


def noise(*shape: int, dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


PNG_START = export.to_bytes(noise(21, 33), ".png", lossless=True)[0][:200]


def open_again(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        return picture


def samples_of(data: bytes, mode: str) -> np.ndarray:
    """The samples of a file, in colour."""
    return np.asarray(open_again(data).convert("RGBA" if "A" in mode else "RGB"))


def as_colours(samples: np.ndarray, mode: str) -> np.ndarray:
    return np.asarray(Image.fromarray(samples).convert("RGBA" if "A" in mode else "RGB"))


def test_the_usual_endings_are_among_those_that_can_be_written():
    assert {*EXACT, ".jpg", ".jpeg", ".tiff", ".gif"} <= set(WRITABLE)


@pytest.mark.parametrize("ending", [e for e in REGISTERED if e not in WRITABLE] + ["", "png", ".clc", "."])
def test_an_ending_that_cannot_be_written_is_refused_in_one_line(ending):
    with pytest.raises(ValueError, match=r"^ending: .* is none that can be written; \.png, .*\.jpg are$"):
        export.check_ending(ending)
    with pytest.raises(ValueError, match=r"^ending: "):
        export.to_bytes(noise(3, 4), ending, lossless=False)


def test_readers_stubs_and_formats_of_other_sizes_are_not_writable():
    assert {".eps", ".pdf", ".psd", ".h5", ".xbm", ".ico", ".icns"} <= set(REGISTERED) - set(WRITABLE)


def test_an_ending_that_means_other_samples_is_given_none_of_ours():
    assert {".pbm", ".pfm"} <= set(REGISTERED) - set(WRITABLE)
    for ending in (".pgm", ".PGM", ".bw"):
        with pytest.raises(ValueError, match=rf"^ending: {ending} does not hold colours; {BOTH} do$"):
            export.to_bytes(noise(3, 4, 3), ending, lossless=False)
        data, _ = export.to_bytes(noise(3, 4), ending, lossless=False)
        assert open_again(data).mode == "L"


def test_a_page_is_no_picture_whether_or_not_ghostscript_is_there(monkeypatch):
    monkeypatch.setattr(export, "_holds", lambda format, mode: True)
    with pytest.raises(ValueError, match=r"^ending: '\.eps' is none that can be written"):
        export.check_ending(".eps")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("shape", [(21, 33), (1, 1), (2, 1)])
@pytest.mark.parametrize("ending", [ending for ending in WRITABLE if ending not in (".bw", ".pgm")])
def test_every_writable_ending_holds_grey_and_colour_of_any_size(ending, mode, shape):
    picture = Image.fromarray(noise(*shape, *CHANNELS[mode]))
    data, notes = export.to_bytes(picture, ending, lossless=False)
    opened = open_again(data)
    assert opened.size == picture.size
    assert opened.format == Image.registered_extensions()[ending].replace("MPO", "JPEG")
    assert all("256 colours" in note for note in notes)


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize("ending", EXACT)
def test_a_lossless_picture_is_exact_where_the_format_can(ending, mode):
    samples = noise(21, 33, *CHANNELS[mode])
    if "A" in mode and ending not in WITH_ALPHA:
        with pytest.raises(ValueError, match=rf"^ending: {ending} does not hold alpha; {BOTH} do$"):
            export.to_bytes(samples, ending, lossless=True)
        return
    data, notes = export.to_bytes(samples, ending, lossless=True)
    assert notes == ()
    np.testing.assert_array_equal(samples_of(data, mode), as_colours(samples, mode))


@settings(max_examples=50)
@given(
    st.sampled_from([".png", ".TIF", ".webp", ".jp2"]),
    st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(2, 4)).flatmap(
        lambda shape: arrays(np.uint8, shape)
    ),
)
def test_any_samples_survive(ending, samples):
    mode = {2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2]]
    data, notes = export.to_bytes(samples, ending, lossless=True)
    assert notes == ()
    np.testing.assert_array_equal(samples_of(data, mode), as_colours(samples, mode))


@pytest.mark.parametrize("ending", [".jpg", ".JPEG", ".mpo", ".avif", ".gif"])
def test_a_note_says_how_far_a_lossless_picture_is_changed(ending):
    samples = noise(21, 33, 3)
    data, (note,) = export.to_bytes(samples, ending, lossless=True)
    change = np.abs(samples_of(data, "RGB").astype(int) - samples).max()
    why = " keeps 256 colours and" if ending == ".gif" else ""
    assert note == f"the ending {ending}{why} changes samples by up to {change}"
    assert change <= 3 or ending == ".gif"


def test_a_lossy_picture_needs_no_note_for_a_lossy_ending_but_for_few_colours():
    assert export.to_bytes(noise(21, 33, 3), ".jpg", lossless=False)[1] == ()
    (note,) = export.to_bytes(noise(21, 33, 3), ".gif", lossless=False)[1]
    assert note.startswith("the ending .gif keeps 256 colours")
    assert export.to_bytes(noise(21, 33), ".gif", lossless=True)[1] == ()


@pytest.mark.parametrize("ending", [".jpg", ".bmp", ".ppm", ".pcx", ".gif"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_never_dropped_in_silence(ending, mode):
    opaque = Image.new(mode, (4, 4), (255,) * len(mode))
    for picture in (opaque, Image.fromarray(noise(4, 4, *CHANNELS[mode]))):
        with pytest.raises(ValueError, match=rf"^ending: {ending} does not hold alpha; {BOTH} do$"):
            export.to_bytes(picture, ending, lossless=False)


def test_a_transparent_colour_is_alpha_too():
    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    picture.putpixel((1, 0), (4, 5, 6))
    picture.info["transparency"] = (1, 2, 3)
    data, _ = export.to_bytes(picture, ".webp", lossless=True)
    assert samples_of(data, "RGBA").tolist() == [[[1, 2, 3, 0], [4, 5, 6, 255]]]
    with pytest.raises(ValueError, match="does not hold alpha"):
        export.to_bytes(picture, ".jpg", lossless=True)


@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
@pytest.mark.parametrize("ending", [".png", ".tif", ".TIFF"])
def test_sixteen_bits_are_exact_and_can_be_coded_again(ending, channels):
    decoder = pytest.importorskip("imagecodecs" if ending == ".png" else "tifffile")
    samples = noise(21, 33, *channels, dtype=np.uint16)
    data, notes = export.to_bytes(samples, ending, lossless=True)
    decoded = decoder.png_decode(data) if ending == ".png" else decoder.imread(io.BytesIO(data))
    assert notes == ()
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, samples)
    np.testing.assert_array_equal(take(data, exact=True).samples(), samples)


def test_sixteen_bits_of_grey_need_pillow_only(monkeypatch):
    without(monkeypatch, "imagecodecs", "tifffile")
    samples = noise(21, 33, dtype=np.uint16)
    for ending in (".png", ".tif"):
        data, notes = export.to_bytes(Image.fromarray(samples), ending, lossless=True)
        assert (notes, open_again(data).mode) == ((), "I;16")
        np.testing.assert_array_equal(np.asarray(open_again(data)), samples)


def without(monkeypatch, *names: str) -> None:
    """Let importing these packages fail."""
    real = importlib.import_module

    def import_module(name: str, *rest):
        if name in names:
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", import_module)


@pytest.mark.parametrize(("ending", "package"), [(".png", "imagecodecs"), (".tif", "tifffile")])
def test_a_missing_writer_is_named(ending, package, monkeypatch):
    without(monkeypatch, package)
    with pytest.raises(ValueError, match=rf"^ending: {ending} with .* bits needs `pip install {package}`$"):
        export.to_bytes(noise(3, 4, 3, dtype=np.uint16), ending, lossless=True)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("ending", [".jpg", ".webp", ".bmp", ".jp2", ".ppm"])
def test_sixteen_bits_are_never_cut_in_silence(ending, channels):
    with pytest.raises(ValueError, match=rf"^ending: {ending} is not written with 16 bits; {BOTH} are$"):
        export.to_bytes(noise(3, 4, *channels, dtype=np.uint16), ending, lossless=False)


@pytest.mark.parametrize(
    "image",
    [
        noise(3, 4, 5), noise(3, 4, 1), noise(3), noise(0, 4), noise(3, 4).astype(np.float32),
        noise(3, 4, 5, dtype=np.uint16), noise(0, 4, 3, dtype=np.uint16),
        Image.new("CMYK", (3, 4)), Image.new("F", (3, 4)), Image.new("P", (3, 4)),
    ],
    ids=lambda image: str(getattr(image, "shape", getattr(image, "mode", ""))),
)  # fmt: skip
def test_other_pictures_are_refused_in_one_line(image):
    with pytest.raises(ValueError, match=r"^image: .*; allowed (is|are) .*$"):
        export.to_bytes(image, ".png", lossless=True)


@pytest.mark.parametrize("ending", [".webp", ".jpg", ".gif"])
def test_a_picture_that_is_too_large_for_a_format_is_refused_in_one_line(ending):
    with pytest.raises(ValueError, match=rf"^ending: {ending} cannot hold this picture \(.*\); .*$"):
        export.to_bytes(noise(1, 70_000), ending, lossless=False)


def break_png(monkeypatch, error: BaseException | None) -> None:
    """Let the PNG writer raise, or write too little, after it was seen to work."""

    def write(picture, file, name):
        if error:
            raise error
        file.write(PNG_START)

    export.check_ending(".png")
    monkeypatch.setitem(Image.SAVE, "PNG", write)


@pytest.mark.parametrize("error", [OSError("disk\nfull"), RuntimeError(), SystemError("x"), KeyError("y")])
def test_whatever_a_writer_raises_is_one_line(error, monkeypatch):
    break_png(monkeypatch, error)
    with pytest.raises(ValueError, match=r"^ending: \.png cannot hold this picture \(.+\); .*$"):
        export.to_bytes(noise(3, 4), ".png", lossless=True)


def test_a_file_that_is_cut_short_is_not_handed_out(monkeypatch):
    break_png(monkeypatch, None)
    with pytest.raises(
        ValueError, match=r"^ending: \.png cannot hold this picture \(image file is truncated"
    ):
        export.to_bytes(noise(21, 33), ".png", lossless=False)


def test_running_out_of_memory_is_not_blamed_on_the_format(monkeypatch):
    break_png(monkeypatch, MemoryError())
    with pytest.raises(MemoryError):
        export.to_bytes(noise(3, 4), ".png", lossless=True)


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".avif"])
def test_what_a_lossy_file_gave_is_not_compressed_a_second_time(ending):
    """Noise is the worst case: at Pillow's own qualities it changes by more than fifty levels."""
    photo = np.asarray(data.sample("astronaut").crop((100, 0, 196, 96)))
    written, notes = export.to_bytes(photo, ending, lossless=False)
    assert notes == ()
    again = np.asarray(Image.open(io.BytesIO(written)).convert("RGB")).astype(int)
    assert np.abs(again - photo).max() <= 8
