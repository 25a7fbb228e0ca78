"""Alpha and low bytes as grey PNGs, and nothing else in them."""

import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from codec_lib.errors import BitstreamError
from codec_lib.picture import planes
from tests.png_chunks import chunk

PLANE = np.arange(15, dtype=np.uint8).reshape(3, 5)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_a_plane_reads_back(plane):
    data = planes.pack("alpha", plane)
    assert np.array_equal(planes.unpack("alpha", data, plane.shape[1], plane.shape[0]), plane)


@given(
    arrays.arrays(np.uint16, arrays.array_shapes(min_dims=3, max_dims=3, max_side=8)),
    st.integers(0, 255),
)
def test_sixteen_bits_are_a_high_byte_and_a_low_plane(samples, tau):
    high, low = (samples >> 8).astype(np.uint8), planes.low_plane(samples)
    assert np.array_equal(planes.with_low(high, low), samples)
    for wrong in (np.minimum(high.astype(int) + tau, 255), np.maximum(high.astype(int) - tau, 0)):
        found = planes.with_low(wrong.astype(np.uint8), low)
        assert np.abs(found.astype(int) - samples).max() <= 257 * tau


def test_eight_bits_scaled_to_sixteen_leave_a_low_plane_of_zeros():
    samples = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint16) * 257
    assert not planes.low_plane(samples).any()
    assert len(planes.pack("low", planes.low_plane(samples))) < 200


def test_a_plane_that_does_not_read_back_is_never_written(monkeypatch):
    monkeypatch.setattr(planes, "unpack", lambda name, data, width, height: PLANE + 1)
    with pytest.raises(RuntimeError, match="section low: 5 x 3 samples do not read back"):
        planes.pack("low", PLANE)


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"acTL", b"PLTE", b"IHDR", b"fdAT", b"tRNS", b"gAMA"])
def test_only_what_pack_writes_is_read(kind):
    data = planes.pack("low", PLANE)
    more = data[:33] + chunk(kind, b"name\0\0" + zlib.compress(bytes(10**6))) + data[33:]
    with pytest.raises(BitstreamError, match=r"^section low: chunks .* allowed is IHDR IDAT IEND"):
        planes.unpack("low", more, 5, 3)


@pytest.mark.parametrize(("width", "height"), [(3, 5), (5, 4), (1 << 16, 1 << 16)])
def test_a_plane_of_another_size_is_refused(width, height):
    with pytest.raises(BitstreamError, match=f"section alpha: no PNG of {width} x {height}"):
        planes.unpack("alpha", planes.pack("alpha", PLANE), width, height)


def test_every_cut_and_every_flipped_byte_is_refused_or_harmless():
    data = planes.pack("alpha", PLANE)
    for end in range(len(data)):
        with pytest.raises(BitstreamError, match=r"^section alpha: "):
            planes.unpack("alpha", data[:end], 5, 3)
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 0x55
        with suppress(BitstreamError):
            assert np.array_equal(planes.unpack("alpha", bytes(broken), 5, 3), PLANE), place


@pytest.mark.parametrize(
    "stream", [zlib.compress(bytes(19)), zlib.compress(bytes(18)) + b"more", zlib.compress(bytes(10**7))]
)
def test_pixels_beyond_the_picture_are_refused(stream):
    data = planes.pack("low", PLANE)
    more = data[:33] + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
    with pytest.raises(BitstreamError, match=r"^section low: pixels of another length than 5 x 3"):
        planes.unpack("low", more, 5, 3)
