"""The training loop: it learns and it resumes."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from codec_lib import data, weights
from codec_lib.devices import name_of
from codec_lib.errors import BitstreamError
from codec_lib.models import MODELS, architecture
from codec_lib.training.crops import Crops, soften_colours
from codec_lib.training.loop import schedule, train
from codec_lib.training.objectives import Player, RateDistortionObjective
from codec_lib.training.settings import Settings
from tests.training.runs import read_log, tiny

pytest.importorskip("lightning_fabric")
pytest.importorskip("pytorch_optimizer")


def test_a_run_leaves_weights_a_card_a_log_and_a_checkpoint(pictures, tmp_path):
    path = train(tiny(pictures, tmp_path, validation=pictures))
    assert path.name == "hyperprior.safetensors"
    assert "frozen.y.offset" in load_file(path)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["settings"]["seed"] == 0
    assert card["training"]["step"] == 2
    assert card["training"]["processor"] == name_of("cpu")
    assert len(card["sha256"]) == 64
    rows = read_log(tmp_path)
    assert float(rows[-1]["cost"]) > 0
    assert (tmp_path / "last.ckpt").exists()


def test_training_resumes_where_it_stopped(pictures, tmp_path):
    train(tiny(pictures, tmp_path, steps=2))
    before = load_file(tmp_path / "hyperprior.safetensors")["g_a.0.weight"]
    train(tiny(pictures, tmp_path, steps=2))  # nothing left to do
    assert np.array_equal(before, load_file(tmp_path / "hyperprior.safetensors")["g_a.0.weight"])
    train(tiny(pictures, tmp_path, steps=3))
    assert not np.array_equal(before, load_file(tmp_path / "hyperprior.safetensors")["g_a.0.weight"])
    steps = [int(row["step"]) for row in read_log(tmp_path)]
    assert steps == [2, 2, 3]


def test_a_run_that_goes_on_with_another_validation_chooses_weights_anew(pictures, tmp_path):
    """Costs of two folders are not alike, and a check without one has no cost."""
    (tmp_path / "flat").mkdir()
    Image.new("L", (64, 64), 99).save(tmp_path / "flat" / "grey.png")
    for steps, validation in enumerate((None, str(tmp_path / "flat"), pictures, None), 1):
        path = train(tiny(pictures, tmp_path / "run", steps=steps, validation=validation))
        assert json.loads(path.with_suffix(".json").read_text())["training"]["step"] == steps
    rows = read_log(tmp_path / "run")
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [bool(row["cost"]) for row in rows] == [False, True, True, False]
    assert float(rows[1]["cost"]) < float(rows[2]["cost"])  # which the best of another folder would forbid
    assert float(rows[2]["psnr_4.0"]) > 0


def test_training_can_start_from_weights(pictures, tmp_path):
    first = train(tiny(pictures, tmp_path / "first"))
    again = train(tiny(pictures, tmp_path / "again", start=str(first), lr=1e-9, lr_other=1e-9))
    before, after = load_file(first), load_file(again)
    cards = [json.loads(path.with_suffix(".json").read_text()) for path in (first, again)]
    assert cards[0]["before"] == []
    assert cards[1]["before"] == [{key: cards[0][key] for key in ("settings", "training")}]
    for name in ("g_a.0.weight", "prior.h_s.4.weight", "prior.density_z.matrices.0"):
        np.testing.assert_allclose(before[name], after[name], atol=1e-6)


def test_a_card_that_is_none_is_refused_before_anything_is_trained(pictures, tmp_path):
    first = train(tiny(pictures, tmp_path / "first"))
    weights.load(first)  # from now on known, and so its card is not looked at
    first.with_suffix(".json").write_text('{"settings": ')
    with pytest.raises(BitstreamError, match=r"weights: hyperprior\.json is no model card"):
        train(tiny(pictures, tmp_path / "again", start=str(first)))
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["hyperprior", "factorized", "autoencoder", "flagship", "context"])
def test_forty_steps_lower_the_loss_on_one_batch(name):
    torch.manual_seed(0)
    model = architecture(name)(N=8, M=8)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    x = next(iter(crops_of_sample()))
    (player,) = model.objective(Settings(name, [], "")).players()
    losses = []
    for _ in range(40):
        loss, _ = player.loss(model, x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def crops_of_sample():
    sample = np.array(data.sample("astronaut").resize((64, 64)))
    yield torch.from_numpy(sample).permute(2, 0, 1)[None].float().expand(4, -1, -1, -1) / 255


def test_the_schedule_warms_up_and_ends_at_zero():
    assert schedule(0.0, 0) == pytest.approx(0.01)
    assert schedule(0.1, 500) > schedule(0.5, 500) > schedule(0.9, 500) > 0
    assert schedule(1.0, 500) == 0


def test_crops_are_seeded_and_of_the_asked_size(pictures):
    first, second = (next(iter(Crops([pictures], 64, 5, seed=3))) for _ in range(2))
    other = next(iter(Crops([pictures], 64, 5, seed=4)))
    assert first.shape == (5, 3, 64, 64)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert 0 <= first.min() <= first.max() <= 1


def test_crops_may_be_enlarged_and_have_soft_colours(pictures):
    plain, other = (next(iter(Crops([pictures], 64, 8, 3, *more))) for more in ((), (3.0, 1.0)))
    assert other.shape == plain.shape
    assert not torch.equal(other, plain)
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (33, 47, 3), dtype=np.uint8)
    soft = soften_colours(noise)
    before, after = (np.asarray(Image.fromarray(p).convert("YCbCr")).astype(float) for p in (noise, soft))
    assert soft.shape == noise.shape
    assert after[..., 1:].std() < 0.6 * before[..., 1:].std()
    assert after[..., 0].std() > 0.9 * before[..., 0].std()


def test_crops_that_are_only_made_smaller_may_be_larger_than_half_a_picture(pictures):
    for size in (64, 140):
        assert next(iter(Crops([pictures], size, 16, enlarge=0.5))).shape[2:] == (size, size)
    assert next(iter(Crops([pictures], 1, 64, enlarge=16.0))).shape[2:] == (1, 1)


def test_folders_without_fitting_pictures_are_refused(pictures, tmp_path):
    with pytest.raises(ValueError, match="no pictures"):
        Crops([tmp_path], 64, 1)
    with pytest.raises(ValueError, match="both sides of 400"):
        Crops([pictures], 400, 1)


def test_kodak_is_found_by_the_environment_variable(tmp_path, monkeypatch):
    (tmp_path / "kodak").mkdir()
    for k in range(1, 25):
        Image.new("RGB", (2, 2)).save(tmp_path / "kodak" / f"kodim{k:02d}.png")
    monkeypatch.setenv("CODEC_LIB_DATA", str(tmp_path))
    paths = data.kodak()
    assert len(paths) == 24
    assert paths[0] == tmp_path / "kodak" / "kodim01.png"


def test_only_the_parts_that_are_named_are_trained(pictures, tmp_path):
    first = train(tiny(pictures, tmp_path / "first"))
    again = train(tiny(pictures, tmp_path / "again", start=str(first), only=["g_s"]))
    before, after = load_file(first), load_file(again)
    assert np.array_equal(before["g_a.0.weight"], after["g_a.0.weight"])
    assert not np.array_equal(before["g_s.0.weight"], after["g_s.0.weight"])
    deeper = train(tiny(pictures, tmp_path / "deeper", start=str(first), only=["prior.h_s"]))
    assert not np.array_equal(before["prior.h_s.0.weight"], load_file(deeper)["prior.h_s.0.weight"])
    assert np.array_equal(before["prior.h_a.0.weight"], load_file(deeper)["prior.h_a.0.weight"])
    with pytest.raises(ValueError, match="only: g_x; the parts are g_a"):
        train(tiny(pictures, tmp_path / "third", only=["g_x"]))


def test_an_objective_adds_no_part_to_those_that_are_named(pictures, tmp_path):
    """Its prior would be trained with all else if nothing were named."""
    models = []

    def build(**widths):
        models.append(architecture("conditional-probability")(**widths))
        return models[-1]

    for only in (["encoder"], ["decoder", "prior"], []):
        options = {"model": "conditional-probability", "widths": {"N": 32, "C": 16, "K": 8}, "steps": 1}
        train(replace(tiny(pictures, tmp_path / "-".join(["run", *only])), only=only, **options), build)
    names = [{n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad} for model in models]
    every = {"encoder", "decoder", "importance", "centres", "prior"}
    assert names == [{"encoder"}, {"decoder", "prior"}, every]


def test_one_quality_alone_can_be_trained(pictures, tmp_path):
    path = train(tiny(pictures, tmp_path / "one", quality=3.0))
    before = architecture("hyperprior")(**tiny(pictures, tmp_path).widths).gain.log_gain.detach().numpy()
    changed = (load_file(path)["gain.log_gain"] != before).any(1)
    assert changed.tolist() == [quality == 3 for quality in range(1, 9)]


class TwoPlayers(RateDistortionObjective):
    """The analysis is trained on brightness, the synthesis on darkness: two losses that take turns."""

    def players(self):
        return [
            Player(part, torch.optim.SGD(part.parameters(), lr=0.1), partial(self.pull, sign))
            for part, sign in ((self.model.g_a, 1), (self.model.g_s, -1))
        ]

    @staticmethod
    def pull(sign, part, x):
        loss = sign * sum(p.sum() for p in part.parameters())
        return loss, f"{sign}"


def test_two_players_are_trained_by_their_own_losses(pictures, tmp_path):
    class Model(architecture("hyperprior")):
        def objective(self, settings):
            return TwoPlayers(self, settings)

    settings = tiny(pictures, tmp_path, steps=1, precision="32-true")
    torch.manual_seed(settings.seed)
    before = Model(**settings.widths).state_dict()
    after = load_file(train(settings, Model))
    assert (after["g_a.0.bias"] < before["g_a.0.bias"].numpy()).all()
    assert (after["g_s.0.bias"] > before["g_s.0.bias"].numpy()).all()
    assert np.array_equal(after["prior.h_s.0.bias"], before["prior.h_s.0.bias"])
    train(tiny(pictures, tmp_path, steps=2, precision="32-true"), Model)  # both are resumed
    assert (load_file(tmp_path / "hyperprior.safetensors")["g_s.0.bias"] > after["g_s.0.bias"]).all()


def test_the_command_line_has_every_field_of_the_settings():
    command = [sys.executable, "-m", "codec_lib", "train", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    for name in Settings.__dataclass_fields__:
        assert (f"--{name.replace('_', '-')}" in shown) == (name != "model"), name
    assert all(name in shown for name in MODELS)


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("pyramid", {"goal": "ms-ssim"}),
        ("pyramid", {"rate": "symbols"}),
        ("recurrent", {"quality": 4.0}),
        ("near-lossless", {"quality": 4.0}),
        ("hyperprior", {"distortion": 0.1}),
    ],
)
def test_a_setting_that_would_change_nothing_is_refused(pictures, tmp_path, model, asked):
    (name,) = asked
    settings = Settings(model, [pictures], str(tmp_path), steps=1, batch=1, crop=64, device="cpu", **asked)
    with pytest.raises(ValueError, match=f"{name}: .*; {model} is trained without it"):
        train(settings)


def test_a_rate_that_a_prior_cannot_have_is_refused():
    with pytest.raises(ValueError, match="rate: 'symbols'; hyperprior is trained with noise"):
        architecture("hyperprior")(N=8, M=16).objective(Settings("hyperprior", [], "", rate="symbols"))


def test_a_run_goes_on_with_its_own_settings_only(pictures, tmp_path):
    train(tiny(pictures, tmp_path, steps=1))
    with pytest.raises(ValueError, match=r"lr: 0\.5; the run in .* has 0\.005"):
        train(tiny(pictures, tmp_path, steps=2, lr=0.5))
    train(tiny(pictures, tmp_path, steps=2, check_minutes=1.0))
    assert read_log(tmp_path)[-1]["step"] == "2"


def test_crops_are_read_as_the_library_reads_pictures(tmp_path):
    """16 bits become 8 by their value, and an orientation is applied."""
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    (grey,) = Crops([str(tmp_path)], 64, 1, 0).pictures
    assert abs(grey.mean() - 127.5) < 1
    (tmp_path / "deep.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 6
    data.sample("astronaut").crop((0, 0, 90, 70)).save(tmp_path / "turned.png", exif=exif)
    (turned,) = Crops([str(tmp_path)], 64, 1, 0).pictures
    assert turned.shape == (90, 70, 3)
