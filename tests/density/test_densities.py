"""Every density: its bins sum to one, agree with integration and with CompressAI, and freeze well."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from codec_lib.density import gaussian
from codec_lib.density.factorized import FactorizedDensity
from codec_lib.density.freeze import TAIL_MASS
from codec_lib.density.scale_mixture import GaussianScaleMixture
from codec_lib.density.shapes import HEAVY_TAILED, LAPLACE, NORMAL
from codec_lib.entropy import pmf

INTEGERS = torch.arange(-600, 601, dtype=torch.float64)


def factorized(channels=3) -> FactorizedDensity:
    torch.manual_seed(1)
    density = FactorizedDensity(channels)
    for factor in density.factors:
        torch.nn.init.normal_(factor, std=0.5)
    return density.double()


def mixture(channels=3) -> GaussianScaleMixture:
    torch.manual_seed(2)
    density = GaussianScaleMixture(channels)
    torch.nn.init.normal_(density.logits)
    return density.double()


@pytest.mark.parametrize("density", [factorized(), mixture()], ids=["factorized", "mixture"])
@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_the_bins_of_a_density_sum_to_one(density, step):
    y = (INTEGERS * step).repeat(3, 1)[None, :, :, None]
    total = density.likelihood(y, step).sum((0, 2, 3))
    torch.testing.assert_close(total, torch.ones(3, dtype=torch.float64), atol=3e-6, rtol=0)


@pytest.mark.parametrize("density", [factorized(1), mixture(1)], ids=["factorized", "mixture"])
def test_a_bin_is_the_integral_of_the_density(density):
    def bin_mass(center: float, width: float) -> float:
        return density.likelihood(torch.full((1, 1, 1, 1), center).double(), width).item()

    def value(t: float) -> float:  # the density, as the limit of a narrow bin
        return bin_mass(t, 1e-3) / 1e-3

    for center in (-2.0, 0.0, 1.0, 5.0):
        integral, _ = integrate.quad(value, center - 0.5, center + 0.5)
        assert bin_mass(center, 1.0) == pytest.approx(integral, rel=1e-5)


def test_gaussian_bins_are_differences_of_the_normal_cdf():
    y = torch.arange(-8.0, 9, dtype=torch.float64)
    sigma = torch.tensor(1.7, dtype=torch.float64)
    expected = stats.norm.cdf(y + 0.5, scale=1.7) - stats.norm.cdf(y - 0.5, scale=1.7)
    np.testing.assert_allclose(gaussian.likelihood(y, sigma).numpy(), expected, rtol=1e-9)


def test_gaussian_agrees_with_compressai_in_outputs_and_gradients():
    entropy_models = pytest.importorskip("compressai.entropy_models")
    theirs = entropy_models.GaussianConditional(gaussian.scale_table().tolist())
    random = torch.Generator().manual_seed(0)
    y = torch.randn(1, 2, 8, 8, generator=random) * 4
    sigma = torch.rand(1, 2, 8, 8, generator=random) * 5 + 0.05
    results = []
    for likelihood in (gaussian.likelihood, theirs._likelihood):
        a, b = y.clone().requires_grad_(), sigma.clone().requires_grad_()
        p = likelihood(a, b)
        p.log().sum().backward()
        results.append((p, a.grad, b.grad))
    ours, reference = results
    seen = reference[0] > 1e-8  # above the bound that both have
    for mine, other in zip(ours, reference, strict=True):
        torch.testing.assert_close(mine[seen], other[seen], rtol=2e-3, atol=1e-6)


def test_factorized_agrees_with_compressai_in_outputs_and_gradients():
    entropy_models = pytest.importorskip("compressai.entropy_models")
    theirs = entropy_models.EntropyBottleneck(3, filters=(3, 3, 3)).double()
    ours = factorized()
    with torch.no_grad():
        for name in ("matrices", "biases", "factors"):
            for k, value in enumerate(getattr(ours, name)):
                theirs.get_parameter(f"{name}.{k}").copy_(value)
    random = torch.Generator().manual_seed(0)
    y = torch.randn(1, 3, 6, 6, dtype=torch.float64, generator=random) * 3
    mine, other = y.clone().requires_grad_(), y.clone().requires_grad_()
    p = ours.likelihood(mine)
    p.log().sum().backward()
    values = other.transpose(0, 1).reshape(3, 1, -1)
    q = theirs._likelihood(values)
    q = q[0] if isinstance(q, tuple) else q  # newer versions return the logits as well
    q.log().sum().backward()
    torch.testing.assert_close(p.transpose(0, 1).reshape(3, 1, -1), q)
    torch.testing.assert_close(mine.grad, other.grad)


def test_the_sign_flip_keeps_the_digits_of_a_far_tail():
    density = FactorizedDensity(1)  # float32
    right = density.likelihood(torch.full((1, 1, 1, 1), 150.0))
    left = density.likelihood(torch.full((1, 1, 1, 1), -150.0))
    upper = density._elementwise_logits(torch.full((1, 1, 1, 1), 150.5))
    lower = density._elementwise_logits(torch.full((1, 1, 1, 1), 149.5))
    assert right > 1e-9  # above the bound: a number that was computed
    assert left > 1e-9
    assert torch.sigmoid(upper) - torch.sigmoid(lower) != right  # the plain difference has lost digits


@pytest.mark.parametrize("density", [factorized(), mixture()], ids=["factorized", "mixture"])
def test_a_frozen_table_costs_what_the_density_says(density):
    steps = torch.tensor([[1.0, 0.5, 2.0]])
    tables = density.tables(steps)
    for channel in range(3):
        step = steps[0, channel].item()
        y = torch.zeros(1, 3, len(INTEGERS), 1, dtype=torch.float64)
        y[0, channel, :, 0] = INTEGERS * step
        p = density.likelihood(y, step)[0, channel, :, 0].detach().numpy()
        symbols = INTEGERS.numpy().astype(np.int32)
        bits = pmf.surprise(symbols, np.full(len(symbols), channel), tables)
        entropy = -(p * np.log2(p)).sum()
        assert (p * bits).sum() == pytest.approx(entropy, rel=0.003, abs=0.002)


def test_tails_hold_the_mass_they_were_asked_to_hold():
    density = factorized()
    tables = density.tables(torch.ones(1, 3))
    for channel in range(3):
        first = int(tables.offset[channel])
        last = first + int(tables.length[channel]) - 2
        edges = torch.tensor([[first - 0.5] * 3, [last + 0.5] * 3], dtype=torch.float64)
        below, above = density._cumulative(edges)
        assert below[0, channel] < TAIL_MASS
        assert above[1, channel] < TAIL_MASS
        inner_below, inner_above = density._cumulative(edges + torch.tensor([[1.0], [-1.0]]))
        assert inner_below[0, channel] > TAIL_MASS / 2 * 0.99  # and not more places than that takes
        assert inner_above[1, channel] > TAIL_MASS / 2 * 0.99


def test_a_gaussian_is_coded_with_the_first_scale_that_is_not_smaller():
    table = gaussian.scale_table()
    assert gaussian.indexes(table).tolist() == list(range(64))
    assert gaussian.indexes(torch.tensor([-1.0, 0.0, 1e9])).tolist() == [0, 0, 63]
    assert gaussian.indexes(torch.stack((table[10] * 0.999, table[10] * 1.001))).tolist() == [10, 11]


def test_64_scales_cost_less_than_half_a_percent():
    generator = torch.Generator().manual_seed(0)
    sigma = torch.exp(torch.rand(40_000, generator=generator, dtype=torch.float64) * 4 - 1)
    y = (torch.randn(40_000, generator=generator, dtype=torch.float64) * sigma).round()
    exact = -gaussian.likelihood(y, sigma).log2().sum().item()
    symbols = y.numpy().astype(np.int32)
    coded = pmf.ideal_bits(symbols, gaussian.indexes(sigma).numpy(), gaussian.tables())
    assert exact * 0.999 < coded < exact * 1.005


def draws(shape, count, generator):
    """Samples of scale 1."""
    if shape is LAPLACE:
        signs, sizes = torch.rand(2, count, dtype=torch.float64, generator=generator)
        return torch.where(signs < 0.5, 1.0, -1.0) * sizes.log() * 2**-0.5
    weights = torch.tensor([weight for weight, _ in shape.parts], dtype=torch.float64)
    widths = torch.tensor([width for _, width in shape.parts], dtype=torch.float64)
    assert weights.sum().item() == pytest.approx(1)
    component = torch.multinomial(weights, count, replacement=True, generator=generator)
    return torch.randn(count, generator=generator, dtype=torch.float64) * widths[component]


@pytest.mark.parametrize("shape", [NORMAL, HEAVY_TAILED, LAPLACE])
def test_every_shape_is_a_distribution_and_its_tables_cost_what_it_says(shape):
    generator = torch.Generator().manual_seed(1)
    every = torch.arange(-300, 301, dtype=torch.float64)
    for sigma in gaussian.scale_table()[:40:13]:
        assert gaussian.likelihood(every, sigma, shape).sum().item() == pytest.approx(1, abs=1e-6)
        y = (draws(shape, 20_000, generator) * sigma).round()
        exact = -gaussian.likelihood(y, sigma, shape).log2().sum().item()
        indexes = np.full(len(y), gaussian.indexes(sigma[None])[0])
        coded = pmf.ideal_bits(y.numpy().astype(np.int32), indexes, gaussian.tables(shape))
        assert coded == pytest.approx(exact, rel=0.002, abs=5)
        other = HEAVY_TAILED if shape is NORMAL else NORMAL
        assert exact < -gaussian.likelihood(y, sigma, other).log2().sum().item()


def test_costs_are_the_bits_of_the_tables():
    shape = HEAVY_TAILED
    costs = gaussian.costs(shape, reach=20)
    assert costs.shape == (64, 41)
    assert torch.equal(costs, costs.flip(1))
    for index in (10, 30, 50):
        for symbol in range(-20, 21):
            cost = costs[index, 20 + symbol].item()
            if cost < 11:
                one = np.array([symbol], np.int32)
                in_table = pmf.ideal_bits(one, np.array([index], np.uint8), gaussian.tables(shape))
                assert cost == pytest.approx(in_table, abs=0.03)
