"""Layers in bands give what they give in one piece."""

import pytest
import torch
from torch import nn

from codec_lib.layers.bands import in_bands, needed
from codec_lib.layers.convolution import conv, deconv
from codec_lib.layers.gdn import GDN
from codec_lib.models import MODELS, architecture
from codec_lib.models.transform import TransformCodec


def is_conv(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)


def chains() -> dict[str, tuple[nn.Sequential, int]]:
    """Layers with the number of their input channels."""
    torch.manual_seed(0)
    chains = {
        "down": (nn.Sequential(conv(3, 4), GDN(4), conv(4, 5)), 3),
        "down 9/4": (nn.Sequential(conv(3, 4, 9, 4), GDN(4), conv(4, 5)), 3),
        "up": (nn.Sequential(deconv(3, 4), GDN(4, inverse=True), deconv(4, 3)), 3),
        "up 9/4": (nn.Sequential(deconv(3, 4), nn.ReLU(), deconv(4, 3, 9, 4)), 3),
        "same": (nn.Sequential(conv(3, 4, 3, 1), nn.ReLU(), conv(4, 2, 7, 1)), 3),
    }
    for name in MODELS:
        if issubclass(architecture(name), TransformCodec):
            built = architecture(name)(N=4, M=8)
            chains[f"{name} g_a"] = built.g_a[:3], 3
            last = built.g_s[-3:]
            chains[f"{name} g_s"] = last, next(m for m in last.modules() if is_conv(m)).in_channels
    return chains


@pytest.mark.parametrize("name", chains())
@pytest.mark.parametrize("height", [128, 384, 520])
@torch.no_grad()
def test_bands_change_nothing(name, height):
    layers, channels = chains()[name]
    x = torch.randn(1, channels, height, 24)
    calls = []
    layers[0].register_forward_hook(lambda *_: calls.append(1))
    torch.testing.assert_close(in_bands(layers, x), layers(x), atol=1e-5, rtol=1e-5)
    if height > 256:
        assert len(calls) >= 4  # at least three bands, and the comparison


@torch.no_grad()
def test_bands_change_nothing_in_whole_transforms():
    torch.manual_seed(0)
    model = architecture("flagship")(N=16, M=24)
    x = torch.rand(1, 3, 1600, 64)
    y = model.g_a(x)
    torch.testing.assert_close(model.analyze(x), y, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.synthesize(y), model.g_s(y), atol=1e-5, rtol=1e-5)


def test_the_reach_of_a_chain_is_exact():
    chain = [conv(1, 1), nn.ReLU(), conv(1, 1)]
    x = torch.zeros(1, 1, 64, 64, requires_grad=True)
    nn.Sequential(chain[0], chain[2])(x)[0, 0, 5:8].sum().backward()
    touched = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert needed(chain, 5, 8) == (touched.min(), touched.max() + 1)


def test_layers_of_unknown_reach_are_refused():
    layers = nn.Sequential(nn.ModuleList([conv(3, 3)]))
    with pytest.raises(TypeError, match="ModuleList"):
        in_bands(layers, torch.zeros(1, 3, 8, 8))
