"""A standard codec between two networks: its file is the file, and both networks learn past it."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from codec_lib import data, picture, standard
from codec_lib.errors import SectionError
from codec_lib.models.codec_in_the_loop import CODECS, CodecInTheLoop, enlarged, reduced
from codec_lib.training.settings import Settings
from codec_lib.training.turns import with_grey

SWITCH = CodecInTheLoop.switch
QUALITIES = 1.0, SWITCH - 1 / 256, SWITCH, 8.0


@pytest.fixture(scope="module")
def levels():
    return picture.to_levels(data.sample("astronaut").crop((150, 40, 213, 91)))  # 63 x 51


def small(codec="jpeg"):
    torch.manual_seed(0)
    return CodecInTheLoop(K=8, D=2, codec=CODECS.index(codec)).eval()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("quality", QUALITIES)
def test_the_section_is_a_file_of_the_codec(levels, codec, quality):
    model = small(codec)
    sections = model.compress(levels, quality)
    assert list(sections) == [codec] == list(model.stages(quality)[0])
    assert model.standard_file(sections) == (codec, sections[codec])
    with Image.open(io.BytesIO(sections[codec])) as image:
        assert image.format == standard.STANDARD[codec].format
        assert image.size == ((63, 51) if quality >= SWITCH else (32, 26))
    decoded = model.decompress(sections, quality, 51, 63)
    assert decoded.shape == levels.shape
    assert (decoded.float() - levels.float()).square().mean() < 0.2 * levels.float().var()


def test_both_codings_of_a_grey_picture_are_grey(levels):
    grey = levels[:, :1].expand(-1, 3, -1, -1)
    for quality in QUALITIES:
        with Image.open(io.BytesIO(small().compress(grey, quality)["jpeg"])) as image:
            assert image.mode == "L"


@pytest.mark.parametrize("quality", QUALITIES)
def test_decoding_is_what_training_shows(levels, quality):
    model, even = small(), levels[..., :50, :62]
    with torch.no_grad():
        out = model(even / 255, torch.tensor([quality]))
    sections = model.compress(even, quality)
    decoded = model.decompress(sections, quality, 50, 62)
    assert out.bits["jpeg"].item() == 8 * len(sections["jpeg"])
    assert (decoded / 255 - out.x_hat.clamp(0, 1)).abs().max() < 0.6 / 255


def test_files_grow_with_quality_and_the_codec_is_asked_for_more(levels):
    for codec in CODECS:
        model = small(codec)
        for part in ((1.0, 2.0, 3.0, SWITCH - 1 / 256), (SWITCH, 6.0, 8.0)):
            asked = [model.codec_quality(q) for q in part]
            sizes = [len(model.compress(levels, q)[codec]) for q in part]
            assert all(np.diff(asked) > 0)
            assert all(np.diff(sizes) > 0)


def test_what_is_no_file_of_its_size_is_refused(levels):
    model = small()
    sections = model.compress(levels, 2.0)
    for height, width in ((51, 65), (53, 63), (1, 1)):
        with pytest.raises(SectionError, match="section jpeg: JPEG: 32 x 26"):
            model.decompress(sections, 2.0, height, width)
    with pytest.raises(SectionError, match="section jpeg"):
        model.decompress({"jpeg": b"\xff\xd8 no picture"}, 2.0, 51, 63)


@pytest.mark.parametrize("past", ["dropped", "straight", "proxy"])
def test_the_first_network_hears_of_the_error_past_the_codec(levels, past):
    model, x = small().train(), levels[..., :48, :48] / 255
    model.past = past
    sent = model.compact(x, 2.0)
    seen, size = model.through(sent, 2.0)
    real = model.open(model.write(picture.round_to_levels(sent.detach().clone()), 2.0), 2.0, 24, 24) / 255
    assert torch.allclose(seen.detach(), sent.detach() if past == "dropped" else real, atol=1e-6)
    assert size > 100
    weights = torch.randn(seen.shape)
    (heard,) = torch.autograd.grad((seen * weights).sum(), sent)
    assert torch.equal(heard, weights) == (past != "proxy")
    assert torch.nn.functional.cosine_similarity(heard.flatten(), weights.flatten(), dim=0) > 0.5


@pytest.mark.parametrize("codec", CODECS)
def test_in_training_a_file_counts_without_header_and_detail_has_a_price(levels, codec):
    model, x = small(codec).train(), levels[..., :48, :48] / 255
    sent = model.compact(x, 2.0)
    _, size = model.through(sent, 2.0)
    bits = model.counted(sent, 2.0, size)
    assert 0 < bits.item() < 8 * size
    (price,) = torch.autograd.grad(bits, sent)
    softer = torch.nn.functional.avg_pool2d(sent, 3, 1, 1, count_include_pad=False) - sent
    assert (price * softer).sum() < 0
    model.weighs_rate = False
    assert model.counted(sent, 2.0, size).item() == 8 * size
    assert not model.counted(sent, 2.0, size).requires_grad


def test_in_a_turn_one_network_is_trained_and_sees_its_qualities(levels):
    model, x = small(), (levels[..., :48, :48] / 255).repeat(4, 1, 1, 1)
    objective = model.objective(Settings(model="", data=[], out=""))
    players = objective.players()
    assert len(players) == 2
    for part, player in zip(("compaction", "reconstruction"), players, strict=True):
        model.zero_grad()
        loss, _ = player.loss(player.module, x)
        loss.backward()
        moved = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
        assert moved == {part}
    qualities = model.qualities_of("compaction", torch.tensor([1.0, 8.0]))
    assert qualities.tolist() == [1.0, SWITCH - 1 / 256]
    model.compaction.requires_grad_(False)
    assert len(model.objective(Settings(model="", data=[], out="")).players()) == 1


def test_some_pictures_are_grey():
    torch.manual_seed(0)
    x = torch.rand(400, 3, 2, 2)
    is_grey = (with_grey(x) == x.mean(1, keepdim=True)).flatten(1).all(1)
    assert 20 < is_grey.sum() < 90


def test_sizes_change_by_two_and_back():
    smooth = torch.linspace(0, 1, 16)[:, None].expand(1, 3, 16, 16)
    assert reduced(smooth).shape == (1, 3, 8, 8)
    assert (enlarged(reduced(smooth)) - smooth).abs().max() < 0.03
