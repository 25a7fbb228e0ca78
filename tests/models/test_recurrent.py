"""The recurrent codec: every iteration is a stage, bits come back, training reaches all of it."""

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import data, weights
from codec_lib.layers.recurrent import CELLS
from codec_lib.models.base import pad, samples
from codec_lib.models.iterative import SCHEMES, STRIDE, Unfolding
from codec_lib.models.recurrent import MISSING, Recurrent
from codec_lib.training import iterations
from codec_lib.training.settings import Settings
from tests.models.pictures import picture

SETTINGS = Settings("recurrent", [], "")


@pytest.fixture(
    scope="module",
    params=[(s, c) for s in range(len(SCHEMES)) for c in range(len(CELLS)) if s == c or not s],
)
def model(request):
    """An untrained model of some scheme and cell."""
    torch.manual_seed(0)
    scheme, cell = request.param
    return Recurrent(N=4, M=32, K=8, scheme=scheme, cell=cell).eval().requires_grad_(False).freeze()


@torch.no_grad()
def test_what_is_decoded_is_what_the_forward_pass_shows(model):
    x = picture(37, 53)
    sections = model.compress(x, 5)
    pictures, bits = model(pad(samples(x), STRIDE), 5)
    assert list(sections) == [name for (name,) in model.stages(5)]
    assert torch.equal(torch.stack(list(model.read(sections, 5, 37, 53).values())), bits[0].to(torch.int8))
    for count in range(1, 6):
        decoded = model.decompress(dict(list(sections.items())[:count]), 5, 37, 53)
        shown = (255 * pictures[count - 1].clamp(0, 1)).round()[..., :37, :53]
        assert (decoded.float() - shown).abs().max() <= 1


def test_fewer_iterations_are_the_first_of_more(model):
    few, many = model.compress(picture(37, 53), 3), model.compress(picture(37, 53), 6)
    assert few == dict(list(many.items())[:3])


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 64)])
def test_any_size(model, size):
    x = picture(*size)
    assert model.decompress(model.compress(x, 2), 2, *size).shape == x.shape


@torch.no_grad()
def test_pixels_do_not_decide_which_bits_are_read(model):
    sections = model.compress(picture(37, 53), 3)
    before = model.read(sections, 3, 37, 53)
    kept = model.decoder.last.weight.clone()
    model.decoder.last.weight.mul_(1.5)
    try:
        after = model.read(sections, 3, 37, 53)
    finally:
        model.decoder.last.weight.copy_(kept)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("cell", range(len(CELLS)))
def test_training_reaches_every_parameter_of_both_networks(cell, monkeypatch):
    monkeypatch.setattr(iterations, "LENGTHS", (16,))
    model = Recurrent(N=4, M=32, K=8, scheme=2, cell=cell)
    (player,) = model.objective(SETTINGS).players()
    model.train()
    loss, _ = player.loss(model, samples(picture(32, 32)))
    loss.backward()
    without = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert without == {"prior"}


def test_the_prior_alone_is_trained_on_bits_as_they_are_coded():
    model = Recurrent(N=4, M=32, K=8)
    model.requires_grad_(False)
    model.prior.requires_grad_(True)
    objective = model.objective(SETTINGS)
    objective.train()
    (player,) = objective.players()
    loss, note = player.loss(model, samples(picture(32, 32)))
    assert 0.5 < loss.item() < 2
    assert "share" in note
    loss.backward()
    assert all(p.grad is not None for p in model.prior.parameters())


def test_a_one_shot_decoder_forgets_x_hat_and_an_additive_one_adds_to_it():
    x, bits = torch.zeros(1, 3, 16, 16), torch.ones(1, 32, 1, 1)
    for scheme, kept in ((0, True), (1, False)):
        model = Recurrent(N=4, M=32, K=8, scheme=scheme).eval()
        with torch.no_grad():
            unfolding = Unfolding(model, x)
            unfolding.x_hat += 0.25
            added = unfolding.add(bits) - Unfolding(model, x).add(bits)
        torch.testing.assert_close(added, torch.full_like(x, 0.25 * kept))


def test_its_files_can_be_cut_anywhere(tmp_path, monkeypatch):
    torch.manual_seed(0)
    weights.save(Recurrent(N=4, M=32, K=8), "recurrent", tmp_path / "mine.safetensors", {})
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    photo = data.sample("astronaut").crop((100, 0, 180, 60))
    file = cl.encode(photo, "mine", iterations=6)
    for k in range(1, 6):
        shorter = cl.truncate(file, target_bytes=len(cl.truncate(file, stages=k)) + 3)
        assert np.array_equal(cl.decode(shorter, stages=k), cl.decode(file, stages=k))
    with pytest.raises(cl.BitstreamError, match=r"section bits 6: .*\(5 of 6 stages are intact\)"):
        cl.decode(file[:-4])


@torch.no_grad()
@pytest.mark.parametrize("cell", range(len(CELLS)))
def test_training_begins_with_a_code_of_which_every_iteration_sends_more(cell):
    torch.manual_seed(0)
    x = samples(data_levels())
    model = Recurrent(cell=cell).eval()
    model.objective(SETTINGS).start(x)
    pictures, bits = model(x, 16)
    psnr = [-10 * (x_hat - x).square().mean().log10().item() for x_hat in pictures]
    assert psnr == sorted(psnr)
    assert psnr[-1] > 24
    assert bits.abs().min() == 1


def test_training_may_go_on_with_another_scheme():
    torch.manual_seed(0)
    x = samples(data_levels())
    stepped, scaled = Recurrent(N=4, M=32, K=8, scheme=3).eval(), Recurrent(N=4, M=32, K=8, scheme=2).eval()
    stepped.start(x)
    scaled.start_from(stepped)
    with torch.no_grad():
        assert torch.equal(scaled(x, 3)[0][-1], stepped(x, 3)[0][-1])
    with pytest.raises(RuntimeError, match=r"gain\.layers"):
        stepped.start_from(scaled)


@torch.no_grad()
def test_the_start_measures_by_how_much_to_enlarge_what_is_missing():
    torch.manual_seed(0)
    x = samples(data_levels())
    model = Recurrent().eval()
    model.start(x)
    unfolding = Unfolding(model, x)
    for _ in range(15):
        unfolding.add(unfolding.send(x))
        assert unfolding.missing(x).square().mean().sqrt().item() == pytest.approx(MISSING, rel=1e-3)


def data_levels():
    photo = np.asarray(data.sample("astronaut").crop((100, 0, 228, 128)))
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None]
