"""The near-lossless codec: every sample within tau, the same integers however it is run."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codec_lib.entropy.adaptive import Adaptive
from codec_lib.entropy.mixture import Fixed
from codec_lib.errors import BitstreamError
from codec_lib.models.near_lossless import NearLossless, reconstruct
from codec_lib.priors import residual, residual_coder
from codec_lib.quantize import near_lossless as quantize
from codec_lib.setting import TAU


@pytest.fixture(scope="module")
def model():
    """An untrained model; what it codes is exact all the same."""
    torch.manual_seed(0)
    return NearLossless(N=4, M=6, C=8).eval().requires_grad_(False).freeze()


def tensor(levels: np.ndarray) -> torch.Tensor:
    """uint8 (1, 3, H, W) from (H, W, 3) levels."""
    return torch.from_numpy(levels.astype(np.uint8)).permute(2, 0, 1)[None]


def picture(kind: str, height: int, width: int, seed: int = 0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    ramp = (3 * rows + 2 * columns) % 256
    levels = {
        "noise": random.integers(0, 256, (height, width, 3)),
        "soft": np.clip(ramp[..., None] + random.normal(0, 3, (height, width, 3)), 0, 255),
        "constant": np.full((height, width, 3), (17, 200, 255)),
        "saturated": 255 * random.integers(0, 2, (height, width, 3)),
        "grey": np.repeat(ramp[..., None], 3, 2),
    }[kind]
    return tensor(levels)


def largest_error(a: torch.Tensor, b: torch.Tensor) -> int:
    return int((a.int() - b.int()).abs().max())


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(["noise", "soft", "constant", "saturated", "grey"]),
    height=st.integers(1, 40),
    width=st.integers(1, 70),
    tau=st.integers(0, 20),
    seed=st.integers(0, 99),
)
def test_every_sample_is_within_tau(model, kind, height, width, tau, seed):
    x = picture(kind, height, width, seed)
    streams = model.compress(x, tau)
    decoded = model.decompress(streams, tau, height, width)
    assert largest_error(decoded, x) <= tau


def test_the_bound_is_reached(model):
    x = picture("noise", 16, 16)
    for tau in (1, 4):
        assert largest_error(model.decompress(model.compress(x, tau), tau, 16, 16), x) == tau


def test_grey_is_coded_once(model):
    grey, colour = picture("grey", 40, 40), picture("soft", 40, 40)
    assert model.prior.check(model.compress(grey, 0)["r"]) == 1
    assert model.prior.check(model.compress(colour, 0)["r"]) == 3


@torch.inference_mode()
def coder(model, x, tau):
    """A coder for a picture, and the picture's quantized residual."""
    height, width = x.shape[-2:]
    y_hat = model.lossy.read(model.lossy.compress(x, 1.0), 1.0, height, width)["y"]
    x_tilde, features = reconstruct(model.frozen, y_hat, 3)
    r_hat = quantize(x[0].int() - x_tilde[:, :height, :width].int(), tau)
    alphabet = residual_coder.Alphabet(tau, np.array([[-255, 255]] * 3) // (2 * tau + 1))
    return residual_coder.ResidualCoder(model.frozen, x_tilde, features, (height, width), alphabet), r_hat


@pytest.mark.parametrize("tau", [0, 3])
@pytest.mark.parametrize("tile", [(512, 768), (16, 10), (6, 64)])
@pytest.mark.parametrize("chunk", [1, 7, 4096])
@pytest.mark.parametrize("learns", [True, False])
def test_the_encoder_writes_the_same_whatever_it_treats_at_once(
    model, tau, tile, chunk, learns, monkeypatch
):
    """Serial (one pixel at a time), in chunks, in parallel; the decoder always goes step by step."""
    x = picture("soft", 21, 26)
    monkeypatch.setattr(residual_coder, "TILE", tile)
    monkeypatch.setattr(residual_coder, "SMALL", 0)  # only one of both coders is tried
    if not learns:
        monkeypatch.setattr(residual_coder, "Adaptive", Fixed)
    expected = None
    for size in (chunk, 64):
        monkeypatch.setattr(residual_coder, "CHUNK", size)
        one, r_hat = coder(model, x, tau)
        data, _ = one.encode(r_hat, 3)
        assert data == (expected or data)
        expected = data
    assert torch.equal(coder(model, x, tau)[0].decode(data, 3, learns), r_hat)


def test_of_a_small_picture_the_shorter_stream_is_taken(model, monkeypatch):
    one, r_hat = coder(model, picture("soft", 21, 26), 0)
    data, learns = one.encode(r_hat, 3)
    lengths = {}
    for name, kind in (("learns", Adaptive), ("fixed", Fixed)):
        monkeypatch.setattr(residual_coder, "Adaptive", kind)
        monkeypatch.setattr(residual_coder, "Fixed", kind)
        lengths[name] = len(coder(model, picture("soft", 21, 26), 0)[0].encode(r_hat, 3)[0])
    assert len(set(lengths.values())) == 2
    assert len(data) == min(lengths.values())
    assert learns == (len(data) == lengths["learns"])


def test_tiles_cover_every_pixel_once(model, monkeypatch):
    monkeypatch.setattr(residual_coder, "TILE", (8, 12))
    one, _ = coder(model, picture("soft", 21, 26), 0)
    places = torch.cat([tile.places(torch.cat(tile.steps)) for tile in one.tiles()])
    assert torch.equal(places.sort().values, torch.arange(21 * 26))


def test_parameters_do_not_depend_on_later_pixels(model):
    """Change one residual: only pixels that are coded later may get other parameters."""
    one, r_hat = coder(model, picture("soft", 12, 17), 0)
    (tile,) = one.tiles()
    order = torch.cat(tile.steps)
    position = {place: k for k, place in enumerate(tile.places(order).tolist())}

    @torch.inference_mode()
    def outputs():
        one.canvas.put(torch.arange(12 * 17), r_hat.flatten(1))
        return one.outputs(tile, order, tile.places(order))

    before = outputs()
    changed = 6 * 17 + 8
    r_hat = r_hat.clone()
    r_hat[:, 6, 8] += 9
    differs = (outputs() != before).any(1)
    assert differs.any()
    assert not differs[: position[changed] + 1].any()


def test_the_lossy_layer_alone_is_a_preview(model):
    x = picture("soft", 30, 50)
    streams = model.compress(x, 2)
    x_tilde = model.read(streams, 2, 30, 50)["x_tilde"]
    assert model.stages(2) == (("z", "y"), ("r",))
    del streams["r"]
    assert torch.equal(model.decompress(streams, 2, 30, 50)[0], x_tilde[:, :30, :50])


def test_exact_on_one_thread_and_two_without_onednn_and_in_another_layout(model):
    x = picture("soft", 65, 40)
    streams = model.compress(x, 1)
    expected = model.read(streams, 1, 65, 40)
    with torch.backends.mkldnn.flags(enabled=False):
        assert same(model.read(streams, 1, 65, 40), expected)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert same(model.read(streams, 1, 65, 40), expected)
    finally:
        torch.set_num_threads(threads)


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize(
    "damage",
    ["empty", "head only", "truncated", "longer", "colours", "colours and more"],
)
def test_damaged_residuals_are_refused(model, damage):
    streams = model.compress(picture("soft", 30, 40), 1)
    r = streams["r"]
    streams["r"] = {
        "empty": b"", "head only": r[:7], "truncated": r[:-30], "longer": r + b"\0\0",
        "colours": b"\x02" + r[1:], "colours and more": b"\x0b" + r[1:],
    }[damage]  # fmt: skip
    with pytest.raises(BitstreamError, match="section r"):
        model.decompress(streams, 1, 30, 40)


def test_the_fixed_point_layer_is_close_to_the_float_one(model):
    x = picture("soft", 64, 128)
    with torch.no_grad():
        expected, _, _ = model.lossy_layer(x.float() / 255)
    y_hat = model.lossy.read(model.lossy.compress(x, 1.0), 1.0, 64, 128)["y"]
    levels, _ = reconstruct(model.frozen, y_hat, 3)
    assert (levels[None].float() - expected).abs().max() <= 1


@pytest.mark.parametrize("tau", [0, 2])
def test_estimated_bits_are_close_to_the_stream(model, tau, monkeypatch):
    """Those of a coder that learns nothing; one that does needs less."""
    x = picture("soft", 128, 192)
    with torch.no_grad():
        estimated = model(x, tau).bits
    learned = model.compress(x, tau)
    monkeypatch.setattr(residual_coder, "Adaptive", Fixed)
    real = model.compress(x, tau)
    for name, bits in estimated.items():
        assert abs(8 * len(real[name]) - bits.item()) <= 0.02 * bits.item() + 8 * 64, name
    assert len(learned["r"]) < 0.9 * len(real["r"])


def test_training_reaches_every_parameter():
    torch.manual_seed(0)
    model = NearLossless(N=4, M=6, C=8).train()
    x = picture("soft", 64, 64)
    model(x, 0).bpp().mean().backward()
    without = {name for name, p in model.prior.named_parameters() if p.grad is None}
    assert {name.split(".")[0] for name in without} == {"corrected"}
    missing = {n for n, p in model.lossy.named_parameters() if p.grad is None}
    assert missing == set()


def test_the_correction_learns_alone():
    torch.manual_seed(0)
    model = NearLossless(N=4, M=6, C=8).train()
    model(picture("soft", 64, 64), 3).bits["r"].sum().backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {name.rsplit(".", 2)[0] for name in reached} == {"prior.corrected"}


def test_quantized_residuals_are_multiples_of_the_step_and_at_most_tau_away():
    r = torch.arange(-255, 256)
    for tau in range(21):
        r_hat = quantize(r, tau)
        assert (r_hat % (2 * tau + 1) == 0).all()
        assert (r - r_hat).abs().max() == tau
    with pytest.raises(ValueError, match="tau"):
        quantize(r, -1)


def test_a_tau_beyond_training_uses_the_last_correction(model):
    x = picture("soft", 20, 20)
    assert residual.TRAINED_TAU < 9 <= TAU.coarsest
    assert largest_error(model.decompress(model.compress(x, 9), 9, 20, 20), x) <= 9


@pytest.mark.parametrize("size", [(1, 700), (700, 1), (5, 300), (63, 270), (300, 17)])
@pytest.mark.parametrize("tau", [0, 2])
def test_thin_pictures_go_through_few_steps_and_come_back(model, size, tau):
    x = picture("soft", *size)
    assert largest_error(model.decompress(model.compress(x, tau), tau, *size), x) <= tau
    one, _ = coder(model, x, tau)
    (tile,) = one.tiles()
    assert tile.is_in_parts
    assert len(tile.steps) <= 2 * 63 + 64
    assert sorted(torch.cat(tile.steps).tolist()) == list(range(size[0] * size[1]))


def test_a_thin_picture_may_have_several_tiles(model, monkeypatch):
    monkeypatch.setattr(residual_coder, "TILE", (16, 40))
    x = picture("soft", 3, 400)
    assert len(list(coder(model, x, 0)[0].tiles())) == 2
    assert largest_error(model.decompress(model.compress(x, 0), 0, 3, 400), x) == 0


def test_chunks_change_nothing_in_thin_pictures(model, monkeypatch):
    x = picture("soft", 2, 600)
    whole = model.compress(x, 1)
    monkeypatch.setattr(residual_coder, "CHUNK", 5)
    assert model.compress(x, 1) == whole
    assert largest_error(model.decompress(whole, 1, 2, 600), x) <= 1
