"""Priming fills the memory without bits; tiles that are good enough stop, and the file says where."""

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import weights
from codec_lib.models.base import pad, samples
from codec_lib.models.iterative import STRIDE, Unfolding, tile_errors
from codec_lib.models.primed import Primed
from codec_lib.training import iterations
from codec_lib.training.settings import Settings

SETTINGS = Settings("primed", [], "")


def started(**widths):
    """A model where training begins."""
    torch.manual_seed(0)
    model = Primed(N=4, M=32, K=8, **widths)
    model.start(pad(samples(picture()), STRIDE))
    return model


def untrained(**widths):
    return started(**widths).eval().requires_grad_(False).freeze()


@pytest.fixture(scope="module")
def model():
    return untrained(k=1)


def picture(height=70, width=90):
    """Noise on the right, one grey on the left, uint8."""
    generator = torch.Generator().manual_seed(height * width)
    x = torch.randint(0, 256, (1, 3, height, width), generator=generator, dtype=torch.uint8)
    x[..., : width // 2] = 128
    return x


@torch.no_grad()
@pytest.mark.parametrize(("diffusion", "runs"), [(0, [4, 1, 1]), (1, [4, 4, 4])])
def test_both_networks_run_k_times_more_before_they_count(diffusion, runs):
    model, counted = untrained(k=3, diffusion=diffusion), {"encoder": 0, "decoder": 0}
    for part in counted:
        count = lambda *_, part=part: counted.__setitem__(part, counted[part] + 1)  # noqa: E731
        getattr(model, part).register_forward_hook(count)
    x, totals = pad(samples(picture()), STRIDE), []
    unfolding = Unfolding(model, x)
    for _ in runs:
        unfolding.add(unfolding.send(x))
        totals.append(dict(counted))
    sums = np.cumsum(runs).tolist()
    assert totals == [{"encoder": n, "decoder": n} for n in sums]


@torch.no_grad()
def test_without_priming_the_first_bits_are_others(model):
    x = pad(samples(picture()), STRIDE)
    primed, plain = (m(x, 1)[1] for m in (model, untrained(k=0)))
    assert (primed != plain).any()


@pytest.mark.parametrize("effort", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (70, 90)])
def test_what_is_decoded_is_what_the_forward_pass_shows(model, effort, size):
    x = picture(*size)
    sections = model.compress(x, 4, effort)
    assert list(sections) == [name for group in model.stages(4) for name in group]
    padded = pad(samples(x), STRIDE)
    with torch.no_grad():
        pictures, _ = model(padded, 4)
        enough = tile_errors(padded, pictures[-1]).mean()[None] if effort else None
        pictures, bits = model(padded, 4, enough)
    found = model.read(sections, 4, *size)
    assert torch.equal(torch.stack([found[f"bits {t}"] for t in range(1, 5)]), bits[0].to(torch.int8))
    for count in range(1, 5):
        decoded = model.decompress(dict(list(sections.items())[: 1 + count]), 4, *size)
        shown = (255 * pictures[count - 1].clamp(0, 1)).round()[..., : size[0], : size[1]]
        assert (decoded.float() - shown).abs().max() <= 1


def test_with_effort_flat_tiles_stop_early_and_the_file_is_shorter(model):
    x = picture()
    whole, adaptive = (model.compress(x, 4, effort) for effort in (0, 1))
    assert whole["map"] == b""
    assert sum(map(len, adaptive.values())) < sum(map(len, whole.values()))
    counts = model.read(adaptive, 4, 70, 90)["map"]
    assert counts.min() >= 1
    assert counts[:, :2].float().mean() < counts[:, 4:].float().mean()


@torch.no_grad()
def test_no_tile_stops_before_it_is_as_good_as_the_picture_would_be(model):
    x = pad(samples(picture()), STRIDE)
    enough = tile_errors(x, model(x, 4)[0][-1]).mean()
    pictures, bits = model(x, 4, enough[None])
    counts = bits[0].ne(0).any(1).sum(0)
    for t in range(1, 4):
        stopped = counts == t
        assert (tile_errors(x, pictures[t - 1])[0, 0][stopped] <= enough).all()


@pytest.mark.parametrize("effort", [0, 1])
def test_a_large_picture_is_coded_window_by_window(model, effort, monkeypatch):
    """With windows of three tiles nothing is left out, and nearly all bits are the same."""
    x = picture(100, 130)
    whole = model.read(model.compress(x, 3, effort), 3, 100, 130)
    monkeypatch.setattr("codec_lib.models.iterative.WINDOW_TILES", 3)
    sections = model.compress(x, 3, effort)
    parts = model.read(sections, 3, 100, 130)
    same = (parts["bits 1"] == whole["bits 1"]).float().mean()
    assert same > 0.9
    decoded = model.decompress(sections, 3, 100, 130)
    monkeypatch.undo()
    at_once = model.decompress(sections, 3, 100, 130)
    assert decoded.shape == at_once.shape == x.shape
    assert (decoded.float() - at_once.float()).abs().mean() < 2


def test_training_stops_tiles_too_and_reaches_every_parameter(monkeypatch):
    monkeypatch.setattr(iterations, "LENGTHS", (16,))
    model = Primed(N=4, M=32, K=8, k=1)
    objective = model.objective(SETTINGS)
    (player,) = objective.players()
    objective.train()
    loss, _ = player.loss(model, samples(picture(64, 64)))
    loss.backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is None} == {"prior"}
    enough = objective.enough(torch.zeros(1000, 3, 1, 1))
    assert 0.4 < (enough == 0).float().mean() < 0.6
    assert enough.max() < 10**-2.4


def test_its_files_can_be_cut_anywhere(tmp_path, monkeypatch):
    weights.save(started(k=1), "primed", tmp_path / "mine.safetensors", {})
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    photo = picture()[0].permute(1, 2, 0).numpy()
    for effort in (0, 1):
        file = cl.encode(photo, "mine", iterations=5, effort=effort)
        for k in range(1, 5):
            shorter = cl.truncate(file, stages=k)
            assert len(shorter) < len(file)
            assert np.array_equal(cl.decode(shorter, stages=k), cl.decode(file, stages=k))
        with pytest.raises(cl.BitstreamError, match=r"4 of 5 stages are intact"):
            cl.decode(file[:-4])
