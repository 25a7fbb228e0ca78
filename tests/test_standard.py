"""Standard codecs as parts: their files are files, and no other bytes are taken for one."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from codec_lib import data, standard
from codec_lib.errors import BitstreamError
from codec_lib.layers import jpeg_proxy
from codec_lib.measure import metrics
from codec_lib.picture import metadata

QUALITY = {"jpeg": 80, "webp": 80, "jpeg2k": 36}


@pytest.fixture(scope="module")
def photo():
    return np.asarray(data.sample("astronaut"))[40:201, 150:325].copy()  # 161 x 175


@pytest.mark.parametrize("name", standard.STANDARD)
@pytest.mark.parametrize("shape", [(161, 175, 3), (161, 175), (1, 1, 3), (1, 1), (3, 17, 3)])
def test_what_is_written_is_read_again(photo, name, shape):
    levels = photo[: shape[0], : shape[1]] if len(shape) == 3 else photo[: shape[0], : shape[1], 1].copy()
    if levels.ndim == 2 and not standard.STANDARD[name].has_grey:
        levels = np.repeat(levels[:, :, None], 3, 2)
    file = standard.encode(name, levels.copy(), QUALITY[name])
    with Image.open(io.BytesIO(file)) as image:
        assert image.format == standard.STANDARD[name].format
        assert image.size == (shape[1], shape[0])
    seen = standard.decode(name, file, shape[1], shape[0])
    expected = levels if levels.ndim == 3 else np.repeat(levels[:, :, None], 3, 2)
    assert metrics.psnr(expected, seen) > 28


@pytest.mark.parametrize("name", standard.STANDARD)
def test_better_qualities_are_longer_and_closer(photo, name):
    low = {"jpeg": 20, "webp": 20, "jpeg2k": 28}[name]
    files = [standard.encode(name, photo, q) for q in (low, QUALITY[name])]
    assert len(files[0]) < len(files[1])
    psnrs = [metrics.psnr(photo, standard.decode(name, f, 175, 161)) for f in files]
    assert psnrs[0] < psnrs[1]


@pytest.mark.parametrize("name", standard.STANDARD)
def test_other_bytes_are_refused_in_one_line(photo, name):
    file = standard.encode(name, photo, QUALITY[name])
    other = standard.encode("webp" if name != "webp" else "jpeg", photo, 50)
    cmyk = io.BytesIO()
    Image.new("CMYK", (175, 161)).save(cmyk, "JPEG")
    for bad in (b"", b"\0", file[:1], file[:20], file[: len(file) // 2], other, file[1:], cmyk.getvalue()):
        with pytest.raises(BitstreamError) as caught:
            standard.decode(name, bad, 175, 161)
        assert "\n" not in str(caught.value)
        assert " at 0x" not in str(caught.value)
    for size in ((174, 161), (161, 175), (65536, 65536)):
        with pytest.raises(BitstreamError, match=r"175 x 161, RGB; expected"):
            standard.decode(name, file, *size)


def test_a_side_that_a_format_cannot_have_is_refused():
    with pytest.raises(ValueError, match="WebP: a side of 16384, up to 16383"):
        standard.encode("webp", np.zeros((16384, 1, 3), np.uint8), 50)
    with pytest.raises(ValueError, match="JPEG: a side of 65536"):
        standard.encode("jpeg", np.zeros((1, 65536, 3), np.uint8), 50)


@pytest.mark.parametrize("length", [None, 70_000, 140_000])
def test_a_profile_goes_into_a_jpeg_and_samples_stay(photo, length):
    profile = metadata.srgb() if length is None else np.random.default_rng(0).bytes(length)
    file = standard.encode("jpeg", photo, 70)
    with_profile = standard.with_profile(file, profile)
    with Image.open(io.BytesIO(with_profile)) as image:
        assert image.info["icc_profile"] == profile
    a, b = (standard.decode("jpeg", f, 175, 161) for f in (file, with_profile))
    assert np.array_equal(a, b)
    with pytest.raises(BitstreamError, match="expected ffd8"):
        standard.with_profile(file[1:], profile)


@pytest.mark.parametrize("quality", [5, 30, 90])
def test_the_proxy_shows_what_jpeg_does(photo, quality):
    x = torch.from_numpy(photo).movedim(-1, 0)[None].float() / 255
    real = standard.decode("jpeg", standard.encode("jpeg", photo, quality), 175, 161)
    shown = jpeg_proxy.jpeg(x, torch.tensor([float(quality)]))
    likeness = metrics.psnr(real, (255 * shown[0].movedim(0, -1)).round().byte().numpy())
    assert likeness > metrics.psnr(real, photo) + 5


def test_the_proxy_has_the_gradient_of_its_colours(photo):
    x = torch.from_numpy(photo[:32, :32]).movedim(-1, 0)[None].float() / 255 * 0.5 + 0.25
    x.requires_grad_()
    grey = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    (jpeg_proxy.jpeg(x, torch.tensor([50.0])) * grey).sum().backward()
    assert torch.allclose(x.grad, grey.expand_as(x), atol=1e-4)  # brightness passes as it is
    x.grad = None
    (
        jpeg_proxy.jpeg(x, torch.tensor([50.0]))[:, 2, 8:24, 8:24] * torch.tensor([1.0, -1.0]).repeat(8)
    ).sum().backward()
    assert x.grad[:, 2].abs().max() < 0.6  # stripes of blue pass as brightness only, and that is little


def test_the_bits_of_the_proxy_go_with_those_of_files():
    sharp = data.sample("astronaut").crop((130, 20, 322, 212))
    sizes, about = [], []
    for blur in (0, 0.7, 1.4, 3):
        image = np.asarray(sharp.filter(ImageFilter.GaussianBlur(blur)))
        x = torch.from_numpy(image.copy()).movedim(-1, 0)[None] / 255
        for quality in (8, 20, 60):
            sizes.append(len(standard.encode("jpeg", image, quality)))
            about.append(jpeg_proxy.bits(x, torch.tensor([quality])).item())
    assert np.corrcoef(np.log(sizes), np.log(about))[0, 1] > 0.99


def test_reading_in_threads_leaves_the_filters_of_warnings_alone(photo):
    file = standard.encode("jpeg", photo, 80)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: standard.decode("jpeg", file, 175, 161), range(200)))
    assert warnings.filters == before
