"""The prior of bits: causal in every step, exact however it is run, and its estimate is what is written."""

import numpy as np
import pytest
import torch

from codec_lib.errors import BitstreamError, SectionError
from codec_lib.exact.frozen import Frozen
from codec_lib.priors import bits as module
from codec_lib.priors.bits import STEPS, BitsPrior, BitsWalk

C, T = 8, 4


@pytest.fixture(scope="module", params=[1, 2])
def prior(request):
    """An untrained prior with opinions of its own, of iterations or of bit planes."""
    torch.manual_seed(0)
    prior = BitsPrior(C, T, 12, Frozen(), growth=request.param).eval().requires_grad_(False)
    for layer in prior.network[::2]:
        layer.weight.mul_(3)
    prior.freeze()
    return prior


def some_bits(height=5, width=7, iterations=T, seed=0):
    """Bits that repeat themselves a little, -1 or 1, int8 (t, C, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(iterations, C, height, width, generator=generator)
    return torch.where(noise.cumsum(0) % 1 < 0.6, 1, -1).to(torch.int8)


def sections(prior, bits):
    return {f"bits {t}": data for t, data in enumerate(prior.encode(bits), 1)}


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (6, 1), (5, 7), (8, 12)])
def test_every_bit_comes_back_and_any_first_iterations_alone(prior, size):
    bits = some_bits(*size)
    coded = sections(prior, bits)
    for count in range(1, T + 1):
        first = dict(list(coded.items())[:count])
        assert torch.equal(prior.decode(first, torch.full(size, T)), bits[:count])


def test_estimated_bits_are_those_of_the_sections(prior):
    bits = some_bits(24, 32)
    estimated = prior(bits[None].float())[0]
    for data, bits_of_one in zip(prior.encode(bits), estimated, strict=True):
        expected = min(bits_of_one.item(), bits[0].numel())  # packed where that is shorter
        assert 8 * len(data) == pytest.approx(expected, rel=0.01, abs=8 * 8)
        assert 8 * len(data) <= bits[0].numel()


def test_a_step_sees_nothing_that_is_decoded_later(prior):
    """Change one bit: only steps after its own get other tables, in its iteration and in later ones."""
    bits = some_bits()
    step_of = prior.step_of(5, 7)

    def tables(bits):
        walk, seen = BitsWalk(prior, 5, 7, bits.device), []
        for iteration in bits.flatten(2):
            for channels, places in walk.steps(torch.ones(35, dtype=torch.bool)):
                seen.append(walk.indexes(channels, places))
                walk.put(channels, places, iteration[channels][:, places])
            walk.end_iteration()
        return seen

    before = tables(bits)
    for channel, row, column in ((0, 2, 3), (7, 2, 2), (3, 0, 0)):
        changed = bits.clone()
        changed[1, channel, row, column] *= -1
        differs = [not torch.equal(a, b) for a, b in zip(before, tables(changed), strict=True)]
        own = STEPS + int(step_of[channel, row, column])
        assert not any(differs[: own + 1])
        assert any(differs[own + 1 :])


def test_each_bit_is_decoded_once(prior):
    walk = BitsWalk(prior, 5, 7, torch.device("cpu"))
    count = torch.zeros(C, 35)
    for channels, places in walk.steps(torch.ones(35, dtype=torch.bool)):
        count[channels[:, None], places] += 1
    assert (count == 1).all()


def test_places_that_have_stopped_cost_nothing_and_come_back_as_zeros(prior):
    counts = torch.randint(0, T + 1, (9, 6), generator=torch.Generator().manual_seed(1))
    counts[0] = T
    bits = some_bits(9, 6) * (counts > torch.arange(T)[:, None, None])[:, None]
    coded = sections(prior, bits)
    assert torch.equal(prior.decode(coded, counts), bits)
    estimated = prior(bits[None].float())[0]
    for data, bits_of_one, sent in zip(
        coded.values(), estimated, bits.abs().flatten(1).sum(1), strict=True
    ):
        expected = min(bits_of_one.item(), sent.item())  # packed where that is shorter
        assert 8 * len(data) == pytest.approx(expected, rel=0.01, abs=8 * 8)
    nothing = torch.zeros_like(bits[:1])
    assert prior.encode(nothing) == [b""]
    assert torch.equal(prior.decode({"bits 1": b""}, torch.zeros(9, 6)), nothing)


def test_exact_on_one_thread_and_two_and_without_onednn(prior):
    bits = some_bits(16, 24)
    expected, threads = prior.encode(bits), torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert prior.encode(bits) == expected
    finally:
        torch.set_num_threads(threads)
    with torch.backends.mkldnn.flags(enabled=False):
        assert prior.encode(bits) == expected


@pytest.mark.parametrize("change", [lambda s: b"", lambda s: s[:-2], lambda s: s + b"\0\0"])
def test_damage_is_refused_by_the_name_of_the_section(prior, change):
    coded = sections(prior, some_bits())
    with pytest.raises(SectionError, match=r"^section bits 2: "):
        prior.decode({**coded, "bits 2": change(coded["bits 2"])}, torch.full((5, 7), T))


def test_a_symbol_that_is_no_bit_is_refused(prior, monkeypatch):
    honest = module.rans.encode
    monkeypatch.setattr(
        module.rans, "encode", lambda symbols, *rest: honest(symbols + 2 * (symbols > 0), *rest)
    )
    monkeypatch.setattr(module.np, "packbits", lambda bits: np.zeros(10**6, np.uint8))
    coded = sections(prior, some_bits())
    with pytest.raises(SectionError, match="neither 0 nor 1"):
        prior.decode(coded, torch.full((5, 7), T))


def test_training_lowers_what_repeated_bits_cost():
    torch.manual_seed(0)
    prior = BitsPrior(C, T, 12, Frozen()).train()
    optimizer = torch.optim.Adam(prior.parameters(), 0.01)

    def repeated(seed):
        """Bits of a coin in the first iteration, and the same ones in all others."""
        first = torch.rand(4, 1, C, 8, 8, generator=torch.Generator().manual_seed(seed))
        return torch.where(first < 0.5, 1.0, -1.0).expand(-1, T, -1, -1, -1)

    for seed in range(150):
        optimizer.zero_grad()
        prior(repeated(seed)).sum().backward()
        optimizer.step()
    cost = prior.eval()(repeated(-1)).mean(0) / (C * 8 * 8)
    assert cost[0] > 0.9
    assert cost[2] < 0.2


def test_what_does_not_get_shorter_is_packed(prior):
    bits = some_bits()
    coded = sections(prior, bits)
    assert {len(data) for data in coded.values()} == {bits[0].numel() // 8}
    assert torch.equal(prior.decode(coded, torch.full((5, 7), T)), bits)


def test_packed_bits_fill_their_last_byte_with_zeros():
    honest, wrong = (module.PackedBits(bytes([last]), 7) for last in (0b1000_0010, 0b1000_0011))
    assert honest.read(np.zeros(7)).tolist() == [1, 0, 0, 0, 0, 0, 1]
    honest.complete()
    with pytest.raises(BitstreamError, match="not filled with zeros"):
        wrong.complete()
