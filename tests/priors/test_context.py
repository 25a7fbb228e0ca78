"""The prior with a context: integers in every step, the same for encoder, decoder, and all at once."""

import copy

import pytest
import torch

from codec_lib.density import gaussian
from codec_lib.density.shapes import HEAVY_TAILED
from codec_lib.entropy.units import FRACTION_BITS
from codec_lib.errors import BitstreamError
from codec_lib.exact.order import SLANTED
from codec_lib.layers.gain import GainUnit
from codec_lib.priors import context
from codec_lib.priors.checkerboard import CheckerboardPrior
from codec_lib.priors.context import ContextPrior, ContextWalk
from codec_lib.priors.slanted import SlantedPrior
from codec_lib.quantize import RateDistortionQuantizer

M, H = 6, 4
ONE = torch.ones(1, M, 1, 1)  # a gain that changes nothing
PRIORS = {"slanted": SlantedPrior, "checkerboard": CheckerboardPrior}


@pytest.fixture(scope="module", params=PRIORS)
def prior(request):
    """An untrained prior whose means are not all zero."""
    torch.manual_seed(0)
    prior = PRIORS[request.param](M, H, 8).eval().requires_grad_(False)
    prior.mean.weight.mul_(20)
    prior.context.weight.mul_(3)
    prior.freeze(GainUnit(M))
    return prior


def latents(height=8, width=12, seed=0):
    return 6 * torch.randn(1, M, height, width, generator=torch.Generator().manual_seed(seed))


def test_decoding_gives_the_latents_back_within_half_a_step(prior):
    y = latents()
    decoded = prior.decode(prior.encode(y, 4.0), 4.0, y.shape[2:])
    assert torch.equal(decoded["z"].float(), prior.h_a(y).round())
    y_hat = decoded["y"] * prior.unit
    assert (y_hat - y).abs().max() <= 0.5 + 1e-4
    assert (y_hat - y_hat.round()).abs().max() > 0.1  # means are no integers


def test_steps_see_what_a_pass_over_all_places_sees(prior):
    y = latents()
    z_hat = prior.h_a(y).round()
    y_hat = prior.decode(prior.encode(y, 4.0), 4.0, y.shape[2:])["y"]
    walk = ContextWalk(prior.order, prior.frozen, z_hat, y.shape[1:])
    complete = ContextWalk(prior.order, prior.frozen, z_hat, y.shape[1:])
    everywhere = torch.arange(y.shape[2] * y.shape[3])
    integers = y_hat[0].double().flatten(1)
    if prior.order is SLANTED:
        complete.put(everywhere, torch.zeros_like(integers).int(), integers)
    else:  # the second step sees the first one only
        first = prior.order.steps(*y.shape[2:])[0]
        complete.put(first, torch.zeros_like(integers[:, first]).int(), integers[:, first])
    mu, index = complete.distribution(everywhere)
    for places in walk.places():
        own_mu, own_index = walk.distribution(places)
        assert torch.equal(own_mu, mu[:, places])
        assert torch.equal(own_index, index[:, places])
        walk.put(places, torch.zeros_like(own_mu).int(), integers[:, places])


def test_chunks_change_the_order_of_symbols_only(prior, monkeypatch):
    y = latents()
    whole = prior.decode(prior.encode(y, 4.0), 4.0, y.shape[2:])["y"]
    monkeypatch.setattr(context, "CHUNK", 5)
    assert torch.equal(prior.decode(prior.encode(y, 4.0), 4.0, y.shape[2:])["y"], whole)


def test_the_integers_follow_the_floats(prior):
    y = latents()
    z_hat = prior.h_a(y).round()
    y_hat = prior.decode(prior.encode(y, 4.0), 4.0, y.shape[2:])["y"]
    walk = ContextWalk(prior.order, prior.frozen, z_hat, y.shape[1:])
    places = prior.order.steps(*y.shape[2:])[-1]
    before = torch.cat(prior.order.steps(*y.shape[2:])[:-1])
    integers = y_hat[0].double().flatten(1)
    walk.put(before, torch.zeros_like(integers[:, before]).int(), integers[:, before])
    seen = torch.zeros_like(y).flatten(2)
    seen[..., before] = y_hat.flatten(2)[..., before] * 2.0**-FRACTION_BITS
    mu, _ = prior.distribution(prior.h_s(z_hat), seen.view_as(y))
    expected = mu[0].flatten(1)[:, places]
    assert (walk.distribution(places)[0] * 2.0**-FRACTION_BITS - expected).abs().max() < 0.01


def test_latents_out_of_range_are_clamped_not_wrapped(prior):
    y = latents() * 1e6
    y_hat = prior.decode(prior.encode(y, 4.0), 4.0, y.shape[2:])["y"]
    assert y_hat.abs().max() <= 2 * context.LATENT_LIMIT
    assert (y_hat.sign() == y.sign())[y.abs() > 1e5].all()


@pytest.mark.parametrize("name", ["z", "y"])
@pytest.mark.parametrize("change", [lambda s: b"", lambda s: s[:-2], lambda s: s + b"\0\0"])
def test_damage_is_refused(prior, name, change):
    y = latents()
    sections = prior.encode(y, 4.0)
    with pytest.raises(BitstreamError, match=f"^section {name}: "):
        prior.decode({**sections, name: change(sections[name])}, 4.0, y.shape[2:])


def test_estimated_bits_are_close_to_the_stream(prior):
    y = latents(32, 32)
    real = 8 * len(prior.encode(y, 4.0)["y"])
    assert real == pytest.approx(prior(y, ONE)[1]["y"].item(), rel=0.01)


def test_a_copy_estimates_the_same(prior):
    y = latents(16, 16)
    assert torch.equal(copy.deepcopy(prior)(y, ONE)[0], prior(y, ONE)[0])


def test_training_on_symbols_sees_what_coding_gives():
    """The latents that a decoder has, bits of the same symbols, and gradients for every network."""
    torch.manual_seed(0)
    quantizer = RateDistortionQuantizer(gaussian.costs(HEAVY_TAILED), 2.0, 0.17)
    prior = CheckerboardPrior(M, H, 8, shape=HEAVY_TAILED, quantizer=quantizer)
    prior.log_sigma.bias.data.zero_()
    y = latents().div(6).requires_grad_()
    with torch.no_grad():
        expected, estimated = prior.eval()(y, ONE)
    prior.train().rate = "symbols"
    y_hat, bits = prior(y, ONE)
    assert torch.allclose(y_hat, expected, atol=1e-5)
    assert ((y_hat - y).abs() > 0.51).any()  # decisions, not the nearest
    assert bits["y"].item() == pytest.approx(estimated["y"].item(), rel=0.01)  # tables are some steps wide
    bits["y"].sum().backward()
    assert y.grad is not None
    for name, parameter in prior.named_parameters():
        assert (parameter.grad is None) == name.startswith("density_z"), name


def test_a_prior_that_is_trained_on_symbols_learns_that_more_are_zero():
    torch.manual_seed(0)
    weight = 3.0
    quantizer = RateDistortionQuantizer(gaussian.costs(HEAVY_TAILED), weight)
    y = torch.distributions.Laplace(0.0, 0.7).sample((4, M, 16, 16))
    costs = {}
    for rate in ContextPrior.rates:
        torch.manual_seed(1)
        prior = CheckerboardPrior(M, H, 8, shape=HEAVY_TAILED, quantizer=quantizer).train()
        prior.rate = rate
        optimizer = torch.optim.Adam(prior.parameters(), 0.02)
        for _ in range(150):
            optimizer.zero_grad()
            prior(y, ONE)[1]["y"].sum().div(y.numel()).backward()
            optimizer.step()
        with torch.no_grad():
            y_hat, bits = prior.eval()(y, ONE)
        costs[rate] = (bits["y"].sum() / y.numel() + weight * (y_hat - y).square().mean()).item()
    assert costs["symbols"] < 0.95 * costs["noise"]
