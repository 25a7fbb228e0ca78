"""GDN and inverse GDN at the outer ends, each of which can be left out."""

import pytest
import torch
from torch import nn

from codec_lib.layers.gdn import GDN
from codec_lib.models.recurrent_gdn import RecurrentGDN
from codec_lib.training import iterations
from codec_lib.training.settings import Settings


@pytest.mark.parametrize("gdn", [0, 1])
@pytest.mark.parametrize("igdn", [0, 1])
def test_each_normalization_can_be_left_out(gdn, igdn):
    model = RecurrentGDN(N=4, M=32, K=8, gdn=gdn, igdn=igdn)
    for part, has_it, channels, inverse in (("encoder", gdn, 4, False), ("decoder", igdn, 32, True)):
        activation = getattr(model, part).activation
        assert isinstance(activation, GDN if has_it else nn.Identity)
        if has_it:
            assert (activation.inverse, len(activation.beta)) == (inverse, channels)


def test_training_reaches_every_parameter_and_files_come_back(monkeypatch):
    monkeypatch.setattr(iterations, "LENGTHS", (16,))
    torch.manual_seed(0)
    model = RecurrentGDN(N=4, M=32, K=8)
    (player,) = model.objective(Settings("recurrent-gdn", [], "")).players()
    model.train()
    loss, _ = player.loss(model, torch.rand(1, 3, 64, 64))
    loss.backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is None} == {"prior"}

    model.eval().requires_grad_(False).freeze()
    x = torch.randint(0, 256, (1, 3, 37, 53), dtype=torch.uint8)
    sections = model.compress(x, 3)
    assert list(sections) == ["bits 1", "bits 2", "bits 3"]
    assert model.decompress(sections, 3, 37, 53).shape == x.shape
