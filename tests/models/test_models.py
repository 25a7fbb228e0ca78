"""Every model: what it codes is what its forward pass promised, for pictures of any size."""

import subprocess
import sys

import pytest
import torch

from codec_lib.errors import BitstreamError
from codec_lib.models import architecture
from codec_lib.models.base import crop, pad, samples
from codec_lib.models.flagship import Flagship
from tests.models.pictures import picture

NAMES = ("hyperprior", "factorized", "autoencoder", "flagship", "tucodec")


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    """An untrained model whose latents are large enough to be worth coding."""
    torch.manual_seed(0)
    model = architecture(request.param)(N=8, M=12)
    with torch.no_grad():
        model.gain.log_gain += 2
        model.gain.log_inverse -= 2
        if request.param in ("hyperprior", "tucodec"):
            model.prior.h_s[-1].bias.fill_(3.0)  # scales that fit such latents
        if request.param == "flagship":
            model.prior.log_sigma.bias.fill_(3.0)
    return model.eval().requires_grad_(False).freeze()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (37, 53), (64, 64), (65, 130)])
@pytest.mark.parametrize("quality", [1.0, 3.37, 8.0])
def test_what_is_decoded_is_what_the_forward_pass_shows(model, height, width, quality):
    x = picture(height, width)
    decoded = model.reconstruct(model.compress(x, quality), quality, height, width)
    expected = crop(model(pad(samples(x), model.stride), torch.tensor([quality])).x_hat, height, width)
    assert decoded.shape == x.shape
    if not isinstance(model, Flagship):
        torch.testing.assert_close(decoded, expected.clamp(0, 1), atol=1e-5, rtol=0)
    else:  # means in fixed point and in floats differ a little, and by chance round another way
        assert (decoded - expected.clamp(0, 1)).abs().mean() < 1e-4


@pytest.mark.parametrize("quality", [1.0, 4.0, 8.0])
def test_estimated_bits_are_within_one_percent_and_64_bytes_of_the_streams(model, quality):
    x = picture(128, 192)
    estimated = sum(bits.item() for bits in model(samples(x), torch.tensor([quality])).bits.values())
    real = 8 * sum(len(stream) for stream in model.compress(x, quality).values())
    assert abs(real - estimated) <= 0.01 * estimated + 8 * 64


def test_higher_quality_costs_more_and_errs_less(model):
    x = picture(64, 64)
    qualities = torch.tensor([1.0, 2.5, 4.0, 5.5, 8.0])
    out = model(samples(x).expand(5, -1, -1, -1), qualities)
    assert out.bpp().diff().min() > 0
    # An untrained decoder inverts nothing, but a finer step moves its input closer to y.
    y = model.g_a(samples(x))
    gain, inverse = model.gain(qualities)
    errors = ((y * gain).round() * inverse - y).square().flatten(1).mean(1)
    assert errors.diff().max() < 0


def test_coding_is_the_same_on_every_run(model):
    x = picture(70, 90)
    first, second = model.compress(x, 5.0), model.compress(x, 5.0)
    assert first == second
    a, b = (model.decompress(first, 5.0, 70, 90) for _ in range(2))
    assert torch.equal(a, b)


def test_training_reaches_every_parameter(model):
    fresh = type(model)(N=8, M=12).train()
    with torch.no_grad():
        fresh.gain.log_gain += 3
    x = samples(picture(64, 64))
    out = fresh(x.expand(4, -1, -1, -1), torch.tensor([1.0, 3.5, 6.2, 7.9]))
    (out.bpp().mean() + out.mse(x).mean()).backward()
    without = [name for name, p in fresh.named_parameters() if p.grad is None]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in fresh.parameters())


@pytest.mark.parametrize("damage", ["empty", "truncated", "longer"])
def test_damaged_streams_are_refused(model, damage):
    streams = model.compress(picture(96, 64), 4.0)
    change = {"empty": lambda s: b"", "truncated": lambda s: s[:-2], "longer": lambda s: s + b"\0\0"}
    for name in streams:
        damaged = {**streams, name: change[damage](streams[name])}
        with pytest.raises(BitstreamError, match=f"^section {name}: "):
            model.decompress(damaged, 4.0, 96, 64)


def test_padding_repeats_the_border_and_crop_undoes_it():
    x = picture(5, 7)
    padded = pad(x, 16)
    assert padded.shape[-2:] == (16, 16)
    assert torch.equal(crop(padded, 5, 7), x)
    assert torch.equal(padded[..., 5:, :7], x[..., 4:5, :].expand(-1, -1, 11, -1))


def test_levels_are_the_rounded_floats(model):
    sections = model.compress(picture(37, 53), 4.0)
    floats = model.reconstruct(sections, 4.0, 37, 53)
    assert torch.equal(model.decompress(sections, 4.0, 37, 53), (255 * floats).round().to(torch.uint8))


def test_a_decoder_loads_nothing_that_only_training_needs():
    code = (
        "import sys\nfrom codec_lib import decoding, models\n"
        "for name in models.MODELS: models.architecture(name)()\n"
        "print(*[name for name in sys.modules if name.startswith('codec_lib.training')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
