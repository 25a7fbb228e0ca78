"""Files of more than 8 bits a sample: all of their bits, or a note, or a refusal."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features

from codec_lib import picture
from codec_lib.picture import depth
from tests import icc
from tests.png_chunks import chunk

RANDOM = np.random.default_rng(0)
DEEP = {
    mode: RANDOM.integers(0, 65536, (19, 23, count), dtype=np.uint16)
    for mode, count in {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}.items()
}
PNG_COLOUR = {"L": 0, "LA": 4, "RGB": 2, "RGBA": 6}


def png(rows: np.ndarray, size: tuple[int, int], mode: str, chunks: bytes = b"", bits: int = 16) -> bytes:
    """A PNG from the bytes of its rows, written by hand: Pillow writes no colours of 16 bits."""
    head = struct.pack(">IIBBBBB", *size, bits, PNG_COLOUR[mode], 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    middle = chunk(b"IHDR", head) + chunks + chunk(b"IDAT", pixels)
    return b"\x89PNG\r\n\x1a\n" + middle + chunk(b"IEND", b"")


def transparent(*colour: int) -> bytes:
    return chunk(b"tRNS", struct.pack(f">{len(colour)}H", *colour))


def deep_png(mode: str, chunks: bytes = b"") -> bytes:
    return png(DEEP[mode].astype(">u2"), (23, 19), mode, chunks)


def flat(samples: np.ndarray) -> np.ndarray:
    return samples.squeeze(2) if samples.shape[2] == 1 else samples


@pytest.mark.parametrize("mode", DEEP)
def test_a_png_of_sixteen_bits_is_kept(mode):
    parts = picture.take(deep_png(mode), exact=True)
    assert (parts.mode, parts.notes) == (f"{mode};16", ())
    assert np.array_equal(parts.samples(), flat(DEEP[mode]))


@pytest.mark.parametrize("mode", DEEP)
def test_a_png_of_sixteen_bits_is_rounded_not_cut(mode):
    parts = picture.take(deep_png(mode))
    assert (parts.mode, parts.notes) == (mode, ("16 bits a sample became 8",))
    assert np.array_equal(parts.samples(), np.rint(flat(DEEP[mode]) / 257))


@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.parametrize("level", [0, 9])
def test_png_files_of_another_writer_are_kept(mode, level):
    imagecodecs = pytest.importorskip("imagecodecs")
    data = imagecodecs.png_encode(flat(DEEP[mode]), level=level)
    assert np.array_equal(picture.take(data, exact=True).samples(), flat(DEEP[mode]))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_colour_of_sixteen_bits_is_compared_at_sixteen_bits(mode):
    colour = DEEP[mode][3, 4].copy()
    samples = DEEP[mode].copy()
    samples[5, 6] = colour
    samples[7, 8] = colour ^ 1  # differs in its last bit only
    data = png(samples.astype(">u2"), (23, 19), mode, transparent(*colour))
    found = picture.take(data, exact=True)
    assert found.mode == {"L": "LA;16", "RGB": "RGBA;16"}[mode]
    assert np.array_equal(found.samples()[..., :-1], samples)
    assert np.argwhere(found.samples()[..., -1] == 0).tolist() == [[3, 4], [5, 6]]
    assert set(np.unique(picture.take(data).samples()[..., -1])) == {0, 255}


@pytest.mark.parametrize("bits", [2, 4])
def test_a_transparent_grey_of_few_bits_is_found(bits):
    packed = np.array([[0b00011011], [0b11100100]], np.uint8)  # 0 1 2 3 in the first row, or 1 11
    data = png(packed, (8 // bits, 2), "L", transparent(1), bits)
    samples, step = [], 255 // (2**bits - 1)
    for byte in packed[:, 0]:
        samples.append([byte >> shift & 2**bits - 1 for shift in range(8 - bits, -1, -bits)])
    found = picture.take(data, exact=True).samples()
    assert np.array_equal(found[..., 0], np.array(samples) * step)
    assert np.array_equal(found[..., 1], np.where(np.array(samples) == 1, 0, 255))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_deep_picture_is_turned_upright(mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    found = picture.take(deep_png(mode, chunk(b"eXIf", exif.tobytes()[6:])), exact=True)
    assert found.size == (19, 23)
    assert np.array_equal(found.samples(), np.rot90(flat(DEEP[mode]), -1))


@pytest.mark.parametrize("mode", DEEP)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_a_tiff_of_sixteen_bits_is_kept(mode, order, compression, tile):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, flat(DEEP[mode]), byteorder=order, compression=compression, tile=tile,
        predictor=True if compression else None, photometric="rgb" if "RGB" in mode else "minisblack",
        extrasamples=["unassalpha"] if "A" in mode else None,
    )  # fmt: skip
    found = picture.take(buffer.getvalue(), exact=True)
    assert found.mode == f"{mode};16"
    assert np.array_equal(found.samples(), flat(DEEP[mode]))


def grey_and_alpha(extra: str = "unassalpha", photometric: str | int = "minisblack", **options) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, DEEP["LA"], photometric=photometric, extrasamples=[extra], **options)
    return buffer.getvalue()


def test_a_tiff_of_sixteen_bits_of_grey_and_alpha_is_turned_upright_and_keeps_its_profile():
    data = grey_and_alpha(extratags=[(274, 3, 1, 6, True)], iccprofile=icc.grey())
    found = picture.take(data, exact=True)
    assert np.array_equal(found.samples(), np.rot90(DEEP["LA"], -1))
    assert list(found.sections) == ["alpha", "low", "icc"]
    assert picture.take(data).notes == ("16 bits a sample became 8",)


@pytest.mark.parametrize("options", [{"extra": "assocalpha"}, {"extra": "unspecified"}, {"photometric": 0}])
def test_a_tiff_of_sixteen_bits_of_grey_and_something_else_is_refused(options):
    with pytest.raises(ValueError, match=r"^image: \d+ bytes is not a picture that Pillow reads$"):
        picture.take(grey_and_alpha(**options))


def test_a_tiff_of_sixteen_bits_of_grey_and_alpha_that_was_cut_is_refused():
    with pytest.raises(ValueError, match=r"^image: \d+ bytes cannot be read \(image file is truncated"):
        picture.take(grey_and_alpha(byteorder=">")[:-9])


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_that_pillow_would_misread_is_refused(exact, compression):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    buffer, planes = io.BytesIO(), np.ascontiguousarray(DEEP["RGB"].transpose(2, 0, 1))
    tifffile.imwrite(buffer, planes, planarconfig="separate", photometric="rgb", compression=compression)
    with pytest.raises(ValueError, match=r"16 bits a sample in one plane after the other"):
        picture.take(buffer.getvalue(), exact=exact)


@pytest.mark.parametrize(("bits", "notes"), [(8, ()), (16, ("16 bits a sample became 8",))])
def test_a_tiff_with_alpha_multiplied_in_is_converted_with_a_note_and_refused_by_exact_coding(bits, notes):
    tifffile = pytest.importorskip("tifffile")
    buffer, samples = io.BytesIO(), (DEEP["RGBA"] >> 16 - bits).astype(f"uint{bits}")
    tifffile.imwrite(buffer, samples, photometric="rgb", extrasamples=["assocalpha"])
    parts = picture.take(buffer.getvalue())
    assert (parts.mode, parts.notes) == ("RGBA", (*notes, "RGBa became RGBA"))
    with pytest.raises(ValueError, match=r"image: (mode RGBa|16 bits a sample); exact coding takes"):
        picture.take(buffer.getvalue(), exact=True)


def pnm(kind: bytes, maxval: int, samples: np.ndarray) -> bytes:
    height, width = samples.shape[:2]
    return b"%s\n# a comment\n%d %d\n%d\n" % (kind, width, height, maxval) + samples.tobytes()


@pytest.mark.parametrize(("kind", "mode"), [(b"P5", "L"), (b"P6", "RGB")])
def test_a_binary_ppm_of_sixteen_bits_is_kept(kind, mode):
    data = pnm(kind, 65535, DEEP[mode].astype(">u2"))
    assert np.array_equal(picture.take(data, exact=True).samples(), flat(DEEP[mode]))
    with pytest.raises(ValueError, match="bytes cannot be read"):
        picture.take(data[:-1], exact=True)


@pytest.mark.parametrize(("kind", "mode"), [(b"P5", "L"), (b"P6", "RGB")])
@pytest.mark.parametrize(("maxval", "bits"), [(15, "4"), (100, "6.66"), (254, "7.99"), (1023, "10")])
def test_a_ppm_of_another_range_is_scaled_with_a_note_and_refused_by_exact_coding(kind, mode, maxval, bits):
    samples = DEEP[mode] % (maxval + 1)
    data = pnm(kind, maxval, samples.astype(np.uint8 if maxval < 256 else ">u2"))
    parts = picture.take(data)
    assert parts.notes == (f"{bits} bits a sample became 8",)
    assert np.abs(parts.samples() - flat(samples) * (255 / maxval)).max() <= 0.51
    with pytest.raises(ValueError, match=f"^image: {bits} bits a sample; exact coding takes"):
        picture.take(data, exact=True)


def test_a_ppm_of_eight_bits_is_kept():
    samples = (DEEP["RGB"] >> 8).astype(np.uint8)
    assert np.array_equal(picture.take(pnm(b"P6", 255, samples), exact=True).samples(), samples)
    plain = b"P3 1 1 255 1 2 3\n"
    assert picture.take(plain, exact=True).samples().tolist() == [[[1, 2, 3]]]
    with pytest.raises(ValueError, match="16 bits a sample; exact"):
        picture.take(b"P3 1 1 65535 1 2 3\n", exact=True)


def test_jpeg_2000_says_how_many_bits_it_has():
    imagecodecs = pytest.importorskip("imagecodecs")
    for bits in (8, 10, 16):
        samples = (DEEP["RGB"] >> 16 - bits).astype(np.uint8 if bits == 8 else np.uint16)
        data = imagecodecs.jpeg2k_encode(samples, bitspersample=bits, level=0, reversible=True)
        if bits == 8:
            assert np.array_equal(picture.take(data, exact=True).samples(), samples)
            continue
        assert picture.take(data).notes == (f"{bits} bits a sample became 8",)
        with pytest.raises(ValueError, match=f"image: {bits} bits a sample; exact coding"):
            picture.take(data, exact=True)
    grey = imagecodecs.jpeg2k_encode(flat(DEEP["L"]), bitspersample=16, level=0, reversible=True)
    assert np.array_equal(picture.take(grey, exact=True).samples(), flat(DEEP["L"]))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_says_how_many_bits_it_has(bits):
    imagecodecs = pytest.importorskip("imagecodecs")
    if not features.check("avif"):
        pytest.skip("this Pillow does not read it")
    samples = np.ascontiguousarray(DEEP["RGB"] >> 16 - bits).astype(np.uint8 if bits == 8 else np.uint16)
    data = imagecodecs.avif_encode(samples, bitspersample=bits)
    if bits == 8:
        assert picture.take(data, exact=True).notes == ()
        return
    assert picture.take(data).notes == (f"{bits} bits a sample became 8",)
    with pytest.raises(ValueError, match=f"image: {bits} bits a sample; exact coding"):
        picture.take(data, exact=True)


def test_grey_of_twelve_bits_is_scaled_with_a_note():
    samples = np.array([[0, 4095], [1000, 8]])
    pixels = b"".join(int(row[0] << 12 | row[1]).to_bytes(3, "big") for row in samples)
    tags = {256: 2, 257: 2, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 2, 279: 6}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<I", 14) + pixels + struct.pack("<H", len(tags)) + entries + bytes(4)
    parts = picture.take(data)
    assert parts.notes == ("12 bits a sample became 8",)
    assert np.array_equal(parts.samples(), np.rint(samples * (255 / 4095)))
    with pytest.raises(ValueError, match="image: 12 bits a sample; exact coding"):
        picture.take(data, exact=True)


def test_an_image_that_pillow_will_load_as_eight_bits_is_refused_while_that_can_be_told():
    opened = Image.open(io.BytesIO(deep_png("RGB")))
    assert depth.raw_mode(opened) == "RGB;16B"
    with pytest.raises(ValueError, match="image: 16 bits a sample; exact coding takes"):
        picture.take(opened, exact=True)
    opened = Image.open(io.BytesIO(deep_png("RGB")))
    assert picture.take(opened).notes == ("16 bits a sample became 8",)


@pytest.mark.parametrize(
    "kind", ["BMP", "GIF", "JPEG", "PCX", "TGA", "TIFF", "WEBP", "ICO", "SGI", "DDS", "QOI"]
)
def test_files_of_eight_bits_say_nothing(kind):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip("this Pillow does not write it")
    buffer = io.BytesIO()
    Image.fromarray((DEEP["RGB"] >> 8).astype(np.uint8)).resize((16, 16)).save(buffer, kind)
    parts = picture.take(buffer.getvalue(), exact=True)
    assert parts.notes == ()
    assert np.array_equal(parts.samples(), picture.load(Image.open(buffer)))
