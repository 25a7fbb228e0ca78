"""A decoder for another goal: nothing else moves, and the discriminator has its say and its rest."""

import pytest
import torch
from pytorch_msssim import ms_ssim

from codec_lib.layers.discriminators import PairDiscriminator, PatchDiscriminator
from codec_lib.layers.gain import lambda_of
from codec_lib.models.flagship import Flagship
from codec_lib.training import objectives, perception
from codec_lib.training.loop import train
from codec_lib.training.settings import Settings


def objective_of(goal):
    torch.manual_seed(0)
    model = Flagship(N=8, M=16)
    model.requires_grad_(False)
    model.g_s.requires_grad_(True)
    return model, model.objective(Settings("flagship", [], "", goal=goal, only=["g_s"], crop=192))


@pytest.fixture
def x():
    torch.manual_seed(1)
    small = torch.rand(2, 3, 24, 24)
    return torch.nn.functional.interpolate(small, scale_factor=8, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("goal", perception.GOALS)
def test_only_the_decoder_learns_and_the_discriminator_only_in_its_turn(goal, x):
    model, objective = objective_of(goal)
    objective.train()
    objective.accuracy = (perception.LOWER + perception.UPPER) / 2
    players = objective.players()
    loss, _ = players[0].loss(players[0].module, x)
    loss.backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None} == {"g_s"}
    if goal == "ms-ssim":
        assert len(players) == 1
        return
    assert all(p.grad is None for p in objective.discriminator.parameters())
    model.zero_grad()
    loss, _ = players[1].loss(players[1].module, x)
    loss.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in objective.discriminator.parameters())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("goal", ["patches", "pairs"])
def test_thresholds_say_who_learns(goal, x):
    model, objective = objective_of(goal)
    players = objective.players()

    def gradient_of_the_decoder(accuracy):
        objective.accuracy = accuracy
        model.zero_grad()
        players[0].loss(players[0].module, x)[0].backward()
        return torch.cat([p.grad.flatten() for p in model.g_s.parameters()])

    torch.manual_seed(2)
    without = gradient_of_the_decoder(0.5)
    torch.manual_seed(2)
    assert not torch.allclose(gradient_of_the_decoder(perception.LOWER), without, atol=1e-4)
    middle = (0.5 + perception.LOWER) / 2
    shares = [perception.heard(accuracy) for accuracy in (0.4, 0.5, middle, perception.LOWER, 1.0)]
    assert shares == pytest.approx([0, 0, 0.5, 1, 1])
    for accuracy, learns in ((0.9, True), (1.0, False)):
        objective.accuracy = accuracy
        objective.discriminator.zero_grad()
        players[1].loss(players[1].module, x)[0].backward()
        moved = max(p.grad.abs().max() for p in objective.discriminator.parameters() if p.grad is not None)
        assert (moved > 0) == learns


@pytest.mark.parametrize(
    ("answers", "right"),
    [((1, 1), 0.5), ((1, -1), 1.0), ((-1, 1), 0.0), ((-1, -1), 0.5), (((1, -1), -1), 0.75)],
)
def test_accuracy_is_the_share_of_right_answers(x, answers, right):
    """Answers are logits: of a photograph before what was made of it, then the other way round."""
    _, objective = objective_of("pairs")
    player = objective.players()[0]
    player.loss(player.module, x)
    logits = [torch.tensor(answer).expand(2).reshape(2, 1, 1, 1).float() for answer in answers]
    discriminator = torch.nn.Identity()
    discriminator.forward = lambda first, _: logits[0 if torch.equal(first, x) else 1]
    before = objective.accuracy = 0.9
    objective.discriminator_loss(discriminator, x)
    assert objective.accuracy == pytest.approx(0.98 * before + 0.02 * right)


@pytest.mark.parametrize("goal", ["patches", "pairs"])
def test_a_game_costs_nothing_whatever_is_shown(goal, x, monkeypatch):
    _, objective = objective_of(goal)
    monkeypatch.setattr(perception, "validation_pictures", lambda folder, device: [x[:1]])
    objective.shown = lambda x, quality: (None, x)  # 1 - MS-SSIM is 0, and its logarithm is not finite
    cost, figures = objective.validate("")
    assert cost == 0
    assert figures["ms_ssim_2.0"] == 1


def test_discriminators_have_the_shapes_they_say():
    x, y_hat = torch.rand(2, 3, 64, 96), torch.randn(2, 16, 4, 6)
    assert PatchDiscriminator(16, K=4)(x, y_hat).shape == (2, 1, 8, 12)
    assert PairDiscriminator(K=4)(x, x.flip(0)).shape == (2, 1)


@pytest.mark.parametrize(("goal", "only"), [("beauty", ["g_s"]), ("patches", []), ("patches", ["g_a"])])
def test_other_goals_and_other_parts_are_refused(goal, only):
    with pytest.raises(ValueError, match=r"goal: "):
        Flagship(N=8, M=16).objective(Settings("flagship", [], "", goal=goal, only=only, crop=192))


@pytest.mark.parametrize("only", [[], ["g_s"]])
def test_crops_too_small_for_five_scales_are_refused(only):
    with pytest.raises(ValueError, match=r"crop: 128; MS-SSIM needs 161"):
        Flagship(N=8, M=16).objective(Settings("flagship", [], "", goal="ms-ssim", only=only))


def test_a_whole_codec_learns_for_ms_ssim(x):
    model, qualities = Flagship(N=8, M=16), torch.tensor([2.0, 6.0])
    objective = model.objective(Settings("flagship", [], "", goal="ms-ssim", crop=192))
    model.eval()
    loss, out = objectives.rate_distortion(model, x, qualities, objective.distortion)
    like = ms_ssim(x, out.x_hat, data_range=1.0, size_average=False)
    weight = lambda_of(qualities)
    cost = objectives.MS_SSIM_SCALE * weight * (1 - like) + out.bpp()
    share = (weight / objectives.LAMBDA_REFERENCE) ** -objectives.RATE_EXPONENT
    assert loss.item() == pytest.approx((cost * share).mean().item(), rel=1e-3)
    loss.backward()
    assert {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None} >= {"g_a", "g_s"}


@pytest.mark.parametrize("goal", ["ms-ssim", "pairs"])
def test_a_run_changes_the_decoder_only(tmp_path, goal):
    from codec_lib import data, weights

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    photo = data.sample("astronaut")
    for k in range(2):
        photo.crop((100 * k, 0, 100 * k + 256, 256)).save(pictures / f"{k}.png")
    torch.manual_seed(0)
    start = tmp_path / "start.safetensors"
    weights.save(Flagship(N=8, M=16), "flagship", start, {})
    settings = Settings(
        "flagship", [str(pictures)], str(tmp_path / "out"), str(pictures), steps=3, batch=2, crop=192,
        widths={"N": 8, "M": 16}, start=str(start), only=["g_s"], goal=goal, precision="32-true", lr=0.01,
    )  # fmt: skip
    before, after = (weights.load(path).model.state_dict() for path in (start, train(settings)))
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"g_s"}


def test_a_pattern_in_every_block_is_taken_out_and_colours_stay(x, monkeypatch):
    monkeypatch.setattr(perception, "TRAINED", (3.0, 3.0))
    torch.manual_seed(0)
    model, quality = Flagship(N=8, M=16).eval(), torch.tensor([3.0, 3.0])
    shown, pattern = perception.Shown(model), 0.1 * torch.randn(3, 8, 8)
    perception.take_out_grid(model, [x])  # what an untrained decoder has of it
    clean = shown(x, quality)[1].detach()
    with torch.no_grad():
        model.g_s[-3].bias.add_(pattern.flatten())
    assert perception.take_out_grid(model, [x]) > 1
    left = torch.nn.functional.pixel_unshuffle(shown(x, quality)[1] - clean, 8).mean((0, 2, 3))
    colours = (pattern / 4).mean((1, 2), keepdim=True).expand_as(pattern)  # they are no grid
    assert torch.allclose(left, colours.flatten(), atol=1e-4)
