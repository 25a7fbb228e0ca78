"""Whole folders: all is done, nothing twice, nothing half, and nothing wrong goes unnoticed."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import data, picture
from codec_lib.errors import PictureWarning
from codec_lib.folders import manifest, pool, tree
from codec_lib.folders.places import Folder, at, sha256
from codec_lib.folders.work import Job, do

GOOD = ("a.png", "a.jpg", "deep/er/b.png", "grey.png", "very nice \u00e9.png")
ENCODE_ALL = [sys.executable, "-m", "codec_lib", "encode-all"]


def quiet(row, left):
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a source and with what became of it: each test gets a copy."""
    top = tmp_path_factory.mktemp("made")
    folder = top / "source"
    photo = data.sample("astronaut")
    for k, name in enumerate(GOOD):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        crop = photo.crop((100 + 9 * k, 0, 180 + 9 * k, 64))
        (crop.convert("L") if name == "grey.png" else crop).save(path)
    (folder / "notes.txt").write_text("no picture")
    encode(folder, top / "target")
    return top


@pytest.fixture
def source(made, tmp_path):
    return shutil.copytree(made / "source", tmp_path / "source")


@pytest.fixture
def target(made, tmp_path):
    return shutil.copytree(made / "target", tmp_path / "target")


def one_by_one(jobs):
    """Does them in this process: for few."""
    return map(do, jobs)


def encode(source, target, **options):
    return {row["path"]: row for row in tree.encode_all(source, target, pool.run, quiet, **options)}


def test_files_are_those_of_single_calls_and_go_back(source, target, tmp_path):
    back = tmp_path / "back"
    rows = manifest.read(at(target))
    assert set(rows) == set(GOOD)
    outputs = {"a.png.clc", "a.jpg.clc", "deep/er/b.clc", "grey.clc", "very nice \u00e9.clc"}
    assert {row["output"] for row in rows.values()} == outputs
    for name, row in rows.items():
        file = (target / row["output"]).read_bytes()
        assert file == cl.encode(source / name)
        assert (row["bytes"], row["sha256"]) == (len(file), sha256(file))
    tree.decode_all(target, back, pool.run, quiet)
    decoded = cl.decode((target / "deep/er/b.clc").read_bytes())
    assert np.array_equal(np.asarray(picture.load(back / "deep/er/b.png")), np.asarray(decoded))


def test_what_is_done_is_not_done_again(source, target):
    (target / "grey.clc").unlink()
    (target / "deep/er/b.clc").write_bytes(b"half")
    data.sample("astronaut").crop((0, 0, 50, 50)).save(source / "a.png")
    again = encode(source, target)
    assert {path for path, row in again.items() if not row.get("skipped")} == {
        "grey.png", "deep/er/b.png", "a.png",
    }  # fmt: skip
    assert all("skipped" in row for row in encode(source, target).values())
    assert not any("skipped" in row for row in encode(source, target, quality=2).values())


def test_a_bad_picture_is_a_line_and_no_end(source, target):
    (source / "bad.png").write_bytes(b"no picture")
    rows = encode(source, target)
    assert "not a picture" in rows["bad.png"]["error"]
    assert sum("error" in row for row in rows.values()) == 1
    assert set(manifest.read(at(target))) == set(rows)
    ended = subprocess.run([*ENCODE_ALL, str(source), str(target)], capture_output=True, text=True)
    assert ended.returncode == 1
    told, failed = ended.stderr.splitlines()
    assert told == "codec-lib: warning: files of other kinds, left out: 1 (1 .txt)"
    assert failed.startswith("codec-lib: 1 of 6 failed, see ")


def test_files_that_changed_are_found(target):
    assert not any("error" in row for row in tree.verify_all(target, pool.run, quiet))
    path = target / "grey.clc"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (target / "a.png.clc").unlink()
    wrong = {row["path"] for row in tree.verify_all(target, pool.run, quiet) if "error" in row}
    assert wrong == {"grey.clc", "a.png.clc"}


def test_a_setting_may_have_any_name(source, tmp_path):
    for name in ("source", "target", "run", "told"):
        rows = tree.encode_all(source, tmp_path / "out" / name, one_by_one, quiet, **{name: 3})
        assert all(name in row["error"] for row in rows)


def test_a_budget_is_kept_and_shared_out_better_than_evenly(source, target, tmp_path):
    even = manifest.read(at(target))
    budget = int(0.9 * sum(row["bytes"] for row in even.values()))
    shared = encode(source, tmp_path / "shared", target_bytes=budget)
    files = list((tmp_path / "shared").rglob("*.clc"))
    assert len(files) == len(GOOD)
    assert 0.8 * budget < sum(path.stat().st_size for path in files) <= budget
    assert len({cl.inspect(path.read_bytes()).header.value for path in files}) > 1
    assert {path for path in shared if path in GOOD} == set(GOOD)
    with pytest.raises(ValueError, match="budget: 10 bytes; the smallest files have"):
        encode(source, tmp_path / "none", target_bytes=10)


@pytest.mark.parametrize("seconds", [2.5, 4.5])
def test_a_killed_run_leaves_nothing_half_and_goes_on(source, tmp_path, seconds):
    target = tmp_path / "killed"
    command = [*ENCODE_ALL, str(source), str(target), "--processes", "1"]
    run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    for path in target.rglob("*.clc"):
        assert cl.decode(path.read_bytes()).size[0] == 80
    rows = encode(source, target)
    assert not any("error" in row for row in rows.values())
    files = [path for path in target.rglob("*") if path.is_file()]
    assert len(files) == len(GOOD) + 1  # and the manifest


def test_drafts_of_a_killed_run_go(source, target):
    draft, other = target / "deep" / ".0123456789abcdef", target / ".hidden"
    for path in (draft, other):
        path.write_bytes(b"half")
    encode(source, target)
    assert other.exists()
    assert not draft.exists()


def test_drafts_of_a_run_at_work_stay(source, target):
    draft = target / "deep" / ".0123456789abcdef"
    with manifest.writing(at(target)):
        draft.write_bytes(b"half")
        encode(source, target)
    assert draft.exists()


def test_a_line_that_was_cut_counts_as_none(source, target):
    path = target / manifest.NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    done = sum("skipped" in row for row in encode(source, target).values())
    assert done == len(GOOD) - 1
    assert all(json.loads(line) for line in path.read_bytes().splitlines() if len(line) != 40)
    assert all("skipped" in row for row in encode(source, target).values())


MADE = {"path": "grey.png", "output": "grey.clc", "bytes": 1, "sha256": "", "pixels": ""}


@pytest.mark.parametrize(
    "line",
    [
        '{"path": "grey.png", "output": "grey.clc"}',
        *(json.dumps(MADE | {key: [1]}) for key in (*MADE, "source")),
        json.dumps(MADE | {"points": [[1, 2]]}),
        "[" * 200_000,
        "null",
    ],
)
def test_a_line_that_was_damaged_counts_as_none(target, line):
    with open(target / manifest.NAME, "a") as file:
        file.write(line + "\n")
    assert manifest.read(at(target))["grey.png"]["bytes"] > 1
    assert not any("error" in row for row in tree.verify_all(target, one_by_one, quiet))


def die_of_one(job):
    """Work that ends its process at one picture."""
    if job.path == "3":
        os._exit(9)
    time.sleep(0.05)
    return {"path": job.path, "task": job.task}


def test_a_process_that_dies_costs_one_picture():
    jobs = [Job("encode", str(k), Folder("."), "", None, "", "task") for k in range(8)]
    rows = list(pool.run(jobs, 2, die_of_one))
    assert sorted(row["path"] for row in rows) == [str(k) for k in range(8)]
    assert [row["path"] for row in rows if "error" in row] == ["3"]


def test_no_two_pictures_get_one_file():
    paths = ["a.png", "a.jpg", "a.png.jpg", "b.png", "c/b.png", "d.png.webp"]
    outputs = tree._outputs(paths)
    assert outputs["b.png"] == "b.clc"
    assert outputs["d.png.webp"] == "d.png.clc"
    assert len(set(outputs.values())) == len(paths)


def test_every_kind_of_picture_is_taken_and_the_others_are_counted(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    photo = data.sample("astronaut").crop((0, 0, 16, 16))
    pictures = {
        f"{kind}.{kind}" for kind in ("gif", "pgm", "jp2", "jfif", "pbm", "pnm", "tga", "qoi", "jpe")
    }
    for name in pictures | {"LARGE.PNG"}:
        photo.convert("1" if name == "pbm.pbm" else "RGB").save(source / name)
    for name in ("a.txt", "b.txt", "c.clc", "d.pdf", "e.eps", ".hidden"):
        (source / name).write_bytes(b"no picture")
    with pytest.warns(PictureWarning) as told:
        rows = tree.encode_all(source, tmp_path / "out", one_by_one, quiet, model="factorized")
    assert {row["path"] for row in rows if "error" not in row} == pictures | {"LARGE.PNG"}
    assert str(told[-1].message) == (
        "files of other kinds, left out: 6 (2 .txt, 1 without ending, 1 .clc, 1 .pdf, 1 .eps)"
    )


def test_folders_that_may_not_be_read_are_lines(source, target, monkeypatch):
    scan = os.scandir

    def closed(path):
        if str(path).endswith("er"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    rows = tree.encode_all(source, target, one_by_one, quiet)
    wrong = {row["path"]: row["error"] for row in rows if "error" in row}
    assert wrong == {"deep/er": "listing: Permission denied"}
    assert manifest.read(at(target))["deep/er"]["error"] == wrong["deep/er"]
    (source / "linked").symlink_to(source / "deep")
    assert "linked/er" not in {row["path"] for row in tree.encode_all(source, target, one_by_one, quiet)}


def test_a_file_that_is_of_no_picture_any_more_stays_and_is_told_of(source, target, tmp_path):
    told = r"\.clc files of no picture in manifest.jsonl: 1, the first is grey\.clc"
    shutil.copy(source / "a.jpg", source / "grey.jpg")
    before = (target / "grey.clc").read_bytes()
    with pytest.warns(PictureWarning, match=told):
        rows = tree.encode_all(source, target, one_by_one, quiet)
    assert {row["output"] for row in rows} >= {"grey.png.clc", "grey.jpg.clc"}
    assert (target / "grey.clc").read_bytes() == before
    with pytest.warns(PictureWarning, match=told):
        assert len(tree.verify_all(target, one_by_one, quiet)) == len(GOOD) + 1
    with pytest.warns(PictureWarning, match=told):
        tree.decode_all(target, tmp_path / "back", one_by_one, quiet)


def test_names_that_are_no_text_and_folders_with_endings_are_no_trouble(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    name = os.fsdecode(b"\xff\n.png")
    data.sample("astronaut").crop((0, 0, 16, 16)).save(source / name, format="PNG")
    (source / "folder.png").mkdir()
    (source / "dead.png").symlink_to(source / "nowhere")
    assert set(encode(source, target)) == {name}
    assert "skipped" in encode(source, target)[name]
    assert not any("error" in row for row in tree.verify_all(target, pool.run, quiet))


@pytest.mark.parametrize("name", ["../x.clc", "a/../../x.clc", "/x.clc"])
def test_names_from_elsewhere_do_not_lead_out_of_a_folder(name, tmp_path):
    folder = Folder(str(tmp_path / "inner"))
    for act in (folder.read, folder.path, lambda name: folder.write(name, b"")):
        with pytest.raises(ValueError, match="leads out of the folder"):
            act(name)
    assert not list(tmp_path.rglob("*.clc"))


def test_folders_that_cannot_be_meant(source, tmp_path):
    with pytest.raises(ValueError, match="is the input"):
        encode(source, source)
    with pytest.raises(ValueError, match="no pictures"):
        encode(tmp_path / "source" / "deep" / "er" / "nothing", tmp_path / "x")
    with pytest.raises(ValueError, match="lists no files"):
        tree.verify_all(tmp_path, pool.run, quiet)


def test_a_target_inside_of_the_source_is_not_read(source, target):
    shutil.copytree(source.parent / "target", source / "out")
    shutil.copy(source / "a.png", source / "out" / "x.png")
    assert set(encode(source, source / "out")) == set(GOOD)


def test_a_budget_leaves_out_what_could_not_be_measured(tmp_path):
    """Its lossless file, which is the default, would be longer than the whole budget."""
    (tmp_path / "in").mkdir()
    photo = np.asarray(data.sample("astronaut").convert("L"))[:64, :64]
    picture.Image.fromarray(photo).save(tmp_path / "in" / "a.png")
    picture.Image.fromarray(photo.astype(np.uint16) * 257).save(tmp_path / "in" / "deep.png")
    options = {"model": "near-lossless", "target_bytes": 5000}
    rows = tree.encode_all(tmp_path / "in", tmp_path / "out", one_by_one, quiet, **options)
    assert {row["path"]: "16 bits" in row.get("error", "") for row in rows} == {
        "a.png": False,
        "deep.png": True,
    }
    assert [path.name for path in (tmp_path / "out").glob("*.clc")] == ["a.clc"]


def test_an_ending_in_capitals_is_replaced_too(source, target, tmp_path):
    (target / "grey.clc").rename(target / "LOUD.CLC")
    rows = tree.decode_all(target, tmp_path / "back", one_by_one, quiet)
    assert "LOUD.png" in {row["output"] for row in rows}


def test_another_decoder_of_the_same_name_is_another_task(target, tmp_path, monkeypatch):
    from codec_lib import weights

    def skipped():
        rows = tree.decode_all(target, tmp_path / "back", one_by_one, quiet, decoder="eye")
        return {row.get("skipped", False) for row in rows}

    assert (skipped(), skipped()) == ({False}, {True})
    monkeypatch.setattr(weights, "card_of", lambda path: {"sha256": "another"})
    assert skipped() == {False}
