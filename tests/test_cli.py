"""The command as a user meets it: a process, its files, its exit status, its one line on stderr."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import codec_lib as cl
from codec_lib import data, weights


def run(*arguments, **options):
    command = [sys.executable, "-m", "codec_lib", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture
def folder(tmp_path):
    data.sample("astronaut").crop((100, 0, 300, 180)).save(tmp_path / "photo.png")
    return tmp_path


def assert_one_line(result, status):
    assert result.returncode == status
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("codec-lib")


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


def test_models_lists_the_models_with_their_cards():
    listed = run("models").stdout
    for name in ("hyperprior", "factorized", "autoencoder"):
        assert f"{name}\n" in listed
    assert "sha256" in listed


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("compress",),
        ("encode", "photo.png"),
        ("encode", "photo.png", "x.clc", "--quality", "9"),
        ("encode", "photo.png", "x.clc", "--quality", "nan"),
        ("encode", "photo.png", "x.clc", "--target-bytes", "0"),
        ("encode", "photo.png", "x.clc", "--target-bpp", "inf"),
        ("encode", "photo.png", "x.clc", "--target-bytes", "5000", "--quality", "4"),
        ("encode", "photo.png", "x.clc", "--model", "nothing"),
        ("encode", "photo.png", "x.clc", "--device", "tpu"),
        ("decode", "photo.clc", "x.docx"),
        ("encode", "photo.png", "x.clc", "--tau", "21"),
        ("encode", "photo.png", "x.clc", "--tau", "1.5"),
        ("encode", "photo.png", "x.clc", "--set", "quality"),
        ("encode", "photo.png", "x.clc", "--set", "quality=four"),
        ("decode", "photo.clc", "x"),
        ("decode", "photo.clc", "x.png", "--window", "1,2,3"),
        ("truncate", "photo.clc", "x.clc"),
        ("evaluate", ".", "--model", "hyperprior", "--values", "1,two", "--json", "x.json"),
        ("train", "nothing", "--data", ".", "--out", "runs"),
        ("train", "hyperprior", "--out", "runs"),
        ("train", "hyperprior", "--data", ".", "--out", "runs", "--steps", "two"),
    ],
)
def test_a_wrong_command_line_exits_with_2(folder, arguments):
    assert_one_line(run(*arguments, cwd=folder), 2)
    assert [p.name for p in folder.iterdir()] == ["photo.png"]


def make_bad_inputs(folder):
    (folder / "text.png").write_text("this is no picture\n")
    (folder / "empty.png").write_bytes(b"")
    (folder / "empty.clc").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "photo.png").read_bytes()[:5000])
    assert run("encode", folder / "photo.png", folder / "photo.clc").returncode == 0
    whole = (folder / "photo.clc").read_bytes()
    (folder / "cut.clc").write_bytes(whole[:-10])
    flipped = bytearray(whole)
    flipped[-100] ^= 16
    (folder / "flipped.clc").write_bytes(flipped)


def test_bad_data_exits_with_1_and_leaves_nothing_behind(folder):
    make_bad_inputs(folder)
    before = sorted(p.name for p in folder.iterdir())
    for arguments in (
        ("encode", "text.png", "x.clc"),
        ("encode", "empty.png", "x.clc"),
        ("encode", "cut.png", "x.clc"),
        ("encode", "missing.png", "x.clc"),
        ("encode", "photo.png", "no/such/folder/x.clc"),
        ("encode", "photo.png", "x.clc", "--target-bytes", "100"),
        ("encode", "photo.png", "x.clc", "--set", "iterations=4"),
        ("encode", "photo.png", "x.clc", "--tau", "2"),
        ("encode", "photo.png", "x.clc", "--effort", "12"),
        ("decode", "empty.clc", "x.png"),
        ("decode", "cut.clc", "x.png"),
        ("decode", "flipped.clc", "x.png"),
        ("decode", "photo.png", "x.png"),
        ("decode", "missing.clc", "x.png"),
        ("inspect", "missing.clc"),
        ("evaluate", "no-folder", "--model", "hyperprior", "--json", "x.json"),
    ):
        assert_one_line(run(*arguments, cwd=folder), 1)
    assert sorted(p.name for p in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "shown", "complaint"),
    [
        ("flipped.clc", "width         200", "section y: CRC-32 is "),
        ("cut.clc", "height        180", "section y: "),
        ("empty.clc", "size          0 bytes", "magic: none; "),
        ("photo.png", "magic         89 50 4e 47", "magic: 89 50 4e 47; "),
    ],
)
def test_inspect_of_a_damaged_file_prints_what_it_can_and_exits_with_1(folder, name, shown, complaint):
    make_bad_inputs(folder)
    result = run("inspect", folder / name)
    assert result.returncode == 1
    assert shown in result.stdout.splitlines()
    assert "problem       " + complaint in result.stdout
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("codec-lib: " + complaint)


def test_a_read_only_output_is_kept(folder):
    target = folder / "kept.clc"
    target.write_bytes(b"precious")
    target.chmod(0o444)
    assert_one_line(run("encode", folder / "photo.png", target), 1)
    assert target.read_bytes() == b"precious"


def test_a_read_only_folder_is_refused(folder):
    closed = folder / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    assert_one_line(run("encode", folder / "photo.png", closed / "x.clc"), 1)


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


def test_evaluate_takes_any_model_by_its_own_setting(folder):
    result = run(
        "evaluate", folder, "--model", "near-lossless", "--values", "3,0", "--json", folder / "o.json"
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads((folder / "o.json").read_text())["rows"]
    assert [row["tau"] for row in rows] == [3, 0]
    assert rows[1]["psnr"] == float("inf")


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


def test_the_original_is_not_overwritten(folder):
    before = (folder / "photo.png").read_bytes()
    (folder / "link.png").symlink_to(folder / "photo.png")
    for output in ("photo.png", "link.png"):
        assert_one_line(run("encode", folder / "photo.png", folder / output), 1)
    assert (folder / "photo.png").read_bytes() == before


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


def test_a_full_disk_is_one_line():
    picture = Path(__file__).parents[1] / "_static" / "readme.png"
    assert_one_line(run("encode", picture, "/dev/full", "--quality", 1), 1)


@pytest.mark.parametrize(
    "options",
    [
        ("--set", "target_bytes=5"), ("--set", "device=1"), ("--set", "quality=2", "--set", "quality=3"),
        ("--target-bytes", "1" + 400 * "0"), ("--effort", "1" + 400 * "0"), ("--effort", "inf"),
    ],
)  # fmt: skip
def test_odd_numbers_and_names_are_wrong_command_lines(folder, options):
    assert_one_line(run("encode", "photo.png", "x.clc", *options, cwd=folder), 2)


def test_an_empty_name_and_a_folder_that_is_gone_are_one_line(folder):
    assert_one_line(run("encode", folder / "photo.png", ""), 1)
    gone = folder / "gone"
    gone.mkdir()
    code = f"import os; os.rmdir({str(gone)!r}); from codec_lib.cli import main; exit(main(['models']))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=gone
    )
    assert_one_line(result, 1)


@pytest.mark.parametrize("card", [b"[1]", b"{", b"\xff\xfe"])
def test_a_card_that_is_none_is_named(folder, card):
    for ending in (".safetensors", ".json"):
        shutil.copy(weights.SHIPPED / f"factorized{ending}", folder / f"mine{ending}")
    (folder / "mine.json").write_bytes(card)
    environment = {**os.environ, "CODEC_LIB_WEIGHTS": str(folder)}
    listed = run("models", env=environment)
    assert listed.returncode == 0
    assert "weights: mine.json is no model card" in listed.stdout
    assert "hyperprior\n" in listed.stdout
    encoded = run("encode", folder / "photo.png", folder / "x.clc", "--model", "mine", env=environment)
    assert_one_line(encoded, 1)
    assert "mine.json" in encoded.stderr
