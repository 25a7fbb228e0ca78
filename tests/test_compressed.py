"""Training on compressed pictures: the samples are those of the files, in workers too, crops included."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import codec_lib as cl
from codec_lib import data, weights
from codec_lib.compressed import colour
from codec_lib.data import Compressed
from codec_lib.errors import PictureWarning

SIZES = {"a": (150, 97), "deep/b": (64, 64), "c": (40, 90)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compressed")
    photo = data.sample("astronaut")
    for name, (width, height) in SIZES.items():
        path = folder / f"{name}.clc"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cl.encode(photo.crop((180, 60, 180 + width, 60 + height))))
    (folder / "broken.clc").write_bytes(b"CLC")
    return folder


def test_files_that_cannot_be_read_are_left_out_and_told_of(folder):
    with pytest.warns(PictureWarning, match=r"1 files cannot be read and are left out, .*broken\.clc"):
        assert len(Compressed(folder)) == len(SIZES)


@pytest.mark.parametrize("where", ["builtins.open", "pathlib.Path.is_file"])
def test_a_file_that_may_not_be_read_is_left_out_and_told_of(folder, monkeypatch, where):
    allowed = {"builtins.open": open, "pathlib.Path.is_file": Path.is_file}[where]

    def unless_closed(path, *rest):
        if Path(path).name in ("broken.clc", "b.clc"):
            raise PermissionError(13, "Permission denied", path)
        return allowed(path, *rest)

    monkeypatch.setattr(where, unless_closed)
    with pytest.warns(
        PictureWarning, match=r"files cannot be read and are left out, the first is .*broken\.clc"
    ):
        pictures = Compressed(folder)
    assert (folder / "a.clc") in pictures.paths


@pytest.mark.parametrize("crop", ["16", 16.5, True, float("nan"), float("inf"), 0])
def test_a_crop_without_whole_pixels_is_refused(folder, crop):
    with pytest.raises(ValueError, match=r"^crop: .*; allowed is any whole side from 1 pixel up$"):
        Compressed(folder, crop=crop)


@pytest.mark.parametrize("crop", [1, 16.0])
def test_a_crop_of_any_size_can_be_written_on(folder, crop):
    pictures = Compressed(folder, crop=crop)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PyTorch's, of memory that is not to be written
        x = pictures[0]
    assert x.shape == (3, crop, crop)
    x += 1


def decoded(path):
    return colour(np.asarray(cl.decode(path.read_bytes())))


def test_items_are_what_decode_gives(folder):
    pictures = Compressed(folder)
    assert [path.name for path in pictures.paths] == ["a.clc", "c.clc", "b.clc"]
    for k, path in enumerate(pictures.paths):
        assert torch.equal(pictures[k], decoded(path))


def test_crops_lie_in_the_picture_wherever_chance_puts_them(folder):
    pictures = Compressed(folder, crop=48)
    assert len(pictures) == 2  # "c" is too narrow
    torch.manual_seed(0)
    whole = decoded(pictures.paths[0]).int()
    places = whole.unfold(1, 48, 1).unfold(2, 48, 1)  # (3, 50, 103, 48, 48)
    found = set()
    for _ in range(4):
        errors = (places - pictures[0].int()[:, None, None]).abs().amax((0, 3, 4))
        assert errors.min() <= 1
        found.add(int(errors.argmin()))
    assert len(found) > 1


def test_workers_draw_different_crops(folder):
    twice = torch.utils.data.ConcatDataset([Compressed(folder, crop=32)] * 2)
    loader = DataLoader(twice, batch_size=3, num_workers=2)  # a batch of all three for each worker
    torch.manual_seed(1)
    first, second = loader
    assert first.shape == second.shape == (3, 3, 32, 32)
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_transform_is_applied(folder):
    assert Compressed(folder, crop=16, transform=lambda x: x.float().mean())[0].shape == ()


@pytest.mark.parametrize(
    ("crop", "message"), [(0, "crop: 0"), (4000, r"no \.clc files with sides of 4000 pixels")]
)
def test_crops_that_no_picture_has_are_refused(folder, crop, message):
    with pytest.raises(ValueError, match=message):
        Compressed(folder, crop=crop)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \.clc files in"):
        Compressed(tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_window_is_a_part_of_the_whole(mode):
    image = data.sample("astronaut").crop((100, 0, 333, 211)).convert(mode)
    file = cl.encode(image)
    whole = np.asarray(cl.decode(file)).astype(int)
    for window in [(0, 0, 233, 211), (17, 33, 18, 34), (100, 90, 233, 211), (0, 200, 40, 211)]:
        left, top, right, bottom = window
        part = cl.decode(file, window=window)
        assert (part.mode, part.size) == (mode, (right - left, bottom - top))
        assert np.abs(np.asarray(part) - whole[top:bottom, left:right]).max() <= 1


@pytest.mark.parametrize("name", weights.available())
def test_every_model_shows_a_part(name):
    if name == "fitted":
        pytest.skip("its own test would fit; it decodes a part as the whole")
    image = data.sample("astronaut").crop((150, 0, 278, 112))
    file = cl.encode(image, name)
    part, whole = cl.decode(file, window=(61, 35, 97, 112)), cl.decode(file)
    expected = np.asarray(whole).astype(int)[35:112, 61:97]
    assert np.abs(np.asarray(part) - expected).max() <= 1


def test_sixteen_bits_have_windows_too():
    samples = np.random.default_rng(0).integers(0, 2**16, (40, 50, 3), dtype=np.uint16)
    file = cl.encode(samples, "near-lossless")
    assert np.array_equal(cl.decode(file, window=(5, 7, 30, 40)), samples[7:40, 5:30])


@pytest.mark.parametrize(
    "window", [(0, 0, 0, 5), (-1, 0, 5, 5), (0, 0, 17, 5), (3, 3, 2, 4), (0, 0, 5), "four"]
)
def test_windows_that_are_not_within_are_refused(window):
    file = cl.encode(Image.new("RGB", (16, 16)))
    with pytest.raises(ValueError, match="window: "):
        cl.decode(file, window=window)
