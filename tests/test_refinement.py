"""What an encoder gains that tries harder, and that nothing else changes."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import data, refinement, weights
from codec_lib.layers.gain import lambda_of
from codec_lib.measure import metrics
from codec_lib.models.base import pad
from codec_lib.priors.base import Choice
from codec_lib.progress import listening

QUALITY = 3
MODELS = ["flagship", "hyperprior", "factorized"]
models = pytest.mark.parametrize("name", MODELS)
all_models = pytest.mark.parametrize("name", [*MODELS, "context"])


def photo():
    return data.sample("astronaut").crop((140, 0, 300, 120))


def cost(picture, file):
    """R + lambda 255^2 MSE of a real file, in bits a pixel."""
    pixels = picture.width * picture.height
    error = 10 ** (-metrics.psnr(picture, cl.decode(file)) / 10)
    return 8 * len(file) / pixels + float(lambda_of(QUALITY)) * 255**2 * error


def latents(name, picture):
    model = weights.load(name).model
    levels = pad(torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1)[None], model.stride)
    with torch.no_grad():
        gain, _ = model.gain(model.quality_tensor(QUALITY))
        return model, levels, model.analyze(levels) * gain


def assert_symbols(model, levels, sections, z_hat, symbols):
    """Sections hold these symbols: all others are at least 1 away, and mu is fixed point in files only."""
    read = model.read(sections, QUALITY, *levels.shape[-2:])["y"] * model.prior.unit
    with torch.no_grad():
        gain, _ = model.gain(model.quality_tensor(QUALITY))
        mu, _ = model.prior.price(symbols, z_hat, gain)
    assert (read - symbols - mu).abs().max() < 0.05


@all_models
def test_more_effort_costs_less(name):
    picture = photo()
    costs = [
        cost(picture, cl.encode(picture, name, quality=QUALITY, effort=effort)) for effort in (0, 1, 3)
    ]
    assert all(more < less for less, more in pairwise(costs))


@all_models
def test_a_file_has_the_symbols_that_were_found(name):
    model, levels, y = latents(name, photo())
    z_hat, found = refinement.refine(model, levels, y, QUALITY, 4, levels.shape[-2:])
    sections = model.compress(levels, QUALITY, effort=0)
    refined = model.prior.encode(y, QUALITY, Choice(z_hat, found))
    assert sections.get("z") == refined.get("z")
    assert sections["y"] != refined["y"]
    assert_symbols(model, levels, refined, z_hat, found)


@pytest.mark.parametrize("name", ["flagship", "hyperprior", "checkerboard"])
def test_symbols_that_no_quantizer_would_choose_are_coded_as_they_are(name):
    model, levels, y = latents(name, photo())
    with torch.no_grad():
        z_hat, symbols = model.prior.choose(y)
    dear = symbols.clone()
    dear[0, ::7, 3, 4] += 60  # hundreds of bits each
    sections = model.prior.encode(y, QUALITY, Choice(z_hat, dear))
    assert_symbols(model, levels, sections, z_hat, dear)


@models
def test_prices_are_those_of_the_forward_pass(name):
    model, levels, y = latents(name, photo())
    with torch.no_grad():
        out = model(levels / 255, model.quality_tensor(QUALITY))
        z_hat, symbols = model.prior.choose(y)
        gain, inverse = model.gain(model.quality_tensor(QUALITY))
        mu, bits = model.prior.price(symbols, z_hat, gain)
        assert bits(symbols).sum().item() == pytest.approx(out.bits["y"].item(), rel=1e-3)
        assert torch.allclose(model.g_s((symbols + mu) * inverse), out.x_hat, atol=1e-3)


def test_of_many_steps_the_price_is_that_of_the_file():
    """Means follow from all that is decoded before: prices are those of the walk that the encoder takes."""
    model, levels, y = latents("context", photo())
    gain, _ = model.gain(model.quality_tensor(QUALITY))
    choice = model.prior.choose(y)
    choice.chosen[0, ::40, ::2, ::2] += 1
    sections = model.prior.encode(y, QUALITY, choice)
    read = model.read(sections, QUALITY, *levels.shape[-2:])["y"] * model.prior.unit
    missed, bits_of = model.prior.price(choice.chosen, choice.z_hat, gain)
    assert torch.allclose(read.float(), choice.chosen + missed, atol=1e-3)
    assert missed.abs().max() <= 0.5 + 1e-3
    assert bits_of(choice.chosen).sum().item() == pytest.approx(8 * len(sections["y"]), rel=0.02)


@models
def test_what_a_change_gains_is_what_was_expected(name):
    model, levels, y = latents(name, photo())
    with torch.no_grad():
        z_hat, symbols = model.prior.choose(y)
    inside = torch.ones(y.shape[2:], dtype=torch.bool)
    tile = refinement.Tile(levels / 255, symbols, z_hat, inside)
    now = refinement.evaluate(model, tile, symbols, QUALITY)
    h = refinement.curvature(model, tile, QUALITY)
    expected, seen = [], []
    for channel in range(12):
        place = 0, channel, 3, 4
        changed = symbols.clone()
        changed[place] += 1
        after = refinement.evaluate(model, tile, changed, QUALITY)
        weight = float(lambda_of(QUALITY)) * 255**2 / 3
        seen.append(after.bits - now.bits + weight * (after.error - now.error))
        expected.append((now.up + now.gradient + h)[place].item())
    assert np.corrcoef(expected, seen)[0, 1] > 0.9


@models
@pytest.mark.parametrize("quality", [1, 7])
def test_the_best_so_far_never_gets_worse_and_is_what_a_pass_has_seen(name, quality):
    model, levels, _ = latents(name, photo())
    with torch.no_grad():
        gain, _ = model.gain(model.quality_tensor(quality))
        z_hat, symbols = model.prior.choose(model.analyze(levels) * gain)
    inside = torch.ones(symbols.shape[2:], dtype=torch.bool)
    tile = refinement.Tile(levels / 255, symbols, z_hat, inside)
    costs = [refinement.evaluate(model, tile, symbols, quality).cost]
    for now, best in refinement.descend(model, tile, quality, 30):
        costs.append(refinement.evaluate(model, tile, best, quality).cost)
        assert costs[-1] <= now.cost
    assert all(after <= before for before, after in pairwise(costs))
    assert costs[-1] < costs[0]


def test_a_step_that_does_harm_is_undone(monkeypatch):
    """Were every change said to gain, J would rise; what is kept is no worse than the beginning."""
    model, levels, y = latents("flagship", photo())
    with torch.no_grad():
        z_hat, symbols = model.prior.choose(y)
    tile = refinement.Tile(levels / 255, symbols, z_hat, torch.ones(symbols.shape[2:], dtype=torch.bool))
    monkeypatch.setattr(refinement, "curvature", lambda *_: torch.full_like(symbols, -1e6))
    before = refinement.evaluate(model, tile, symbols, QUALITY).cost
    passes = list(refinement.descend(model, tile, QUALITY, 12))
    assert max(now.cost for now, _ in passes) > (1 + refinement.HARM) * before
    assert refinement.evaluate(model, tile, passes[-1][1], QUALITY).cost <= before


def test_an_interruption_keeps_what_was_gained():
    picture, reports = photo(), []

    def stop(state):
        reports.append(state)
        if state.done == 6:
            raise KeyboardInterrupt

    with listening(stop):
        file = cl.encode(picture, "flagship", quality=QUALITY, effort=9)
    assert len(reports) == 6
    assert cost(picture, file) < cost(picture, cl.encode(picture, "flagship", quality=QUALITY))


def test_progress_tells_steps_bytes_and_psnr():
    picture, reports = photo().crop((0, 0, 128, 64)), []  # no pixels are added to make sides divide
    with listening(reports.append):
        file = cl.encode(picture, "hyperprior", quality=QUALITY, effort=1)
    assert [state.done for state in reports] == list(range(1, refinement.STEPS[1] + 1))
    assert {state.total for state in reports} == {refinement.STEPS[1]}
    assert reports[-1].bytes < len(file) < reports[-1].bytes + 150  # header, checksums and z
    assert reports[-1].psnr == pytest.approx(metrics.psnr(picture, cl.decode(file)), abs=0.3)


@pytest.mark.parametrize("size", [(64, 64), (1024, 1024), (1088, 2048), (3008, 1024)])
def test_tiles_change_every_latent_once(size, monkeypatch):
    model = weights.load("flagship").model
    prior, (h, w) = type(model.prior), (side // 16 for side in size)

    def moved(codec, tile, quality, steps):
        assert [16 * side for side in tile.chosen.shape[2:]] == list(tile.x.shape[2:])
        assert [4 * side for side in tile.z_hat.shape[2:]] == list(tile.chosen.shape[2:])
        assert max(tile.x.shape) <= refinement.TILE + 2 * refinement.HALO
        yield SimpleNamespace(bits=0.0, error=1.0, cost=1.0), tile.chosen + tile.inside

    monkeypatch.setattr(refinement, "descend", moved)
    hyper = torch.zeros(1, 1, h // 4, w // 4)
    monkeypatch.setattr(prior, "choose", lambda self, y: (hyper, torch.zeros_like(y)))
    levels = torch.zeros(1, 3, *size, dtype=torch.uint8)
    _, found = refinement.refine(model, levels, torch.zeros(1, 2, h, w), QUALITY, 1, size)
    assert (found == 1).all()


def test_a_picture_of_many_tiles_gains_too(monkeypatch):
    monkeypatch.setattr(refinement, "TILE", 64)
    picture = photo()
    plain, refined = (cl.encode(picture, quality=QUALITY, effort=effort) for effort in (0, 1))
    assert cost(picture, refined) < cost(picture, plain)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (65, 17)])
def test_any_size(size):
    picture = photo().resize(size)
    assert cl.decode(cl.encode(picture, effort=1)).size == size


@pytest.mark.parametrize("name", ["flagship", "hyperprior"])
def test_padding_counts_nothing(name):
    picture = photo().crop((20, 20, 90, 90))  # more than half of what the network sees is padded
    told = []
    with listening(told.append):
        refined = cl.encode(picture, name, quality=QUALITY, effort=3)
    assert cost(picture, refined) < 0.97 * cost(picture, cl.encode(picture, name, quality=QUALITY))
    assert told[-1].psnr == pytest.approx(metrics.psnr(picture, cl.decode(refined)), abs=0.1)


def test_a_grey_picture_stays_grey():
    assert cl.decode(cl.encode(photo().convert("L"), effort=1)).mode == "L"


def test_an_application_in_inference_mode_is_served_alike():
    expected = cl.encode(photo(), "hyperprior", quality=QUALITY, effort=1)
    weights._load.cache_clear()  # so that the parameters are made in there, too
    with torch.inference_mode():
        assert cl.encode(photo(), "hyperprior", quality=QUALITY, effort=1) == expected
