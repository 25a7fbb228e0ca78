"""Integer networks whose outputs are integers, and inverse GDN between layers."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.exact import fixed_point
from codec_lib.exact.fixed_point import FixedPointNetwork, convert
from codec_lib.layers.convolution import deconv
from codec_lib.layers.gdn import GDN


def synthesis(seed: int = 0) -> nn.Sequential:
    """Two transposed convolutions with inverse GDN behind each, untrained but not trivial."""
    torch.manual_seed(seed)
    layers = nn.Sequential(deconv(3, 4), GDN(4, inverse=True), deconv(4, 2), GDN(2, inverse=True))
    with torch.no_grad():
        for norm in (layers[1], layers[3]):
            norm.gamma_root.add_(0.2 * torch.rand_like(norm.gamma_root))
            norm.beta_root.mul_(1.3)
    return layers.requires_grad_(False)


def integers(*shape: int, limit: int = 30) -> torch.Tensor:
    return torch.randint(
        -limit, limit + 1, shape, generator=torch.Generator().manual_seed(sum(shape))
    ).double()


@pytest.mark.parametrize("scale", [1.0, 0.03])
def test_inverse_gdn_is_the_float_layer_but_for_rounding(scale):
    layers, x = synthesis(), integers(1, 3, 5, 6)
    found = convert(layers, scale=scale)(x) * 2.0**-FRACTION_BITS
    expected = layers.double()(x * scale)
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_inverse_gdn_is_what_ieee_754_says():
    """The same arithmetic in Python: integers, math.sqrt and one product at a time."""
    layer = convert(nn.Sequential(nn.Conv2d(2, 2, 1), GDN(2, inverse=True))).layers[0]
    x = integers(2, 3, 4, limit=400)
    found = FixedPointNetwork([layer], None)(x[None])[0]
    gamma, beta, shift = layer.norm.gamma.tolist(), layer.norm.beta.tolist(), int(layer.norm.shift[0])
    for i, j in np.ndindex(3, 4):
        inputs = [int(v) for v in x[:, i, j]]
        sums = [
            sum(int(w) * v for w, v in zip(layer.weight[o].ravel(), inputs, strict=True))
            + int(layer.bias[o])
            for o in range(2)
        ]
        shifted = [(a + (1 << layer.geometry.shift - 1)) >> layer.geometry.shift for a in sums]
        clamped = [max(-fixed_point.NORM_LIMIT, min(fixed_point.NORM_LIMIT, a)) for a in shifted]
        for o in range(2):
            energy = beta[o] + sum(g * v * v for g, v in zip(gamma[o], clamped, strict=True))
            assert energy < fixed_point.EXACT
            assert found[o, i, j] == math.floor(math.sqrt(energy) * clamped[o] * 2.0**-shift + 0.5)


def test_each_input_can_have_a_scale_of_its_own():
    layers = nn.Sequential(nn.Conv2d(3, 2, 1)).requires_grad_(False)
    scale = torch.tensor([1.0, 0.25, 3.0])
    x = integers(1, 3, 2, 2)
    found = convert(layers, scale=scale)(x) * 2.0**-FRACTION_BITS
    torch.testing.assert_close(
        found, layers.double()(x * scale[:, None, None].double()), atol=0.02, rtol=1e-3
    )


def test_outputs_of_one_network_are_inputs_of_the_next():
    layers = synthesis()
    first, second = convert(layers[:2]), convert(layers[2:], fraction=FRACTION_BITS)
    x = integers(1, 3, 4, 4)
    assert torch.equal(second(first(x)), convert(layers)(x))


def test_a_network_with_outputs_is_rebuilt_from_its_arrays():
    layers, x = synthesis(), integers(1, 3, 4, 4)
    network = convert(layers, fraction=FRACTION_BITS)
    again = FixedPointNetwork.from_arrays(network.to_arrays())
    assert again.limit == network.limit == fixed_point.ACTIVATION_LIMIT
    assert torch.equal(again(x * 4096), network(x * 4096))


def test_inputs_and_activations_beyond_their_limits_are_clamped_not_wrong():
    network = convert(synthesis(), scale=100.0)
    huge = torch.full((1, 3, 4, 4), 1e12, dtype=torch.float64)
    found = network(huge)
    assert torch.equal(found, network(huge.clamp(max=fixed_point.INPUT_LIMIT)))
    assert found.abs().max() <= fixed_point.ACTIVATION_LIMIT
    assert torch.equal(found, found.round())


def test_sums_that_could_leave_the_exact_range_are_refused():
    layer = convert(nn.Sequential(nn.Conv2d(2, 2, 1), GDN(2, inverse=True))).layers[0]
    layer.norm.gamma[:] = 2**24
    with pytest.raises(ValueError, match="sums up to"):
        FixedPointNetwork([layer], None)


@pytest.mark.parametrize("activation", [GDN(2), nn.Tanh(), nn.LeakyReLU(0.3)])
def test_other_activations_are_refused(activation):
    with pytest.raises(ValueError, match="activation"):
        convert(nn.Sequential(nn.Conv2d(2, 2, 1), activation))


@pytest.mark.parametrize("count", [255, 256])
def test_no_index_is_above_what_uint8_holds(count):
    layers = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(layers[0].weight)
    thresholds = torch.arange(1.0, count + 1)
    if count > 255:
        with pytest.raises(ValueError, match="thresholds: 256, allowed are up to 255"):
            convert(layers, thresholds)
    else:
        assert convert(layers, thresholds)(torch.full((1, 1, 1, 1), 1000.0)).item() == 255
