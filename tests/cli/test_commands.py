"""The command as a user meets it: a process, its files, its exit status."""

import io
import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import progress
from codec_lib.cli import terminal
from tests.command import assert_one_line, folder_with_photo, run


@pytest.fixture
def folder(tmp_path):
    """A folder with a photograph in it."""
    return folder_with_photo(tmp_path)


def test_encode_inspect_decode(folder):
    encoded = run("encode", folder / "photo.png", folder / "photo.clc", "--quality", "3.5")
    assert encoded.returncode == 0, encoded.stderr
    inspected = run("inspect", folder / "photo.clc")
    assert inspected.returncode == 0
    assert "flagship" in inspected.stdout
    assert "3.5" in inspected.stdout
    decoded = run("decode", folder / "photo.clc", folder / "again.png")
    assert decoded.returncode == 0, decoded.stderr
    assert Image.open(folder / "again.png").size == (200, 180)
    assert sorted(p.name for p in folder.iterdir()) == ["again.png", "photo.clc", "photo.png"]


@pytest.mark.parametrize(("option", "target"), [("--target-bytes", 3000), ("--target-bpp", 0.75)])
def test_a_wanted_size_is_kept(folder, option, target):
    encoded = run("encode", folder / "photo.png", folder / "photo.clc", option, target)
    assert encoded.returncode == 0, encoded.stderr
    allowed = target if option == "--target-bytes" else target * 200 * 180 / 8
    assert 0.97 * allowed <= (folder / "photo.clc").stat().st_size <= allowed


def test_inspect_loads_no_torch(folder):
    assert run("encode", folder / "photo.png", folder / "photo.clc").returncode == 0
    code = (
        "import sys; from codec_lib.cli import main; "
        f"main(['inspect', {str(folder / 'photo.clc')!r}]); assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_the_command_says_which_version_it_is():
    shown = run("--version")
    assert (shown.returncode, shown.stdout) == (0, f"codec-lib {cl.__version__}, .clc version 3\n")


def test_models_lists_the_models_with_their_cards():
    listed = run("models").stdout
    for name in ("hyperprior", "factorized", "autoencoder"):
        assert f"{name}\n" in listed
    assert "sha256" in listed


def test_evaluate_writes_rows_and_means(folder):
    result = run(
        "evaluate", folder, "--model", "factorized", "--values", "2,6", "--json", folder / "out.json"
    )
    assert result.returncode == 0, result.stderr
    measured = json.loads((folder / "out.json").read_text())
    assert set(measured) == {"rows", "means"}
    assert [row["quality"] for row in measured["rows"]] == [2, 6]
    keys = {"quality", "bpp", "psnr", "ms_ssim", "ssimulacra2", "encode_s", "decode_s"}
    assert all(set(mean) == keys for mean in measured["means"])
    assert measured["means"][0]["bpp"] == 8 * measured["rows"][0]["bytes"] / (200 * 180)
    assert measured["means"][0]["psnr"] < measured["means"][1]["psnr"]


def test_two_processes_write_the_same_file_and_decode_the_same_picture(folder):
    for k, threads in enumerate(("1", "2")):
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        run("encode", folder / "photo.png", folder / f"{k}.clc", env=environment, check=True)
        run("decode", folder / "0.clc", folder / f"{k}.png", env=environment, check=True)
    first, second = (np.asarray(Image.open(folder / f"{k}.png")).astype(int) for k in range(2))
    assert abs(first - second).max() <= 1  # the synthesis is float: never more than a rounding


def test_evaluate_to_standard_output_is_json_and_nothing_else(folder):
    result = run("evaluate", folder, "--model", "factorized", "--values", "2", "--json", "-")
    assert [row["quality"] for row in json.loads(result.stdout)["means"]] == [2]
    assert result.stderr.startswith("quality 2  bpp ")


def test_evaluate_takes_any_model_by_its_own_setting(folder):
    result = run(
        "evaluate", folder, "--model", "near-lossless", "--values", "3,0", "--json", folder / "o.json"
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads((folder / "o.json").read_text())["rows"]
    assert [row["tau"] for row in rows] == [3, 0]
    assert rows[1]["psnr"] is None  # of what is equal: JSON has no infinity
    assert rows[0]["psnr"] > 40


def test_a_missing_picture_is_named_without_a_number(folder):
    result = run("encode", folder / "nowhere.png", folder / "x.clc")
    assert result.stderr == f"codec-lib: {folder / 'nowhere.png'}: No such file or directory\n"
    assert result.returncode == 1


def test_a_setting_by_its_name(folder):
    for option in (("--quality", 2), ("--set", "quality=2")):
        assert run("encode", folder / "photo.png", folder / f"{option[0]}.clc", *option).returncode == 0
    assert (folder / "--quality.clc").read_bytes() == (folder / "--set.clc").read_bytes()


def test_decode_shows_a_window(folder):
    file, part = folder / "photo.clc", folder / "part.png"
    assert run("encode", folder / "photo.png", file).returncode == 0
    assert run("decode", file, part, "--window", "5,7,25,20").returncode == 0
    with Image.open(part) as image:
        assert image.size == (20, 13)
    assert_one_line(run("decode", file, part, "--window", "5,7,5000,20"), 1)


def test_truncate_keeps_the_first_stages(folder):
    photo, file, short = folder / "photo.png", folder / "photo.clc", folder / "short.clc"
    assert run("encode", photo, file, "--model", "near-lossless", "--tau", 4).returncode == 0
    assert run("truncate", file, short, "--stages", 1).returncode == 0
    assert short.stat().st_size < file.stat().st_size
    decoded = run("decode", short, folder / "short.png")
    assert decoded.returncode == 0
    assert decoded.stderr == "codec-lib: warning: stages: the file has 1 of 2; it was truncated\n"
    assert run("decode", file, folder / "first.png", "--stages", 1).stderr == ""
    assert (folder / "first.png").read_bytes() == (folder / "short.png").read_bytes()
    assert_one_line(run("truncate", file, short, "--target-bytes", 50), 1)


def test_streams_go_through_a_pipe(folder):
    command = f"{sys.executable} -m codec_lib"
    line = (
        f"cat photo.png | {command} encode - - --quality 3 | tee photo.clc"
        f" | {command} decode - - > again.png && {command} inspect - < photo.clc"
    )
    result = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=300, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "quality       3" in result.stdout.splitlines()
    assert Image.open(folder / "again.png").size == (200, 180)
    assert (folder / "photo.clc").read_bytes() == cl.encode(folder / "photo.png", quality=3)


def test_a_pipe_is_read_once(folder):
    os.mkfifo(folder / "pipe")
    with subprocess.Popen(["cp", folder / "photo.png", folder / "pipe"]) as feeding:
        try:
            run("encode", folder / "pipe", folder / "a.clc", "--target-bpp", 1, check=True)
        finally:
            feeding.kill()  # which waits for a reader where the command has failed
    assert (folder / "a.clc").read_bytes() == cl.encode(folder / "photo.png", target_bytes=4500)


def test_what_happens_to_a_picture_is_said(folder):
    frames = [Image.new("RGB", (40, 30), (k, 90, 200)) for k in (0, 120, 240)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    encoded = run("encode", folder / "moving.gif", folder / "moving.clc")
    assert encoded.returncode == 0
    assert encoded.stderr == "codec-lib: warning: frame 1 of 3; the others are left out\n"
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    Image.fromarray(checks.astype(np.uint8)).save(folder / "checks.png")
    encoded = run("encode", folder / "checks.png", folder / "checks.clc")
    assert encoded.returncode == 0
    assert "near-lossless would keep it" in encoded.stderr
    assert len(encoded.stderr.splitlines()) == 1


def test_a_lossless_file_stays_lossless_where_the_format_can(folder):
    photo, file = folder / "photo.png", folder / "photo.clc"
    assert run("encode", photo, file, "--model", "near-lossless").returncode == 0
    decoded = run("decode", file, folder / "out.webp")
    assert (decoded.returncode, decoded.stderr) == (0, "")
    assert np.array_equal(np.asarray(Image.open(folder / "out.webp").convert("RGB")), Image.open(photo))
    assert "changes samples" in run("decode", file, folder / "out.jpg").stderr


def test_one_line_of_a_terminal_has_one_writer(monkeypatch):
    """The seconds stop where an encoder begins to report."""
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)

    def clocks():
        return len(re.findall(r"encoding: \d+ s", screen.getvalue()))

    with terminal.bar("encoding"):
        while not clocks():
            time.sleep(0.01)
        progress.report(progress.Progress(1, 10, 1000, 30.0))
        seen = clocks()
        time.sleep(2.5)  # more than it takes until the next
    assert clocks() == seen
    assert "0/10" in screen.getvalue()
