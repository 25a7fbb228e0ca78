"""The prior with a context: integers in every step, the same for encoder, decoder, and all at once."""

import copy

import pytest
import torch

from codec_lib.errors import BitstreamError
from codec_lib.fixed_point import FRACTION_BITS
from codec_lib.layers.order import CHECKERBOARD, SLANTED
from codec_lib.models import context_prior
from codec_lib.models.context_prior import ContextCoder, ContextPrior, Walk

M, H = 6, 4
ORDERS = {"slanted": SLANTED, "checkerboard": CHECKERBOARD}


@pytest.fixture(scope="module", params=ORDERS)
def prior(request):
    """An untrained prior whose means are not all zero."""
    torch.manual_seed(0)
    prior = ContextPrior(M, H, 8, ORDERS[request.param]).eval().requires_grad_(False)
    prior.mean.weight.mul_(20)
    prior.context.weight.mul_(3)
    return prior


@pytest.fixture(scope="module")
def coder(prior):
    return ContextCoder(prior.order, *prior.freeze())


def latents(height=8, width=12, seed=0):
    return 6 * torch.randn(1, M, height, width, generator=torch.Generator().manual_seed(seed))


def test_decoding_gives_the_latents_back_within_half_a_step(prior, coder):
    y = latents()
    z_hat = prior.h_a(y).round()
    streams = coder.encode(y, z_hat)
    found = coder.decode(streams, z_hat.shape, y.device)
    assert torch.equal(found["z"].float(), z_hat)
    y_hat = found["y"] * 2.0**-FRACTION_BITS
    assert (y_hat - y).abs().max() <= 0.5 + 1e-4
    assert (y_hat - y_hat.round()).abs().max() > 0.1  # means are no integers


def test_steps_see_what_a_pass_over_all_places_sees(prior, coder):
    y = latents()
    z_hat = prior.h_a(y).round()
    y_hat = coder.decode(coder.encode(y, z_hat), z_hat.shape, y.device)["y"]
    walk = Walk(prior.order, coder.networks, z_hat, y.shape[1:])
    complete = Walk(prior.order, coder.networks, z_hat, y.shape[1:])
    everywhere = torch.arange(y.shape[2] * y.shape[3])
    integers = y_hat[0].double().flatten(1)
    if prior.order is SLANTED:
        complete.put(everywhere, torch.zeros_like(integers).int(), integers)
    else:  # the second step sees the first one only
        first = prior.order.steps(*y.shape[2:])[0]
        complete.put(first, torch.zeros_like(integers[:, first]).int(), integers[:, first])
    mu, index = complete.distribution(everywhere)
    for places in walk.places():
        found = walk.distribution(places)
        assert torch.equal(found[0], mu[:, places])
        assert torch.equal(found[1], index[:, places])
        walk.put(places, torch.zeros_like(found[0]).int(), integers[:, places])


def test_chunks_change_the_order_of_symbols_only(prior, coder, monkeypatch):
    y = latents()
    z_hat = prior.h_a(y).round()
    whole = coder.decode(coder.encode(y, z_hat), z_hat.shape, y.device)["y"]
    monkeypatch.setattr(context_prior, "CHUNK", 5)
    assert torch.equal(coder.decode(coder.encode(y, z_hat), z_hat.shape, y.device)["y"], whole)


def test_the_integers_follow_the_floats(prior, coder):
    y = latents()
    z_hat = prior.h_a(y).round()
    y_hat = coder.decode(coder.encode(y, z_hat), z_hat.shape, y.device)["y"]
    walk = Walk(prior.order, coder.networks, z_hat, y.shape[1:])
    places = prior.order.steps(*y.shape[2:])[-1]
    before = torch.cat(prior.order.steps(*y.shape[2:])[:-1])
    integers = y_hat[0].double().flatten(1)
    walk.put(before, torch.zeros_like(integers[:, before]).int(), integers[:, before])
    seen = torch.zeros_like(y).flatten(2)
    seen[..., before] = y_hat.flatten(2)[..., before] * 2.0**-FRACTION_BITS
    mu, _ = prior.distribution(prior.h_s(z_hat), seen.view_as(y))
    expected = mu[0].flatten(1)[:, places]
    assert (walk.distribution(places)[0] * 2.0**-FRACTION_BITS - expected).abs().max() < 0.01


def test_latents_out_of_range_are_clamped_not_wrapped(prior, coder):
    y = latents() * 1e6
    z_hat = torch.zeros_like(prior.h_a(y))
    y_hat = coder.decode(coder.encode(y, z_hat), z_hat.shape, y.device)["y"]
    assert y_hat.abs().max() <= 2 * context_prior.LIMIT
    assert (y_hat.sign() == y.sign())[y.abs() > 1e5].all()


@pytest.mark.parametrize("name", ["z", "y"])
@pytest.mark.parametrize("change", [lambda s: b"", lambda s: s[:-2], lambda s: s + b"\0\0"])
def test_damage_is_refused(prior, coder, name, change):
    y = latents()
    z_hat = prior.h_a(y).round()
    streams = coder.encode(y, z_hat)
    with pytest.raises(BitstreamError, match=f"^section {name}: "):
        coder.decode({**streams, name: change(streams[name])}, z_hat.shape, y.device)


def test_estimated_bits_are_close_to_the_stream(prior, coder):
    y = latents(32, 32)
    z_hat = prior.h_a(y).round()
    real = 8 * len(coder.encode(y, z_hat)["y"])
    assert real == pytest.approx(prior(y)[1]["y"].item(), rel=0.01)


def test_a_copy_estimates_the_same(prior):
    y = latents(16, 16)
    assert torch.equal(copy.deepcopy(prior)(y)[0], prior(y)[0])
