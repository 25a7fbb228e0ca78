"""Any picture in, and back out: right, or refused in one line."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from codec_lib import picture
from codec_lib.errors import BitstreamError

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (6, 8, 4), dtype=np.uint8)
EIGHT = {"L": COLOURS[..., 0], "LA": COLOURS[..., :2], "RGB": COLOURS[..., :3], "RGBA": COLOURS}
SIXTEEN = {mode: samples.astype(np.uint16) * 251 + 17 for mode, samples in EIGHT.items()}


def image(mode: str) -> Image.Image:
    """8 x 6 in any of Pillow's modes, of many colours."""
    if mode == "I":
        return Image.fromarray(SIXTEEN["L"].astype(np.int32))
    if mode.startswith("I;16"):
        order = {"I;16B": ">u2", "I;16N": "=u2"}.get(mode, "<u2")
        return Image.frombytes(mode, (8, 6), SIXTEEN["L"].astype(order).tobytes())
    if mode == "F":
        return Image.fromarray(SIXTEEN["L"].astype(np.float32))
    if mode == "LAB":
        return Image.frombytes("LAB", (8, 6), COLOURS[..., :3].tobytes())
    if mode == "PA":
        paletted = Image.fromarray(EIGHT["RGB"]).quantize(16).convert("PA")
        paletted.putalpha(Image.fromarray(COLOURS[..., 3]))
        return paletted
    if mode in ("P", "1"):
        return Image.fromarray(EIGHT["RGB"]).convert(mode)
    if mode in ("La", "LA"):
        return Image.fromarray(EIGHT["LA"]).convert(mode)
    return Image.fromarray(EIGHT["RGBA" if mode in ("RGBA", "RGBa") else "RGB"]).convert(mode)


def restored(parts: picture.Parts) -> np.ndarray:
    return np.asarray(picture.restore(parts.levels, parts.mode, parts.sections))


def samples_and_modes():
    shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
    return arrays.arrays(st.sampled_from([np.uint8, np.uint16]), shapes)


@given(samples_and_modes())
def test_what_was_taken_apart_is_restored(samples):
    parts = picture.take(samples, exact=True)
    assert parts.mode.removesuffix(";16") == ("L", "LA", "RGB", "RGBA")[samples.shape[2] - 1]
    assert parts.mode.endswith(";16") == (samples.dtype == np.uint16)
    assert parts.size == (samples.shape[1], samples.shape[0])
    assert set(parts.sections) == set(picture.required_sections(parts.mode))
    assert (parts.levels.dtype, parts.levels.shape[:2]) == (torch.uint8, (1, 3))
    flat = samples[..., 0] if samples.shape[2] == 1 else samples
    back = picture.restore(parts.levels, parts.mode, parts.sections)
    assert np.array_equal(np.asarray(back), flat)
    assert np.array_equal(parts.samples(), flat)
    assert parts.samples().dtype == samples.dtype
    assert parts.notes == ()
    assert np.array_equal(picture.take(back, exact=True).samples(), flat)  # and once more


@given(samples_and_modes())
def test_without_exact_every_picture_becomes_eight_bits_rounded(samples):
    parts = picture.take(samples)
    scale = 257 if samples.dtype == np.uint16 else 1
    expected = np.rint(samples / scale).astype(np.uint8)
    assert np.array_equal(parts.samples(), expected.squeeze(2) if samples.shape[2] == 1 else expected)
    assert parts.notes == (("16 bits a sample became 8",) if scale == 257 else ())


@pytest.mark.parametrize("mode", picture.MODES)
def test_a_mode_says_which_sections_it_needs(mode):
    expected = {"A": ("alpha",)}.get(mode.removesuffix(";16")[-1], ()) + ("low",) * (";" in mode)
    assert picture.required_sections(mode) == expected


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_colour_is_the_high_byte_and_grey_is_repeated(mode):
    parts = picture.take(SIXTEEN[mode], exact=True)
    expected = np.broadcast_to((SIXTEEN[mode] >> 8).reshape(6, 8, -1), (6, 8, 3))
    assert np.array_equal(parts.levels[0].permute(1, 2, 0), expected)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "1", "P", "PA", "RGBX"])
def test_modes_of_eight_bits_are_kept(mode):
    parts = picture.take(image(mode), exact=True)
    expected = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB"}.get(mode, mode)
    assert (parts.mode, parts.notes) == (expected, ())
    assert np.array_equal(parts.samples(), np.asarray(image(mode).convert(expected)))


@pytest.mark.parametrize("mode", ["I", "I;16", "I;16B", "I;16L", "I;16N"])
def test_grey_of_sixteen_bits_is_kept(mode):
    parts = picture.take(image(mode), exact=True)
    assert (parts.mode, parts.notes) == ("L;16", ())
    back = picture.restore(parts.levels, parts.mode, parts.sections)
    assert back.mode == "I;16"
    assert np.array_equal(np.asarray(back), SIXTEEN["L"])


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [("La", "LA"), ("RGBa", "RGBA"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB"), ("LAB", "sRGB")],
)
def test_other_modes_are_converted_with_a_note_and_refused_by_exact_coding(mode, becomes):
    parts = picture.take(image(mode))
    assert parts.notes == (f"{mode} became {becomes}",)
    assert parts.mode == becomes.removeprefix("s")
    if mode != "LAB":  # which Pillow converts only by profiles
        assert np.array_equal(parts.samples(), np.asarray(image(mode).convert(parts.mode)))
    with pytest.raises(ValueError, match=f"^image: mode {mode}; exact coding takes grey or RGB of 8 or 16"):
        picture.take(image(mode), exact=True)


def test_lab_is_converted_as_colours():
    lab = Image.frombytes("LAB", (4, 1), bytes((255, 0, 0, 0, 0, 0, 128, 0, 0, 128, 60, 0)))
    white, black, grey, reddish = picture.take(lab).samples()[0].astype(int)
    assert np.abs([white - 255, black, grey - 119]).max() <= 1  # LittleCMS rounds in between
    assert reddish[0] > 119 > reddish[1]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("value", [-1, 65536, 2**31 - 1])
def test_integers_beyond_sixteen_bits_are_refused(value, exact):
    wide = image("I")
    wide.putpixel((0, 0), value)
    with pytest.raises(ValueError, match=rf"mode I, samples from .*{value}.*; allowed is 0 to 65535"):
        picture.take(wide, exact=exact)


@pytest.mark.parametrize("exact", [False, True])
def test_a_mode_without_a_known_white_is_refused(exact):
    with pytest.raises(ValueError, match="mode F; allowed is grey or RGB"):
        picture.take(image("F"), exact=exact)


def paletted(transparency) -> Image.Image:
    found = Image.new("P", (3, 1))
    found.putdata([0, 1, 2])
    found.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    found.info["transparency"] = transparency
    return found


@pytest.mark.parametrize(("transparency", "alpha"), [(1, [255, 0, 255]), (b"\5\6", [5, 6, 255])])
def test_a_palette_keeps_its_transparency(transparency, alpha):
    found = picture.take(paletted(transparency), exact=True).samples()
    assert found.tolist() == [[[10, 20, 30, alpha[0]], [40, 50, 60, alpha[1]], [70, 80, 90, alpha[2]]]]


def test_a_palette_with_alpha_of_its_own_keeps_it():
    found = Image.new("P", (2, 1))
    found.putdata([0, 1])
    found.putpalette([1, 2, 3, 4, 5, 6, 7, 8], "RGBA")
    assert picture.take(found, exact=True).samples().tolist() == [[[1, 2, 3, 4], [5, 6, 7, 8]]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16"])
def test_a_transparent_colour_becomes_alpha(mode):
    keyed = image(mode)
    keyed.info["transparency"] = key = keyed.getpixel((2, 1))
    found = picture.take(keyed, exact=True).samples()
    assert np.array_equal(
        found[..., :-1].squeeze(), np.asarray(keyed.convert("L") if mode == "1" else keyed)
    )
    colours = np.asarray(keyed.convert("L") if mode == "1" else keyed).reshape(6, 8, -1)
    expected = np.where((colours == key).all(axis=2), 0, 65535 if mode == "I;16" else 255)
    assert np.array_equal(found[..., -1], expected)


@pytest.mark.parametrize("mode", ["RGB", "P"])
@pytest.mark.parametrize("key", [(1, 2), "red", 1.5])
def test_a_transparent_colour_that_is_none_is_left_out_with_a_note(mode, key):
    keyed = image(mode)
    keyed.info["transparency"] = key
    parts = picture.take(keyed, exact=True)
    assert parts.mode == "RGB"
    assert parts.notes == (f"transparency {key!r} is no colour of the picture; left out",)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "PA"])
@pytest.mark.parametrize(
    "entry",
    [
        {"icc_profile": b"x" * 300},
        {"transparency": b"\0\7"},
        {"gamma": 0.45},
        {"dpi": (72, 72)},
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"},
        {"srgb": 0, "Comment": "text", "xmp": b"<x/>", "XML:com.adobe.xmp": "<x/>"},
    ],
)
def test_what_pillow_would_write_beside_alpha_does_not_get_into_it(mode, entry):
    carrier = paletted(b"\0\7") if mode == "P" else image(mode)
    carrier.info |= entry
    parts = picture.take(carrier, keep=picture.OPTIONAL, exact=True)
    assert "alpha" in parts.sections
    assert np.array_equal(restored(parts), np.asarray(carrier.convert(parts.mode)))


@pytest.mark.parametrize("mode", ["L;16", "LA;16", "RGB;16", "RGBA;16"])
def test_without_its_low_bytes_a_picture_of_sixteen_bits_is_a_preview_of_eight(mode):
    samples = SIXTEEN[mode.removesuffix(";16")]
    parts = picture.take(samples, exact=True)
    del parts.sections["low"]
    preview = picture.restore(parts.levels, mode, parts.sections)
    assert preview.mode == mode.removesuffix(";16")
    assert np.array_equal(np.asarray(preview), samples >> 8)


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("L", ["alpha"]), ("L", ["low"]), ("RGBA", []), ("RGBA", ["low"]), ("RGBA;16", ["low"]),
        ("RGB", ["r"]), ("RGB;16", ["alpha", "low"]), ("LA", ["alpha", "low"]),
    ],
)  # fmt: skip
def test_sections_of_another_mode_are_refused(mode, names):
    parts = picture.take(EIGHT["RGB"])
    with pytest.raises(BitstreamError, match=rf"^sections: \[.*\]; {mode} has \["):
        picture.restore(parts.levels, mode, dict.fromkeys(names, b""))


@pytest.mark.parametrize("mode", ["", "CMYK", "RGB;8", "A;16", ";16"])
def test_a_mode_of_nothing_is_refused(mode):
    with pytest.raises(BitstreamError, match=r"mode: .*; allowed are L, RGB, LA, RGBA, L;16"):
        picture.restore(picture.take(EIGHT["RGB"]).levels, mode, {})


def test_planes_of_another_size_are_refused():
    small, large = picture.take(SIXTEEN["RGBA"][:3], exact=True), picture.take(SIXTEEN["RGBA"], exact=True)
    for name in ("alpha", "low"):
        sections = {**large.sections, name: small.sections[name]}
        with pytest.raises(BitstreamError, match=f"section {name}: no PNG of"):
            picture.restore(large.levels, large.mode, sections)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_load_gives_what_take_takes(mode):
    for source in (image(mode), EIGHT[mode], SIXTEEN[mode]):
        loaded = picture.load(source)
        assert loaded.mode == mode
        assert np.array_equal(np.asarray(loaded), picture.take(source).samples())


def test_the_applications_defaults_of_torch_change_nothing():
    expected = picture.take(SIXTEEN["RGBA"], exact=True)
    floats = torch.rand(3, 6, 8)
    rounded = picture.take(floats).samples()
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        found = picture.take(SIXTEEN["RGBA"], exact=True)
        assert found.levels.device.type == "cpu"
        assert np.array_equal(found.samples(), SIXTEEN["RGBA"])
        assert found.sections == expected.sections
        assert np.array_equal(picture.take(floats).samples(), rounded)
        assert picture.to_tensor(image("RGB")).dtype == torch.float32
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)


def test_a_saved_picture_carries_its_profile_on():
    buffer = io.BytesIO()
    picture.restore(picture.take(EIGHT["RGB"]).levels, "RGB", {"icc": b"\0"}).save(buffer, "PNG")
    assert Image.open(buffer).info["icc_profile"]
