"""Files that are made to cost time or memory: they are refused before they have."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

import codec_lib as cl
from codec_lib import container, header, weights
from codec_lib.entropy import escape, rans
from codec_lib.errors import BitstreamError
from codec_lib.models import near_lossless
from codec_lib.priors import context, volume

NEVER = AssertionError("this would have taken time")


def written(name: str, width: int, height: int, sections: dict[str, bytes], mode: str = "RGB") -> bytes:
    """A file with right checksums."""
    trained = weights.load(name)
    setting = trained.model.setting
    head = header.Header(
        name, trained.digest, trained.probabilities, width, height, mode, setting.name, setting.default
    )
    return container.write(head, sections)


def likeliest(tables, rows: np.ndarray) -> bytes:
    """The shortest stream of symbols of these rows, or nearly."""
    frequency = np.diff(tables.cdf, axis=1)
    frequency[np.arange(frequency.shape[1]) >= tables.length[:, None] - 1] = 0
    return rans.encode((tables.offset + frequency.argmax(1))[rows].astype(np.int32), rows, tables)


def forbid(monkeypatch, owner, name: str) -> None:
    def never(*arguments, **options):
        raise NEVER

    monkeypatch.setattr(owner, name, never)


@pytest.mark.parametrize("name", ["importance-map", "conditional-probability"])
def test_a_count_of_decisions_that_cannot_be_is_refused_before_a_volume_is_made(monkeypatch, name):
    forbid(monkeypatch, volume, "VolumeWalk")
    model, side = weights.load(name).model, 64
    if name == "importance-map":
        sent = torch.ones(side, side, dtype=torch.int64)
        sent[-1, -1] = 2  # something at one place only
        sections = {"map": b"", "codes": bytes(4)}
        monkeypatch.setattr(type(model.map), "decode", lambda *_, **__: sent)
    else:
        sections = {"y": bytes(4)}
    with pytest.raises(BitstreamError, match=r"decisions: 0, expected [1-9]"):
        cl.decode(written(name, 8 * side, 8 * side, sections))


@pytest.mark.parametrize("name", ["hyperprior", "flagship", "tucodec", "context"])
@pytest.mark.parametrize("y", [b"", b"\x0f" + bytes(99)])
def test_a_bad_stream_of_latents_is_refused_before_their_tables_are_computed(monkeypatch, name, y):
    model = weights.load(name).model
    prior = model.prior
    channels, side = getattr(prior, "H", None) or prior.N, 512
    places = (side // 64) ** 2
    rows = np.repeat(np.arange(channels, dtype=np.int32), places)
    z = likeliest(model.frozen.tables("z"), rows)
    forbid(monkeypatch, context, "ContextWalk")
    forbid(monkeypatch, type(model.frozen), "network")
    with pytest.raises(BitstreamError, match="section y: rans"):
        cl.decode(written(name, side, side, {"z": z, "y": y}))


@pytest.mark.parametrize("r", [b"\7", bytes([7, *[1] * 6]) + b"\xff", bytes([9, *[1] * 6])])
def test_a_bad_residual_is_refused_before_the_lossy_layer_is_decoded(monkeypatch, r):
    file = cl.encode(Image.new("RGB", (70, 40), "teal"), "near-lossless", tau=0)
    forbid(monkeypatch, near_lossless, "reconstruct")
    sections = container.read(file).take() | {"r": r}
    with pytest.raises(BitstreamError, match="section r: "):
        cl.decode(written("near-lossless", 70, 40, sections))


def test_bad_metadata_are_refused_before_pixels_are_made(monkeypatch):
    sections = container.read(cl.encode(Image.new("RGB", (70, 40), "teal"), quality=1)).take()
    forbid(monkeypatch, type(weights.load("flagship").model), "decompress")
    with pytest.raises(BitstreamError, match="section icc: "):
        cl.decode(written("flagship", 70, 40, sections | {"icc": b"xx"}))


def test_an_escape_code_is_given_up_at_its_34th_zero():
    class Watched(bytes):
        """Bytes that count how often they are looked at."""

        looks = 0

        def __getitem__(self, at):
            self.looks += 1
            return super().__getitem__(at)

    codes = Watched(1000)
    with pytest.raises(BitstreamError, match="expected at most 33"):
        escape.read(codes, 0, 1)
    assert codes.looks < 40


def test_a_jpeg_of_many_scans_is_refused():
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 128).save(buffer, "JPEG", progressive=True)
    jpeg = buffer.getvalue()
    cl.decode(written("around-jpeg", 64, 64, {"jpeg": jpeg}, "L"))
    last = jpeg.rfind(b"\xff\xda")
    bomb = jpeg[:-2] + 100 * jpeg[last:-2] + jpeg[-2:]
    with pytest.raises(BitstreamError, match="scans; expected at most 64"):
        cl.decode(written("around-jpeg", 64, 64, {"jpeg": bomb}, "L"))


def test_what_is_no_standard_file_is_not_extracted():
    with pytest.raises(BitstreamError, match="section jpeg: "):
        cl.extract(written("around-jpeg", 64, 64, {"jpeg": b"MZ this is a program"}, "L"))


def test_a_bad_card_or_a_folder_among_weights_hides_no_others(monkeypatch, tmp_path):
    monkeypatch.setenv("CODEC_LIB_WEIGHTS", str(tmp_path))
    (tmp_path / "deep.safetensors").write_bytes(b"")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "folder.safetensors").mkdir()
    found = weights.available()
    assert "flagship" in found
    assert "folder" not in found
    assert found["deep"] == {"problem": "weights: deep.json is no model card"}


@pytest.mark.parametrize("kinds", ["[]", json.dumps({"y": "FixedPointNetwork"})])
def test_weights_with_other_frozen_parts_are_refused(tmp_path, kinds):
    from safetensors.numpy import save_file

    path = tmp_path / "odd.safetensors"
    about = {"architecture": "autoencoder", "widths": "{}", "frozen": kinds}
    save_file({"frozen.y.limit": np.zeros(0, np.float32)}, path, metadata=about)
    with pytest.raises(BitstreamError, match="holds no model of this library"):
        weights.load(path)
