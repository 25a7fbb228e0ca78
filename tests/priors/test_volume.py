"""The prior of a volume: causal in every plane, exact however it is run, with honest estimates."""

import pytest
import torch

from codec_lib.errors import SectionError
from codec_lib.exact import diagonal
from codec_lib.exact.frozen import Frozen
from codec_lib.priors import decisions
from codec_lib.priors import volume as module
from codec_lib.priors.volume import VolumePrior

C, K, S = 5, 6, 2


def untrained(levels, side=S):
    """A prior with opinions of its own."""
    torch.manual_seed(0)
    prior = VolumePrior("codes", C, levels, K, side, Frozen()).eval().requires_grad_(False)
    for layer in (prior.first, prior.second, prior.third, prior.last):
        layer.weight.mul_(6 / levels)
    prior.of_channel.normal_().mul_(0.3)
    prior.freeze()
    return prior


@pytest.fixture(scope="module", params=[2, 3, 6])
def prior(request):
    return untrained(request.param)


def volume(prior, height=6, width=7, seed=0):
    """Symbols (C, h, w), where they are sent, and side information."""
    generator = torch.Generator().manual_seed(seed)
    symbols = torch.randint(0, prior.L, (C, height, width), generator=generator)
    sent = torch.rand(C, height, width, generator=generator) < 0.7
    side = torch.randint(-3, 4, (S, height, width), generator=generator)
    return symbols * sent, sent, side


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (6, 1), (6, 7), (11, 12)])
@pytest.mark.parametrize("block", [4, 128])
def test_every_symbol_comes_back(prior, size, block, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_SIDE", block)
    symbols, sent, side = volume(prior, *size)
    data = prior.encode(symbols, sent, side)
    assert torch.equal(prior.decode(data, size, sent, side), symbols)


def test_a_section_does_not_depend_on_how_many_places_go_through_a_layer_at_once(prior, monkeypatch):
    """Layers see what the one before them gave in the same plane: also where a plane is cut."""
    arguments = volume(prior)
    sections = []
    for chunk in (3, 1000):
        monkeypatch.setattr(module, "CHUNK", chunk)
        sections.append(prior.encode(*arguments))
    assert sections[0] == sections[1]


def test_without_side_or_mask_too():
    prior = untrained(6, side=0)
    symbols = torch.randint(0, 6, (C, 4, 5))
    assert torch.equal(prior.decode(prior.encode(symbols), (4, 5)), symbols)


def test_nothing_sent_takes_no_table(prior):
    symbols, sent, side = volume(prior)
    nothing = torch.zeros_like(sent)
    data = prior.encode(0 * symbols, nothing, side)
    assert data == bytes(module.COUNT)
    assert prior.decode(data, (6, 7), nothing, side).eq(0).all()


def test_estimated_bits_are_those_of_the_section(prior):
    symbols, sent, side = volume(prior, 24, 32)
    estimated = prior(symbols[None], sent[None], side[None].float()).sum().item()
    written = 8 * (len(prior.encode(symbols, sent, side)) - module.COUNT)
    assert written == pytest.approx(estimated, rel=0.01, abs=8 * 8)


@pytest.mark.parametrize("changed", [(0, 2, 3), (4, 1, 1), (2, 5, 0)])
def test_a_place_sees_nothing_of_its_plane_or_later(prior, changed):
    symbols, _, side = volume(prior)
    other = symbols.clone()
    other[changed] = (other[changed] + 1) % prior.L
    logits = [logits_of(prior, s, side) for s in (symbols, other)]
    k, i, j = torch.meshgrid(*map(torch.arange, symbols.shape), indexing="ij")
    is_later = k + i + j > sum(changed)
    differs = (logits[0] != logits[1]).any(0)
    assert not differs[~is_later].any()
    assert differs[is_later].any() or not is_later.any()


def logits_of(prior, symbols, side):
    caught = []
    hook = prior.last.register_forward_hook(lambda *given: caught.append(given[-1]))
    prior(symbols[None], side=side[None].float())
    hook.remove()
    return caught[0][0]


def test_exact_on_one_thread_and_two_and_without_onednn(prior):
    given, threads = volume(prior, 12, 16), torch.get_num_threads()
    expected = prior.encode(*given)
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert prior.encode(*given) == expected
    finally:
        torch.set_num_threads(threads)
    with torch.backends.mkldnn.flags(enabled=False):
        assert prior.encode(*given) == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda s: b"",
        lambda s: s[:-2],
        lambda s: s + b"\0\0",
        lambda s: b"\xff\xff\xff\xff" + s[4:],
        lambda s: b"\1" + s[1:],
    ],
)
def test_damage_is_refused_by_the_name_of_the_section(prior, change):
    symbols, sent, side = volume(prior)
    data = prior.encode(symbols, sent, side)
    with pytest.raises(SectionError, match=r"^section codes: "):
        prior.decode(change(data), (6, 7), sent, side)


def test_training_reaches_every_parameter():
    prior = VolumePrior("codes", C, 6, K, S, Frozen())
    symbols, sent, side = volume(prior)
    prior(symbols[None], sent[None], side[None].float()).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in prior.parameters())


@pytest.mark.parametrize("levels", range(2, 9))
def test_decisions_lead_to_every_symbol_and_their_probabilities_sum_to_one(levels):
    nodes = decisions.tree(levels)
    assert len(nodes) == levels - 1
    logits = torch.randn(1, levels - 1, 1, dtype=torch.float64).expand(-1, -1, levels)
    bits = decisions.bits(logits, torch.arange(levels)[None], levels)
    assert (2**-bits).sum().item() == pytest.approx(1, abs=1e-5)
    symbols = torch.arange(levels)
    taken, _ = decisions.write(symbols, torch.zeros(levels - 1, levels, dtype=torch.uint8), levels)
    left = iter(taken)
    decide = lambda tables: torch.tensor([int(next(left)) for _ in tables])  # noqa: E731
    assert torch.equal(decisions.read(decide, torch.zeros(levels - 1, levels), levels), symbols)


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 4, 5)])
def test_planes_hold_every_place_once_and_taps_point_to_earlier_ones(size):
    order = torch.cat(diagonal.steps(size))
    assert order.sort().values.tolist() == list(range(order.numel()))
    assert (diagonal.taps(5, strict=True).sum(1) < 0).all()
    assert len(diagonal.taps(5, strict=True)) + len(diagonal.taps(5, strict=False)) == 5**3
