"""Claims about integer networks: exact, the same on every way to compute them, close to the float one."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from codec_lib import weights
from codec_lib.density import gaussian
from codec_lib.exact import fixed_point
from codec_lib.exact.fixed_point import FixedPointNetwork, convert

BORDERS = gaussian.scale_borders()


def network(slope: float | None = None, seed: int = 0) -> nn.Sequential:
    """A hyper-synthesis of 3 to 5 channels, untrained."""
    torch.manual_seed(seed)
    activation = nn.ReLU() if slope is None else nn.LeakyReLU(slope)
    return nn.Sequential(nn.ConvTranspose2d(3, 4, 5, 2, 2, 1), activation, nn.Conv2d(4, 5, 3, padding=1))


def integers(*shape: int, limit: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-limit, limit + 1, shape, generator=generator).double()


def activated(a: int, shift: int, slope: int) -> int:
    """One sum after leaky ReLU and a shift that rounds."""
    if a < 0:
        a = 0 if slope < 0 else round(a / 2**slope)
    return (a + (1 << shift - 1)) >> shift


def python_integers(net: FixedPointNetwork, x: np.ndarray) -> np.ndarray:
    """The last layer's sums of a (C, H, W) input with Python's unbounded integers, tap by tap."""
    x = np.clip(x.astype(int), -fixed_point.INPUT_LIMIT, fixed_point.INPUT_LIMIT).astype(object)
    for layer in net.layers:
        s, weight = layer.geometry, layer.weight.astype(object)
        inputs, height, width = x.shape
        kernel = weight.shape[-1]
        if s.transposed:
            grow = (height - 1) * s.stride + kernel + s.output_padding
            full = np.zeros(
                (weight.shape[1], grow, (width - 1) * s.stride + kernel + s.output_padding), object
            )
            for c, i, j in np.ndindex(inputs, height, width):
                at = np.s_[:, i * s.stride : i * s.stride + kernel, j * s.stride : j * s.stride + kernel]
                full[at] += x[c, i, j] * weight[c]
            out = full[:, s.padding : full.shape[1] - s.padding, s.padding : full.shape[2] - s.padding]
        else:
            padded = np.pad(x, ((0, 0), (s.padding,) * 2, (s.padding,) * 2))
            rows = (height + 2 * s.padding - kernel) // s.stride + 1
            columns = (width + 2 * s.padding - kernel) // s.stride + 1
            out = np.zeros((len(weight), rows, columns), object)
            for o, i, j in np.ndindex(*out.shape):
                window = padded[
                    :, i * s.stride : i * s.stride + kernel, j * s.stride : j * s.stride + kernel
                ]
                out[o, i, j] = (window * weight[o]).sum()
        x = out + layer.bias.astype(object)[:, None, None]
        if layer is not net.layers[-1]:
            x = np.vectorize(activated, otypes=[object])(x, s.shift, s.slope)
            x = np.clip(x, -fixed_point.ACTIVATION_LIMIT, fixed_point.ACTIVATION_LIMIT)
    return x


@contextmanager
def threads(count: int):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_a_network_by_hand():
    # Two inputs, two outputs, 1x1. The largest weight is 0.75 < 2**0, so W = w 2**15.
    net = nn.Sequential(nn.Conv2d(2, 2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.5, -0.25], [0.75, 0.125]])[:, :, None, None])
        net[0].bias.copy_(torch.tensor([1.0, -2.0]))
    integer = convert(net, torch.tensor([0.0, 1.25]))
    assert integer.layers[0].weight.ravel().tolist() == [2**14, -(2**13), 3 * 2**13, 2**12]
    assert integer.layers[0].bias.tolist() == [2**15, -(2**16)]
    assert integer.thresholds.tolist() == [0, 40960]
    x = torch.tensor([3.0, 4.0])[None, :, None, None]
    # 0.5 * 3 - 0.25 * 4 + 1 = 1.5 and 0.75 * 3 + 0.125 * 4 - 2 = 0.75
    assert integer(x).flatten().tolist() == [2, 1]


@pytest.mark.parametrize("slope", [None, 0.125, 0.5])
@pytest.mark.parametrize("limit", [3, 5000])
def test_sums_are_those_of_unbounded_integers(slope, limit):
    net = convert(network(slope), BORDERS)
    x = integers(1, 3, 3, 2, limit=limit)
    expected = python_integers(net, x[0].numpy())
    indexes = np.searchsorted(net.thresholds, expected.astype(np.int64), side="right")
    assert np.array_equal(net(x)[0].numpy(), indexes)


def worst_input(layer, limit: int, output: int) -> tuple[torch.Tensor, int]:
    """3x3 inputs next to their clamp that add up at one place of an output, and the sum there."""
    geometry, kernel, total = layer.geometry, layer.weight.shape[-1], int(layer.bias[output])
    inputs = layer.weight.shape[0 if geometry.transposed else 1]
    x = np.zeros((inputs, 3, 3))
    for i, j in np.ndindex(3, 3):
        if geometry.transposed:  # the place (stride, stride), which the input (1, 1) is the middle of
            taps = [geometry.stride * (1 - at) + geometry.padding for at in (i, j)]
        else:  # the place (0, 0)
            taps = [i + geometry.padding, j + geometry.padding]
        if not all(0 <= tap < kernel for tap in taps):
            continue
        w = layer.weight[:, output, *taps] if geometry.transposed else layer.weight[output, :, *taps]
        x[:, i, j] = (limit - 1) * np.sign(w)
        total += (limit - 1) * sum(abs(int(value)) for value in w)
    return torch.from_numpy(x)[None], total


@pytest.mark.parametrize(
    ("model", "name"),
    [("hyperprior", "h_s"), ("flagship", "h_s"), ("flagship", "parameters"), ("near-lossless", "lossless")],
)
def test_sums_of_the_worst_inputs_are_exact(model, name):
    """Ordinary files stay far below the bound: a machine that keeps too few bits would pass them all."""
    net, largest = weights.load(model).model.frozen.network(name), 0
    limit = net.limit
    for layer in net.layers:
        place = layer.geometry.stride if layer.geometry.transposed else 0
        for output in range(0, len(layer.bias), 7):
            x, expected = worst_input(layer, limit, output)
            found = layer.on(torch.device("cpu")).sums(x)[0, output, place, place].item()
            assert int(found) == expected
            largest = max(largest, expected)
        limit = fixed_point.ACTIVATION_LIMIT
    assert largest > 2**32  # more than a float32 tells apart, many times over


@pytest.mark.parametrize("slope", [None, 0.25])
def test_it_is_the_float_network_but_for_rounding(slope):
    net, x = network(slope), integers(2, 3, 6, 7)
    sigma = net.double()(x)
    with torch.no_grad():
        far = (sigma[..., None] / BORDERS - 1).abs().amin(-1) > 1e-2
        assert torch.equal(convert(net, BORDERS)(x)[far], gaussian.indexes(sigma)[far])
    assert far.float().mean() > 0.5


def test_indexes_do_not_depend_on_how_they_are_computed():
    net = weights.load("hyperprior").model.frozen.network("h_s")
    x = integers(8, 64, 4, 6)
    expected = net(x)
    assert expected.float().std() > 1  # not all the same
    with threads(2):
        assert torch.equal(net(x), expected)
    with torch.backends.mkldnn.flags(enabled=False):
        assert torch.equal(net(x), expected)
    assert torch.equal(net(x.to(memory_format=torch.channels_last)), expected)
    assert torch.equal(net(x.float()), expected)
    for number in range(8):
        assert torch.equal(net(x[number : number + 1]), expected[number : number + 1])
    assert torch.equal(net(x.flip(0)), expected.flip(0))


def test_any_number_that_a_stream_can_hold_is_an_input():
    net = weights.load("hyperprior").model.frozen.network("h_s")
    x = torch.tensor([-(2.0**31), 2.0**31 - 1, 0, 1], dtype=torch.float64).repeat(64).view(1, 64, 2, 2)
    assert net(x).shape == (1, 256, 8, 8)
    assert torch.equal(net(x), net(x.clamp(-(2**12), 2**12)))


def test_the_shipped_integers_are_those_of_the_shipped_weights():
    model = weights.load("hyperprior").model
    again, stored = convert(model.prior.h_s, BORDERS).to_arrays(), model.frozen.network("h_s").to_arrays()
    assert again.keys() == stored.keys()
    for name in again:
        assert np.array_equal(again[name], stored[name]), name


def test_arrays_bring_the_network_back():
    net = convert(network(0.25), BORDERS)
    again = FixedPointNetwork.from_arrays(net.to_arrays())
    assert torch.equal(again(integers(1, 3, 4, 4)), net(integers(1, 3, 4, 4)))


def test_sums_that_could_be_inexact_are_refused():
    wide = nn.Sequential(nn.Conv2d(1, 16384, 1), nn.ReLU(), nn.Conv2d(16384, 1, 1))
    with torch.no_grad():
        wide[2].weight.fill_(1.0)
    with pytest.raises(ValueError, match=r"layer 1: sums up to .*, allowed are less than 2\*\*53"):
        convert(wide, BORDERS)


@pytest.mark.parametrize("slope", [0.2, -0.5, 3.0])
def test_a_slope_that_is_no_power_of_two_is_refused(slope):
    with pytest.raises(ValueError, match="activation"):
        convert(network(slope), BORDERS)
