"""What the tags of a TIFF say is what comes out, or it is noted, or refused."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from codec_lib import picture

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")
RANDOM = np.random.default_rng(0)
EIGHT, DEEP = (
    RANDOM.integers(0, limit, (20, 21, 5), dtype=kind) for limit, kind in ((256, "u1"), (65536, "u2"))
)
PACKED = [None, "lzw", "deflate", "packbits", "zstd"]


def tiff(samples: np.ndarray, photometric: str, **options) -> bytes:
    buffer = io.BytesIO()
    kind = {"byteorder": options.pop("byteorder", "<"), "bigtiff": options.pop("bigtiff", False)}
    with tifffile.TiffWriter(buffer, **kind) as writer:
        writer.write(samples, photometric=photometric, metadata=None, **options)
    return buffer.getvalue()


def apart(samples: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(samples, -1, 0))


def refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"^image: [^\n]*{why}[^\n]*$"):
        picture.take(data, exact=True)


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("samples", [EIGHT[..., 0], DEEP[..., 0]], ids=["8", "16"])
def test_white_is_white_where_it_is_zero(samples, compression):
    data = tiff(samples, "miniswhite", compression=compression)
    white = np.iinfo(samples.dtype).max
    assert np.array_equal(picture.take(data, exact=True).samples(), white - samples)
    rounded = np.rint((white - samples) / (white / 255)) if white > 255 else white - samples
    assert np.array_equal(picture.take(data).samples(), rounded)


def test_white_is_white_where_it_is_zero_and_the_picture_lies_on_its_side():
    data = tiff(DEEP[..., 0], "miniswhite", extratags=[(274, 3, 1, 6, True)])
    assert np.array_equal(picture.take(data, exact=True).samples(), np.rot90(65535 - DEEP[..., 0], -1))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("loaded", [False, True])
def test_pillows_image_of_sixteen_bits_with_zero_for_white_is_refused(exact, loaded):
    image = Image.open(io.BytesIO(tiff(DEEP[..., 0], "miniswhite")))
    if loaded:
        image.load()
    for _ in range(2):  # the first time may load it
        with pytest.raises(ValueError, match=r"^image: .*16 bits with 0 for white.*allowed is the file"):
            picture.take(image, exact=exact)


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("count", [3, 4])
def test_planes_of_eight_bits_of_colour_are_kept(count, compression):
    samples = EIGHT[..., :count]
    extra = ["unassalpha"] if count == 4 else None
    data = tiff(apart(samples), "rgb", extrasamples=extra, planarconfig="separate", compression=compression)
    assert np.array_equal(picture.take(data, exact=True).samples(), samples)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize(
    ("count", "photometric", "extra"),
    [(2, "minisblack", "unassalpha"), (2, "minisblack", "assocalpha"), (4, "rgb", "assocalpha")],
)
def test_planes_that_pillow_puts_in_the_wrong_place_are_refused(
    count, photometric, extra, compression, exact
):
    data = tiff(
        apart(EIGHT[..., :count]), photometric, extrasamples=[extra], planarconfig="separate",
        compression=compression,
    )  # fmt: skip
    with pytest.raises(ValueError, match="in one plane after the other; allowed is interleaved"):
        picture.take(data, exact=exact)


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize(
    ("samples", "photometric", "extra", "kept"),
    [
        (EIGHT[..., :2], "minisblack", ["unspecified"], 1),
        (EIGHT[..., :4], "rgb", ["unspecified"], 3),
        (DEEP[..., :4], "rgb", ["unspecified"], 3),
        (EIGHT, "rgb", ["unassalpha", "unspecified"], 4),
        (EIGHT, "rgb", ["unspecified", "unspecified"], 3),
    ],
)
def test_samples_that_mean_nothing_are_left_out_with_a_note(samples, photometric, extra, kept, compression):
    data = tiff(samples, photometric, extrasamples=extra, compression=compression)
    left_out = f"{samples.shape[2] - kept} of {samples.shape[2]} samples a pixel left out"
    refused(data, left_out)
    parts, white = picture.take(data), np.iinfo(samples.dtype).max
    assert left_out in parts.notes
    assert np.array_equal(parts.samples(), np.rint(samples[..., :kept].squeeze() / (white / 255)))


@pytest.mark.parametrize("samples", [EIGHT[..., :2], DEEP[..., :2]], ids=["8", "16"])
def test_planes_that_mean_nothing_are_left_out_with_a_note(samples):
    data = tiff(
        apart(samples),
        "minisblack",
        extrasamples=["unspecified"],
        planarconfig="separate",
        compression="lzw",
    )
    refused(data, "1 of 2 samples a pixel left out")
    assert "1 of 2 samples a pixel left out" in picture.take(data).notes


def test_a_thumbnail_in_front_of_the_picture_is_noted():
    """As camera raws have it: the first directory is a reduced copy, the picture is in one below."""
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        small = {"subfiletype": 1, "subifds": 1}
        writer.write(EIGHT[::4, ::4, :3].copy(), photometric="rgb", metadata=None, **small)
        writer.write(EIGHT[..., :3].copy(), photometric="rgb", metadata=None)
    left_out = "a reduced copy of another picture, which is left out"
    refused(buffer.getvalue(), left_out)
    assert left_out in picture.take(buffer.getvalue()).notes


def test_a_picture_in_front_of_its_thumbnails_is_whole():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(EIGHT[..., :3].copy(), photometric="rgb", metadata=None, subifds=1)
        writer.write(EIGHT[::4, ::4, :3].copy(), photometric="rgb", metadata=None, subfiletype=1)
    assert np.array_equal(picture.take(buffer.getvalue(), exact=True).samples(), EIGHT[..., :3])


@pytest.mark.parametrize("compression", PACKED)
def test_ycbcr_is_converted_with_a_note(compression):
    data = tiff(EIGHT[..., :3], "ycbcr", compression=compression)
    refused(data, "YCbCr")
    assert picture.take(data).notes == ("YCbCr became RGB",)


@pytest.mark.parametrize("photometric", ["ycbcr", "rgb"])
def test_a_jpeg_in_a_tiff_is_a_jpeg(photometric):
    data = tiff(EIGHT[..., :3], photometric, compression="jpeg")
    parts = picture.take(data, exact=True)
    assert parts.notes == ()
    assert np.array_equal(parts.samples(), tifffile.imread(io.BytesIO(data)))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("compression", PACKED)
def test_signed_samples_of_eight_bits_are_refused(compression, exact):
    data = tiff(EIGHT[..., 0].view(np.int8), "minisblack", compression=compression)
    with pytest.raises(ValueError, match="signed samples of 8 bits; allowed are unsigned ones"):
        picture.take(data, exact=exact)


@pytest.mark.parametrize("compression", PACKED[1:])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_strips_beyond_the_end_are_refused_before_libtiff_prints_about_them(compression, tile):
    layout = {"tile": tile} if tile else {"rowsperstrip": 4}
    data = tiff(EIGHT[..., :3], "rgb", compression=compression, **layout)
    refused(data[:-40], "strips to byte .*; the file ends at")


def pillows(mode: str) -> bytes:
    """What Pillow writes: the tags stand behind the samples."""
    buffer = io.BytesIO()
    Image.fromarray(EIGHT[..., :3]).convert(mode).save(buffer, "TIFF", compression="tiff_lzw")
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of the same tags
@pytest.mark.parametrize("cut", [1, 5, 9, 40, 100])
@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_tags_beyond_the_end_are_refused(mode, cut):
    with pytest.raises(ValueError, match=r"^image: [^\n]*$"):
        picture.take(pillows(mode)[:-cut])


@pytest.mark.parametrize(("byteorder", "bigtiff"), [("<", False), (">", False), ("<", True)])
def test_whole_tags_are_taken(byteorder, bigtiff):
    data = tiff(EIGHT[..., :3], "rgb", compression="lzw", bigtiff=bigtiff, byteorder=byteorder)
    assert np.array_equal(picture.take(data, exact=True).samples(), EIGHT[..., :3])


@pytest.mark.parametrize("step", [256, 257])
def test_a_palette_of_eight_bits_is_kept(step):
    colours = np.arange(3 * 256, dtype=np.uint16).reshape(3, 256) % 256
    data = tiff(EIGHT[..., 0], "palette", colormap=colours * np.uint16(step))
    assert np.array_equal(picture.take(data, exact=True).samples(), colours.T[EIGHT[..., 0]])


def test_a_palette_of_sixteen_bits_is_noted():
    data = tiff(EIGHT[..., 0], "palette", colormap=RANDOM.integers(0, 65536, (3, 256), dtype=np.uint16))
    note = "16-bit colours of the palette became 8"
    assert picture.take(data).notes == (note,)
    refused(data, note)


@pytest.mark.parametrize(
    "data", [tiff(EIGHT[..., :3], "rgb", compression="lzw")[:-40], pillows("L")[:-5], pillows("1")[:-40]]
)
def test_a_truncated_tiff_makes_no_line_but_our_own(data, tmp_path):
    path = tmp_path / "cut.tif"
    path.write_bytes(data)
    script = (
        "import sys\nfrom codec_lib import picture\ntry: picture.take(sys.argv[1])\nexcept ValueError: pass"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(path)], capture_output=True, check=True
    )
    assert run.stderr == b""
