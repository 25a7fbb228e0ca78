"""Options of folder commands: what no picture could be coded with is said at once."""

import numpy as np
import pytest

from codec_lib import picture
from codec_lib.cli import main
from codec_lib.folders import pool, tree
from tests.folders.runs import one_by_one, quiet


def test_a_setting_may_have_any_name(source, tmp_path):
    for name in ("source", "target", "run", "told"):
        with pytest.raises(ValueError, match=f"^{name}: 3; flagship takes quality instead$"):
            tree.encode_all(source, tmp_path / "out", one_by_one, quiet, **{name: 3})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quality": 9}, "quality: 9"),
        ({"effort": 99}, "effort: 99"),
        ({"keep": ("all",)}, "keep: all"),
        ({"target_bytes": 500, "quality": 3}, "only one can be given"),
    ],
)
def test_what_no_picture_could_be_encoded_with_is_said_at_once(source, tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        tree.encode_all(source, tmp_path / "out", pool.run, quiet, **options)
    assert not (tmp_path / "out").exists()


def test_a_decoder_nobody_knows_is_said_at_once(target, tmp_path):
    with pytest.raises(ValueError, match="decoder: 'nope'; there are "):
        tree.decode_all(target, tmp_path / "out", pool.run, quiet, decoder="nope")
    assert not (tmp_path / "out").exists()


def test_what_was_converted_is_said_on_the_command_line(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    picture.Image.fromarray(ramp).save(tmp_path / "in" / "deep.png")
    command = ["encode-all", str(tmp_path / "in"), str(tmp_path / "out"), "--processes", "1"]
    assert main(command) == 0
    assert capsys.readouterr().err == (
        f"codec-lib: warning: notes: on 1 files; see {tmp_path}/out/manifest.jsonl; "
        "deep.png: 16 bits a sample became 8\n"
    )
    assert main(command) == 0
    assert capsys.readouterr().err == ""  # it was done before, and said then
