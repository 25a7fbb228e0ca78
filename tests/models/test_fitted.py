"""The codec for one picture: exact files of any size, hostile bytes refused, fitting that gains."""

import numpy as np
import pytest
import torch

import codec_lib as cl
from codec_lib import data, progress
from codec_lib.errors import SectionError
from codec_lib.fitting import coder, fit, grids, price, rounding
from codec_lib.fitting.parameters import COUNT, GRIDS, NEAR_COUNT, far, fresh, grid_sizes, parts
from codec_lib.fitting.passes import Passes
from codec_lib.measure import metrics
from codec_lib.models import fitted
from codec_lib.models.fitted import Fitted

PHOTO = data.sample("astronaut")


@pytest.fixture(scope="module")
def model():
    """Nothing but a starting point; what it codes is exact all the same."""
    return Fitted().eval().requires_grad_(False).freeze()


@pytest.fixture
def quick(monkeypatch):
    """Ten iterations, whatever is asked for."""
    monkeypatch.setattr(fitted, "ITERATIONS", (10,) * len(fitted.ITERATIONS))


def levels(width: int, height: int) -> torch.Tensor:
    """uint8 (1, 3, H, W): a part of a photograph."""
    crop = PHOTO.crop((100, 50, 100 + width, 50 + height))
    return torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None]


def random_grids(height: int, width: int, spread: float, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [
        np.rint(random.laplace(0, spread, size)).clip(-255, 255).astype(np.int32)
        for size in grid_sizes(height, width)
    ]


def random_network(seed: int = 0) -> np.ndarray:
    """Parameters that are multiples of 2^-7."""
    vector = fresh(seed) + np.random.default_rng(seed).normal(0, 0.2, fresh().size)
    return (np.rint(vector * 128) / 128).astype(np.float32)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 1), (3, 200), (200, 3), (64, 64), (65, 31)])
def test_any_size_comes_back(model, quick, width, height):
    x = levels(width, height)
    sections = model.compress(x, 4.0)
    shown = model.decompress(sections, 4.0, height, width)
    assert shown.shape == x.shape
    integers = model.read(sections, 4.0, height, width)
    assert set(integers) == {"n", *(f"y{k}" for k in range(GRIDS))}
    assert [tuple(integers[f"y{k}"].shape) for k in range(GRIDS)] == grid_sizes(height, width)


@pytest.mark.parametrize("spread", [0.01, 0.3, 3, 60])
@pytest.mark.parametrize("size", [(1, 1), (1, 130), (130, 1), (37, 70)])
def test_the_decoder_finds_the_integers_of_the_encoder(model, spread, size):
    grids, network = random_grids(*size, spread), parts(random_network()).network
    tables = model.frozen.laplace_tables("y")
    section = coder.encode(grids, network, tables)
    decoded = coder.decode(section, *size, network, tables)
    assert all(np.array_equal(a, b) for a, b in zip(decoded, grids, strict=True))


def test_a_file_is_as_long_as_the_passes_say(model):
    """The integer network and its tables lose little against the floats that were fitted."""
    grids, vector = random_grids(120, 150, 0.8), (np.rint(fresh() * 128) / 128).astype(np.float32)
    passes = Passes(np.zeros((3, 120, 150), np.float32))
    passes.harden([grid.astype(np.float32) for grid in grids])
    bits = passes.bits(vector, is_forward=True).sum()
    section = coder.encode(grids, parts(vector).network, model.frozen.laplace_tables("y"))
    # All n symbols of a grid get 2^-16 of the slots beforehand: log2(1 - n 2^-16) for each place. A log
    # scale that is wrong by up to 1/64 costs (1/64)^2 / 2 nats. Head, state and a word that is not full:
    # 24 bytes.
    places = sum(grid.size for grid in grids)
    symbols = max(grid.max() - grid.min() + 1 for grid in grids)
    allowed = places * (-np.log2(1 - symbols / 2**16) + 2.0**-13 / np.log(2)) + 8 * 24
    # It may be shorter: what a density has beyond the smallest and largest value falls to these two.
    assert 0.9 * bits < 8 * len(section) < bits + allowed < 1.005 * bits


def test_places_do_not_see_what_comes_later(model):
    """Change one value of the finest grid: what was coded before keeps its entries."""
    network, tables = parts(random_network()).network, model.frozen.laplace_tables("y")
    grids = random_grids(20, 30, 1.0)
    net, height, width = coder.integer_network(network), 20, 30
    found = []
    for change in (0, 1):
        grids[0][11, 17] += change
        planes = coder._planes([g.astype(np.float32) for g in grids[:0:-1]], height, width)
        coder._inside(planes, height, width)[:] = grids[0]
        entries = np.empty(height * width, np.uint32)
        coder._find_entries(planes, height, width, -60, 60, net, *tables, entries)
        found.append(entries.reshape(height, width))
    changed = np.argwhere(found[0] != found[1])
    assert changed.min(0)[0] == 11
    assert (changed[:, 0] * width + changed[:, 1]).min() == 11 * width + 17
    assert len(changed) > 1


def test_the_integers_fit_into_a_float64():
    """At the largest weights and values, sums stay below 2^53, so that their order does not matter."""
    limit, (C, SEEN) = coder.WEIGHT_LIMIT, (coder.C, coder.SEEN)
    first = SEEN * limit * grids.LARGEST + limit
    second = C * limit * coder.CLIP + limit * coder.ONE
    outputs = C * limit * coder.CLIP + SEEN * limit * grids.LARGEST * coder.ONE + limit * coder.ONE
    assert max(first, second, outputs) < 2**53


@pytest.mark.parametrize("step", [3, 5, 12, None])
def test_parameters_come_back(model, step):
    start, tables = fresh(), model.frozen.tables("n")
    steps = dict.fromkeys(rounding.groups(), step)
    vector = rounding._round(start if step is None else random_network(3), step or 12)
    section = rounding.encode(vector, steps, start, tables)
    assert np.array_equal(rounding.decode(section, start, tables), vector)
    assert step or len(section) == 1 + len(steps)


def test_groups_are_all_parameters_once():
    for parts_of_vector in (list(rounding.groups().values()), [*rounding.earlier_groups(), far()]):
        assert np.array_equal(np.sort(np.concatenate(parts_of_vector)), np.arange(COUNT))


@pytest.mark.parametrize("parameters", [NEAR_COUNT, COUNT])
def test_a_small_picture_pays_for_no_neighbours_that_are_far(parameters):
    model = Fitted(parameters).freeze()
    for side, is_moved in ((350, False), (400, True)):
        one = model.begin(levels(side, side), 4.0)
        one.move(3, lambda _: None)
        assert (one.vector != model.start_vector)[far()].any() == is_moved


def test_a_start_has_neighbours_that_are_far_or_none(model):
    assert not model.start_vector[far()].any()
    assert Fitted(COUNT).start_vector[far()].all()
    with pytest.raises(ValueError, match="parameters: 1000"):
        Fitted(1000)


def test_a_fit_pays_for_its_parameters(model, monkeypatch):
    """Without their price the same fit spends more on them, and more in all."""
    x = levels(96, 96)
    found = []
    for gradient in (price.gradient, np.zeros_like):
        monkeypatch.setattr(price, "gradient", gradient)
        begun = model.begin(x, 4.0)
        state = begun.run(400)
        length = len(model.write(begun, state)["n"])
        found.append((length, begun.cost(state) + 8 * length))
    assert found[0][0] < 0.97 * found[1][0]
    assert found[0][1] < found[1][1]


@pytest.mark.filterwarnings("error")
def test_parameters_that_overflow_are_refused(model):
    vector = np.zeros(COUNT, np.float32)
    net = parts(vector)
    net.taps[:] = net.synthesis.w1[:] = net.synthesis.w2[:] = net.synthesis.k1[:] = net.synthesis.k2[:] = 60
    net.synthesis.s[:] = -60
    net.synthesis.k2[1::2] = -60
    steps = dict.fromkeys(rounding.groups(), 3)
    grids = [np.full(size, 255 * (k == GRIDS - 1), np.int32) for k, size in enumerate(grid_sizes(40, 56))]
    sections = {
        "n": rounding.encode(vector, steps, model.start_vector, model.frozen.tables("n")),
        "y": coder.encode(grids, net.network, model.frozen.laplace_tables("y")),
    }
    with pytest.raises(SectionError, match="section n: parameters give no numbers"):
        model.decompress(sections, 4.0, 40, 56)


@pytest.mark.parametrize("name", ["n", "y"])
def test_damaged_sections_are_refused_or_give_a_picture(model, quick, name):
    sections = model.compress(levels(40, 30), 4.0)
    random, refused = np.random.default_rng(0), 0
    for _ in range(150):
        damaged = bytearray(sections[name])
        for place in random.integers(len(damaged), size=random.integers(1, 4)):
            damaged[place] = random.integers(256)
        cut = (
            bytes(damaged[: random.integers(len(damaged) + 1)]) if random.random() < 0.3 else bytes(damaged)
        )
        try:
            shown = model.decompress({**sections, name: cut}, 4.0, 30, 40)
        except SectionError:
            refused += 1
        else:
            assert shown.shape == (1, 3, 30, 40)
    assert refused >= 120


def test_weights_that_are_too_large_are_refused(model):
    vector = fresh()
    vector[0] = 64
    with pytest.raises(cl.BitstreamError, match="w1 is out of range"):
        coder.integer_network(parts(vector).network)


def test_fitting_gains_and_reports(model):
    x = levels(64, 48)
    reports = []
    with progress.listening(reports.append):
        sections = model.compress(x, 6.0, effort=1)
    assert reports[-1].done == reports[-1].total == fitted.ITERATIONS[1]
    assert reports[-1].psnr > reports[0].psnr
    shown = model.decompress(sections, 6.0, 48, 64)
    # The last report is of the file; in between, pixels are not rounded to levels.
    assert metrics.psnr(x[0].numpy(), shown[0].numpy()) == pytest.approx(reports[-1].psnr, abs=0.1)
    assert reports[-1].bytes == sum(map(len, sections.values()))


def test_a_state_on_the_way_has_a_file_of_its_own_and_disturbs_nothing(model):
    x, kept, early = levels(64, 48), [], []
    one, other = model.begin(x, 6.0), model.begin(x, 6.0)

    def keep(*_):
        kept.append(one.best)
        early.append(model.write(one, one.best))

    one.run(100, keep)
    assert model.write(one, one.best) == model.write(other, other.run(100))
    assert model.write(one, kept[0]) == early[0] != model.write(one, one.best)
    shown = [model.decompress(sections, 6.0, 48, 64) for sections in (early[0], early[-1])]
    psnrs = [metrics.psnr(x[0].numpy(), picture[0].numpy()) for picture in shown]
    assert psnrs[0] < psnrs[1]


def test_an_interrupted_fit_keeps_the_best_so_far(model):
    def stop(state):
        if state.done >= 2 * fit.CHECK:
            raise KeyboardInterrupt

    with progress.listening(stop):
        sections = model.compress(levels(48, 48), 6.0, effort=model.best_effort)
    assert model.decompress(sections, 6.0, 48, 48).shape == (1, 3, 48, 48)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3)])
def test_parameters_do_not_run_away_in_a_tiny_picture(model, size):
    """Its gradients have few directions, and nothing holds parameters along the others."""
    state = model.begin(levels(*size[::-1]), 8.0).run(600)
    assert np.abs(state.vector).max() < 4


def test_threads_do_not_change_a_fit(monkeypatch):
    x = levels(72, 80)[0].numpy().astype(np.float32) / 255
    found = []
    for large in (1, 1 << 30):  # with threads, without
        monkeypatch.setattr("codec_lib.fitting.passes.LARGE", large)
        one = fit.Fit(x, 1000.0, fresh())
        found.append(one.run(8))
        one.passes.close()
    assert found[0].bits == found[1].bits
    assert np.array_equal(found[0].vector, found[1].vector)


@pytest.mark.parametrize("mode", ["L", "RGBA", "RGB"])
def test_the_whole_library_takes_it_by_its_name(quick, mode):
    image = PHOTO.crop((150, 20, 190, 60)).convert(mode)
    file = cl.encode(image, "fitted", quality=5, effort=2)
    assert cl.decode(file).mode == mode
    assert cl.inspect(file).header.model == "fitted"
    with pytest.raises(ValueError, match="effort: 10; fitted takes 0 to 9"):
        cl.encode(image, "fitted", effort=10)


def test_a_file_for_another_size_is_refused_at_once(model, quick):
    """Zeros cost nothing: without this a hundred bytes could claim, and take, the time of 2^27 pixels."""
    sections = model.compress(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), 1.0)
    with pytest.raises(SectionError, match="another size than 65536 x 1024"):
        model.decompress(sections, 1.0, 1024, 65536)


def test_no_latent_leaves_what_can_be_coded(model):
    """However it is pushed: by a step of Adam, or by one that is tried."""
    one = model.begin(levels(48, 48), 5.0)
    one.steps = 1
    one.latents[0][:] = grids.LARGEST - 0.5
    for moment in one.moments:
        moment[0][:] = 0
    one.passes.soften(one.latents, one._noise(), 0.1, 0.3)
    one.passes.g[0][:] = -1e6
    one.passes.slope[0][:] = 1
    one._move_grids(1.0)
    assert one.latents[0].max() == grids.LARGEST
    one.passes.harden(one.latents)
    descent = fit.Descent(one.passes, one.latents, one.vector, one.weight)
    promise, step = descent.promises(0)
    is_full = one.latents[0] == grids.LARGEST
    assert is_full.any()
    assert not ((promise < 0) & (step > 0) & is_full).any()
    one.passes.close()
