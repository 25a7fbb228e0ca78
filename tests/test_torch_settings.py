"""Whatever an application has set, wherever it calls from: the same bytes, and nothing changed behind
it."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

import codec_lib as cl
from codec_lib import data, torch_settings, weights
from codec_lib.measure.bit_map import bit_map

PHOTO = data.sample("astronaut").crop((150, 20, 246, 100))
MODELS = {
    "flagship": {},
    "hyperprior": {"quality": 2},
    "near-lossless": {"tau": 1},
    "recurrent": {"iterations": 2},
    "pyramid": {},
}
EXPECTED = {name: cl.encode(PHOTO, name, **setting) for name, setting in MODELS.items()}
models = pytest.mark.parametrize("name", MODELS)


def switches() -> dict:
    """How everything stands that coding may need to change."""
    backends = torch.backends
    named = {
        "cudnn.enabled": backends.cudnn.enabled,
        "cudnn.benchmark": backends.cudnn.benchmark,
        "cudnn.deterministic": backends.cudnn.deterministic,
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "pixels": Image.MAX_IMAGE_PIXELS,
        "threads": torch.get_num_threads(),
    }
    if not hasattr(backends.cudnn, "conv"):
        named["matmul"] = torch.get_float32_matmul_precision()
    else:
        for name in ("cudnn.conv", "cudnn.rnn", "cuda.matmul", "mkldnn.conv", "mkldnn.matmul"):
            place = backends
            for part in name.split("."):
                place = getattr(place, part)
            named[name] = place.fp32_precision
    return named


def assert_same(name: str) -> None:
    """Files and pictures are those of an untouched process, and so are all switches afterwards."""
    before = switches()
    weights._load.cache_clear()  # models are built under these settings, too
    file = cl.encode(PHOTO, name, **MODELS[name])
    assert file == EXPECTED[name]
    assert np.array_equal(cl.decode(file), cl.decode(EXPECTED[name]))
    assert switches() == before


@models
def test_coding_changes_no_switch(name):
    assert_same(name)


@models
def test_another_default_dtype(name):
    torch.set_default_dtype(torch.float64)
    try:
        assert_same(name)
    finally:
        torch.set_default_dtype(torch.float32)
        weights._load.cache_clear()


def test_effort_under_another_default_dtype():
    settings = {"quality": 2, "effort": 1}
    expected = cl.encode(PHOTO, "hyperprior", **settings)
    torch.set_default_dtype(torch.float64)
    try:
        assert cl.encode(PHOTO, "hyperprior", **settings) == expected
    finally:
        torch.set_default_dtype(torch.float32)


@models
def test_autocast(name):
    with torch.autocast("cpu", torch.bfloat16):
        assert_same(name)


@models
def test_a_default_device_without_memory(name):
    torch.set_default_device("meta")
    try:
        assert_same(name)
    finally:
        torch.set_default_device(None)


def test_what_is_read_of_a_file_under_a_default_device_without_memory():
    file, inside = EXPECTED["flagship"], cl.encode(PHOTO, "around-jpeg", quality=2)
    bits, extracted = bit_map(file), cl.extract(inside)
    torch.set_default_device("meta")
    try:
        weights._load.cache_clear()
        assert np.array_equal(bit_map(file), bits)
        assert cl.extract(inside) == extracted
    finally:
        torch.set_default_device(None)


@models
def test_low_precision_of_products(name):
    torch.set_float32_matmul_precision("medium")
    try:
        assert_same(name)
    finally:
        torch.set_float32_matmul_precision("highest")


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="needs PyTorch 2.9")
@models
def test_the_newer_switches_of_precision(name):
    places = torch.backends.mkldnn.conv, torch.backends.mkldnn.matmul, torch.backends.cudnn.conv
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee" if place is torch.backends.cudnn.conv else "bf16"
        assert_same(name)
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


@models
def test_pillow_with_a_low_limit(name, monkeypatch, tmp_path):
    PHOTO.save(tmp_path / "photo.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert cl.encode(tmp_path / "photo.png", name, **MODELS[name]) == EXPECTED[name]
    assert Image.MAX_IMAGE_PIXELS == 100


def test_a_pool_of_threads_leaves_every_switch_as_it_was():
    torch.set_float32_matmul_precision("medium")
    try:
        before = switches()
        with ThreadPoolExecutor(6) as pool:
            files = list(pool.map(lambda _: cl.encode(PHOTO), range(24)))
        assert set(files) == {EXPECTED["flagship"]}
        assert switches() == before
    finally:
        torch.set_float32_matmul_precision("highest")


def code_and_fail(switch, seen: list) -> None:
    with torch_settings.reproducible("cpu"):
        with torch_settings.reproducible("cpu"):
            pass
        seen.append(switch and switch.fp32_precision)
        raise KeyError


def test_switches_are_put_back_by_the_last_one_and_after_an_error():
    switch = torch.backends.mkldnn.matmul if hasattr(torch.backends.cudnn, "conv") else None
    torch.set_float32_matmul_precision("medium")
    stood = switch.fp32_precision if switch else None
    try:
        seen = []
        with pytest.raises(KeyError):
            code_and_fail(switch, seen)
        if switch:
            assert seen == ["ieee"]  # the outer one still relies on it
            assert switch.fp32_precision == stood
    finally:
        torch.set_float32_matmul_precision("highest")


def test_memory_that_pytorch_lacks_is_a_memory_error():
    with pytest.raises(MemoryError, match="out of memory"), torch_settings.reproducible("cpu"):
        torch.empty(1 << 50)
    with pytest.raises(MemoryError), torch_settings.reproducible("cpu"):
        raise RuntimeError("could not create a primitive")  # oneDNN's words
    with pytest.raises(RuntimeError, match="descriptor"), torch_settings.reproducible("cpu"):
        raise RuntimeError("could not create a primitive descriptor for a matmul")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_of_a_process_that_has_coded_go_on():
    code = (
        "import multiprocessing as mp, sys\n"
        "import numpy as np, torch\n"
        "import codec_lib as cl\n"
        "torch.set_num_threads(2)\n"
        "picture = np.random.default_rng(0).integers(0, 256, (256, 384, 3), dtype=np.uint8)\n"
        "first = cl.encode(picture, 'flagship')\n"
        # An encoder's floats may round otherwise in one thread: its own file has to decode, and the first.
        "def work(_): return {cl.decode(file).size for file in (cl.encode(picture, 'flagship'), first)}\n"
        "with mp.get_context('fork').Pool(2) as pool: print(pool.map(work, range(4)))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == str([{(384, 256)}] * 4), result.stderr


def test_children_that_are_spawned_go_on():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(cl.encode, (PHOTO,)) == EXPECTED["flagship"]
