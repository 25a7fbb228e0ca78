"""What the command refuses: an exit status, one line on stderr, and nothing left behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import codec_lib as cl
from codec_lib import weights
from tests.command import assert_one_line, folder_with_photo, run


@pytest.fixture
def folder(tmp_path):
    """A folder with a photograph in it."""
    return folder_with_photo(tmp_path)


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
        ("encode", "photo.png", "x.clc", "--strip", "--keep", "exif"),
        ("encode", "photo.png", "x.clc", "--tau", "1.5"),
        ("encode", "photo.png", "x.clc", "--set", "quality"),
        ("encode", "photo.png", "x.clc", "--set", "quality=four"),
        ("decode", "photo.clc", "x"),
        ("decode", "photo.clc", "x.png", "--window", "1,2,3"),
        ("truncate", "photo.clc", "x.clc"),
        ("evaluate", ".", "--model", "hyperprior", "--values", "1,two", "--json", "x.json"),
        ("evaluate", ".", "--model", "hyperprior", "--values", "1,99", "--json", "x.json"),
        ("inspect", "photo.clc", "x", "y\nz"),
        ("encode", "--", "photo.png", "--"),
        ("truncate", "--stages", "1", "--", "photo.png", "--"),
        ("verify", "--", "photo.png", "--"),
        ("encode-all", "--", ".", "--"),
        ("verify", "-", "-"),
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
        ("encode", "photo.png", "nosuch/."),
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


def test_the_original_is_not_overwritten(folder):
    before = (folder / "photo.png").read_bytes()
    (folder / "link.png").symlink_to(folder / "photo.png")
    for output in ("photo.png", "link.png"):
        assert_one_line(run("encode", folder / "photo.png", folder / output), 1)
    assert (folder / "photo.png").read_bytes() == before


def test_a_full_disk_is_one_line():
    picture = Path(__file__).parents[2] / "_static" / "readme.png"
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


@pytest.mark.parametrize("arguments", [("--help",), ("models",), ("inspect", "photo.clc")])
def test_what_is_printed_to_a_full_disk_or_to_nobody_is_one_line(folder, arguments):
    (folder / "photo.clc").write_bytes(cl.encode(folder / "photo.png", "factorized"))
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "codec_lib", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with open("/dev/full", "wb") as full, open(write, "wb") as gone:
        for place in (full, gone):
            ended = subprocess.run(
                command, stdout=place, stderr=subprocess.PIPE, cwd=folder, env=environment, timeout=60
            )
            assert ended.returncode == 1
            assert len(ended.stderr.splitlines()) == 1
            assert ended.stderr.startswith(b"codec-lib: ")


def test_nobody_has_to_listen_to_what_goes_wrong(folder):
    def command(arguments):
        line = f"{sys.executable} -m codec_lib {arguments} 2>&-"
        return subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120, cwd=folder)

    for arguments in ("encode photo.png x.clc", "encode-all . out --model factorized"):
        assert command(arguments).returncode == 0
    failed = command("decode photo.png x.png")
    assert (failed.returncode, failed.stdout) == (1, "")


def test_results_do_not_replace_a_measured_picture(folder):
    before = (folder / "photo.png").read_bytes()
    given = ("--model", "factorized", "--values", "2", "--json", folder / "photo.png")
    assert_one_line(run("evaluate", folder, *given), 1)
    assert (folder / "photo.png").read_bytes() == before


@pytest.mark.parametrize("folders", [("", "out"), (".", "")])
def test_an_empty_name_is_no_folder(folder, folders):
    for command in ("encode-all", "decode-all"):
        assert_one_line(run(command, *folders, cwd=folder), 1)
    assert [path.name for path in folder.iterdir()] == ["photo.png"]
