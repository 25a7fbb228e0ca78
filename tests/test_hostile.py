"""No damaged file crashes, hangs, or gives a wrong picture without saying so.

`make test-long` decodes `LONG` more of them. One seed of a failure replays it, see `tools.damage`.
"""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import container, data, weights
from codec_lib.entropy import range_coder, rans
from codec_lib.errors import BitstreamError
from tests.entropy.tables import bells
from tools import damage

SHORT, LONG, CHUNK = 800, 30_000, 3000
PROCESS = Path("/proc/self")
POSITION = 9  # bytes a padded pixel: one symbol of 64 bits, and whether it was sent
SLACK = 2**24  # bytes: what an allocator keeps, and the system counts late
REFUSED = r"rans|escape codes|(decisions|residual): |cannot be read"


@pytest.fixture(scope="module")
def originals():
    """Intact files of every model; decoding them once also compiles the coder."""
    return damage.originals()


def broken_claims(seeds, originals) -> list[str]:
    cases = (damage.case(seed, originals) for seed in seeds)
    verdicts = ((case, damage.judge(case, originals)) for case in cases)
    return [f"seed {c.seed} ({c.kind}): {v.check}" for c, v in verdicts if v.outcome == "failed"]


def test_a_damaged_file_is_refused_within_two_seconds(originals):
    assert broken_claims(range(SHORT), originals) == []


@pytest.mark.long
@pytest.mark.parametrize("start", range(SHORT, SHORT + LONG, CHUNK))
def test_many_damaged_files_are_refused_within_two_seconds(originals, start):
    assert broken_claims(range(start, start + CHUNK), originals) == []


def test_the_stored_measurement_has_no_broken_claim():
    stored = data.results("damage")
    files = stored["files"]
    assert files["broken_claims"] == []
    for name, digest in files.get("weights", {}).items():  # which early files do not have
        assert weights.load(name).digest == digest
    assert files["files"] == files["refused"] + files["equal"] + files["different"] >= 20_000
    assert set(files["kinds"]) == set(damage.KINDS)
    assert files["slowest_seconds"] < 2
    for kind, row in files["kinds"].items():
        assert row["different"] == 0 or kind in damage.CHECKSUMS_RIGHT
    ours = stored["coders"]["codec_lib.rans"]
    assert ours["crashed"] == ours["hung"] == ours["right"] == 0
    assert ours["garbage"] <= 0.05 * ours["streams"]


@pytest.mark.parametrize("kind", damage.KINDS)
def test_every_kind_of_damage_changes_most_files(originals, kind):
    first = list(damage.KINDS).index(kind)
    files = {original.data for original in originals}
    cases = [damage.case(first + k * len(damage.KINDS), originals) for k in range(10)]
    assert {case.kind for case in cases} == {kind}
    assert sum(case.data not in files for case in cases) >= 5


def test_a_case_is_made_from_its_seed_alone(originals):
    for seed in range(len(damage.KINDS)):
        assert damage.case(seed, originals) == damage.case(seed, originals)


def test_a_wrong_picture_or_exception_would_be_reported(originals, monkeypatch):
    """The judge itself can say no."""
    case = damage.Case(0, "none", originals[0].data[:-1], resealed=False)
    assert damage.judge(case, originals).outcome == "refused"

    def wrong(data):
        raise KeyError("y")

    monkeypatch.setattr(cl, "decode", wrong)
    assert damage.judge(case, originals).check == "KeyError('y')"
    monkeypatch.setattr(cl, "decode", lambda data: originals[0].decoded)
    intact = container.inspect(originals[0].data)
    monkeypatch.setattr(container, "inspect", lambda data: intact)
    assert damage.judge(case, originals).check == "a picture of a damaged file"
    assert damage.judge(case, originals, seconds=0).check.startswith("took ")


def peak(task: Callable) -> int:
    """Bytes by which this process grows at most: the system counts PyTorch's memory, Python does not."""

    def status(name: str) -> int:
        return 1024 * int(re.findall(rf"{name}:\s+(\d+) kB", (PROCESS / "status").read_text())[0])

    (PROCESS / "clear_refs").write_text("5")  # from now on VmHWM is the most that there was
    before = status("VmRSS")
    task()
    return status("VmHWM") - before


counted = pytest.mark.skipif(
    not (PROCESS / "clear_refs").exists(), reason="/proc/self/clear_refs is Linux's"
)


@counted
def test_the_memory_of_pytorch_is_seen():
    for size in (2**26, 2**28):
        grown = peak(lambda size=size: torch.ones(size, dtype=torch.uint8))
        assert size - SLACK <= grown <= size + SLACK


@counted
@pytest.mark.parametrize("model", weights.available())
@pytest.mark.parametrize("size", [(8192, 8192), (65536, 1024), (1024, 65536), (1, 65536), (65536, 1)])
def test_a_giant_that_a_few_bytes_claim_is_refused_by_the_coder_and_soon(originals, model, size):
    head, sections = next(damage.parts_of(o.data) for o in originals if o.model == model)
    width, height = size
    giant = replace(head, width=width, height=height)
    random = np.random.default_rng(0)
    needed = set(sections) - set(weights.load(model).model.optional)  # and the model is kept from now on
    for length in (0, 1, 11, 100, 101):
        file = container.write(giant, {name: random.bytes(length) for name in sections if name in needed})

        def refused(file=file):
            with pytest.raises(BitstreamError, match=REFUSED):
                cl.decode(file)

        start = time.perf_counter()
        grown = peak(refused)
        assert time.perf_counter() - start < 2
        assert grown < POSITION * (width + 63) * (height + 63) + SLACK


def message(count: int):
    """Symbols, indexes and tables with a few escapes in the symbols."""
    random = np.random.default_rng(count)
    indexes = random.integers(16, size=count).astype(np.uint8)
    symbols = np.rint(random.standard_cauchy(count) * 1.5 ** (indexes / 2)).astype(np.int32)
    return symbols, indexes, bells()


def coder_damage(coder, count: int, seeds) -> int:
    """Decode damaged streams; return how many of them gave symbols, not an error."""
    symbols, indexes, tables = message(count)
    intact, other = coder.encode(symbols, indexes, tables), coder.encode(symbols[::-1], indexes, tables)
    decoded = 0
    for seed in seeds:
        random = np.random.default_rng(seed)
        damaged = damage.BYTES[seed % len(damage.BYTES)](intact, random, other)
        try:
            found = coder.decode(damaged, indexes, tables)
        except BitstreamError:
            continue
        assert (found.dtype, found.shape) == (np.int32, symbols.shape), f"seed {seed}"
        assert np.array_equal(found, symbols) == (damaged == intact), f"seed {seed}"
        decoded += damaged != intact
    return decoded


@pytest.mark.parametrize(("count", "cases"), [(1, 900), (40, 900), (3000, 180), (20_000, 45)])
def test_damaged_rans_streams_raise_or_give_other_symbols(count, cases):
    assert coder_damage(rans, count, range(cases)) <= cases / 20


@pytest.mark.parametrize("count", [1, 40, 300])
def test_damaged_range_coder_streams_raise_or_are_streams_of_other_symbols(count):
    coder_damage(range_coder, count, range(180))


@pytest.mark.parametrize("coder", [rans, range_coder])
def test_what_a_coder_accepts_is_what_its_encoder_writes(coder):
    _, indexes, tables = message(4)
    for seed in range(1000):
        damaged = np.random.default_rng(seed).bytes(seed % 12)
        try:
            found = coder.decode(damaged, indexes, tables)
        except BitstreamError:
            continue
        assert coder.encode(found, indexes, tables) == damaged, f"seed {seed}"
