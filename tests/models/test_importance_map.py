"""Binary codes under an importance map: only what the map keeps is sent, and training moves the map."""

import numpy as np
import pytest
import torch

from codec_lib import data
from codec_lib.models.importance_map import ImportanceMap
from codec_lib.training import targets
from codec_lib.training.settings import Settings
from tests.models.pictures import picture

SETTINGS = Settings("importance-map", [], "")
SIZES = [(1, 1), (8, 8), (37, 53)]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ImportanceMap(N=16, n=8, L=4, K=6).eval().requires_grad_(False).freeze()


@pytest.mark.parametrize("size", SIZES)
def test_what_is_read_is_what_the_encoder_chose(model, size):
    x = picture(*size)
    sections = model.compress(x, 5.0)
    assert list(sections) == ["map", "codes"]
    found = model.read(sections, 5.0, *size)
    kept = found["codes"].ne(0).sum(0)
    assert torch.equal(kept, 2 * found["map"])
    assert model.decompress(sections, 5.0, *size).shape == x.shape


@torch.no_grad()
def test_the_forward_pass_shows_what_is_decoded(model):
    x = picture()
    shown = model(x.float() / 255, torch.tensor([3.0])).x_hat
    decoded = model.decompress(model.compress(x, 3.0), 3.0, 40, 56)
    assert (decoded.float() - 255 * shown.clamp(0, 1)).abs().max() <= 0.51


def test_a_higher_quality_sends_more_bits_everywhere(model):
    maps = [model.read(model.compress(picture(), q), q, 40, 56)["map"] for q in (1.0, 4.5, 8.0)]
    assert (maps[0] <= maps[1]).all()
    assert (maps[1] <= maps[2]).all()
    assert maps[0].sum() < maps[1].sum() < maps[2].sum()


def test_training_reaches_the_map_and_the_prior_is_trained_by_itself():
    model = ImportanceMap(N=16, n=8, L=4, K=6)
    (player,) = model.objective(SETTINGS).players()
    loss, note = player.loss(model, picture(32, 32).float() / 255)
    loss.backward()
    without = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert without == {"prior"}
    assert model.importance.conv.weight.grad.abs().max() > 0
    assert "of its target" in note

    model.zero_grad()
    model.requires_grad_(False)
    model.prior.requires_grad_(True)
    (player,) = model.objective(SETTINGS).players()
    player.loss(model, picture(32, 32).float() / 255)[0].backward()
    assert all(p.grad is not None for p in model.prior.parameters())


@pytest.mark.parametrize(("offset", "asks"), [(-9.0, False), (9.0, True)])
def test_only_above_its_target_does_the_rate_ask_for_fewer_bits(offset, asks, monkeypatch):
    """The gradient of the offset with the price of rate, and with none."""
    gradients = []
    for beta in (targets.BETA, 0.0):
        monkeypatch.setattr(targets, "BETA", beta)
        torch.manual_seed(0)
        model = ImportanceMap(N=16, n=8, L=4, K=6)
        model.importance.offset.data.fill_(offset)
        (player,) = model.objective(SETTINGS).players()
        torch.manual_seed(0)
        player.loss(model, picture(32, 32).float() / 255)[0].backward()
        gradients.append(model.importance.offset.grad)
    assert (gradients[0] > gradients[1]).any() == asks
    assert (gradients[0] != gradients[1]).any() == asks


@torch.no_grad()
def test_training_begins_with_a_transform_and_a_map_that_says_little():
    x = torch.from_numpy(np.asarray(data.sample("astronaut").crop((100, 0, 228, 128))).copy())
    x = x.permute(2, 0, 1)[None] / 255
    model = ImportanceMap()
    assert -10 * (model.decoder(model.encoder(x)) - x).square().mean().log10() > 25
    assert model.importance.conv(model.encoder[:-1](x)).abs().max() < 4


def test_levels_that_would_leave_channels_unused_are_refused():
    with pytest.raises(ValueError, match=r"^n: 10, allowed is a multiple of L = 4$"):
        ImportanceMap(N=16, n=10, L=4, K=6)
