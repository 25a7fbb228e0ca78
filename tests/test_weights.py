import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from codec_lib import weights
from codec_lib.errors import BitstreamError
from codec_lib.models import architectures


@pytest.mark.parametrize("name", ["hyperprior", "factorized", "autoencoder", "flagship", "context"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_was_saved_is_loaded_whatever_its_memory_layout(name, layout, tmp_path):
    torch.manual_seed(0)
    model = architectures()[name](N=4, M=6).eval().to(memory_format=layout)
    path = tmp_path / f"{name}.safetensors"
    weights.save(model, name, path, {"note": "untrained"})
    trained = weights.load(str(path))
    for key, value in model.state_dict().items():
        kept = value.half().float() if value.ndim == 4 else value
        assert torch.equal(kept, trained.model.state_dict()[key]), key
    x, quality = torch.rand(1, 3, 64, 64), torch.tensor([4.0])
    torch.testing.assert_close(trained.model(x, quality).x_hat, model(x, quality).x_hat, atol=2e-3, rtol=0)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"].startswith(trained.digest)
    assert card["note"] == "untrained"


@pytest.mark.parametrize("name", weights.available())
def test_shipped_weights_are_small_and_match_their_cards(name):
    assert (weights.SHIPPED / f"{name}.safetensors").stat().st_size <= 12_000_000
    assert weights.load(name).name == name


def test_a_file_that_lacks_something_is_refused(tmp_path):
    for metadata in (None, {"model": "hyperprior"}, {"model": "nothing", "widths": "{}", "streams": "[]"}):
        path = tmp_path / "half.safetensors"
        save_file({"g_a.0.weight": np.zeros(3, np.float32)}, path, metadata)
        weights.load.cache_clear()
        with pytest.raises(BitstreamError, match="holds no model"):
            weights.load(str(path))
