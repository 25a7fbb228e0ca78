"""Whole folders: all is done, nothing twice, nothing half, and nothing wrong goes unnoticed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import codec_lib as cl
from codec_lib import data, picture
from codec_lib.folders import manifest, pool, tree
from codec_lib.folders.places import Folder, at, sha256
from codec_lib.folders.work import Job, do
from tests.folders.runs import GOOD, encode, one_by_one, quiet

ENCODE_ALL = [sys.executable, "-m", "codec_lib", "encode-all"]


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
    found, expected = (np.int32(image) for image in (picture.load(back / "deep/er/b.png"), decoded))
    assert abs(found - expected).max() <= 1  # float, and with other threads: never more than a rounding


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
    assert failed.startswith("codec-lib: 1 of 6 failed; see ")


def test_files_that_changed_are_found(target):
    assert not any("error" in row for row in tree.verify_all(target, pool.run, quiet))
    path = target / "grey.clc"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (target / "a.png.clc").unlink()
    wrong = {row["path"] for row in tree.verify_all(target, pool.run, quiet) if "error" in row}
    assert wrong == {"grey.clc", "a.png.clc"}


def rewritten(target, **changes):
    """The manifest with other values, as another machine or an earlier version would have written them."""
    rows = [row | changes for row in manifest.read(at(target)).values()]
    text = "".join(json.dumps({k: v for k, v in row.items() if v is not ...}) + "\n" for row in rows)
    (target / manifest.NAME).write_text(text)


def test_samples_of_another_machine_are_no_damage_and_other_integers_are(target):
    rewritten(target, pixels="0" * 64)
    rows = tree.verify_all(target, one_by_one, quiet)
    assert not any("error" in row or "notes" in row for row in rows)
    rewritten(target, symbols="0" * 64)
    rows = tree.verify_all(target, one_by_one, quiet)
    assert all("other samples" in row["error"] for row in rows)
    rewritten(target, symbols=...)
    rows = tree.verify_all(target, one_by_one, quiet)
    assert not any("error" in row for row in rows)
    assert all("its bytes are the same" in row["notes"][0] for row in rows)


def test_samples_of_a_file_that_promises_them_are_the_same_everywhere(source, tmp_path):
    target = tmp_path / "exact"
    encode(source, target, model="near-lossless")
    assert all(row["symbols"] is None for row in manifest.read(at(target)).values())
    assert not any("error" in row for row in tree.verify_all(target, one_by_one, quiet))
    rewritten(target, pixels="0" * 64)
    assert all("error" in row for row in tree.verify_all(target, one_by_one, quiet))


def test_another_reader_of_a_standard_codec_is_no_damage(source, tmp_path):
    target = tmp_path / "standard"
    encode(source, target, model="around-jpeg")
    assert all(row["symbols"] is None for row in manifest.read(at(target)).values() if "output" in row)
    for earlier in ({}, {"symbols": "0" * 64}):  # which had a digest of what the codec showed
        rewritten(target, pixels="0" * 64, **earlier)
        rows = tree.verify_all(target, one_by_one, quiet)
        assert not any("error" in row for row in rows)
        assert all("its bytes are the same" in row["notes"][0] for row in rows)


def test_of_two_pictures_with_one_file_the_later_one_counts(source, target):
    data.sample("coffee").crop((0, 0, 60, 40)).save(source / "grey.jpg")
    (source / "grey.png").rename(source / "grey.bak")
    assert encode(source, target)["grey.jpg"]["output"] == "grey.clc"
    assert not any("error" in row for row in tree.verify_all(target, one_by_one, quiet))
    (source / "grey.bak").rename(source / "grey.png")
    (source / "grey.jpg").unlink()
    assert "skipped" not in encode(source, target)["grey.png"]
    assert not any("error" in row for row in tree.verify_all(target, one_by_one, quiet))


def test_what_was_decoded_can_be_verified_too(target, tmp_path):
    back = tmp_path / "back"
    tree.decode_all(target, back, one_by_one, quiet)
    assert not any("error" in row for row in tree.verify_all(back, one_by_one, quiet))
    path = back / "grey.png"
    path.write_bytes(path.read_bytes()[:-1])
    wrong = [row["path"] for row in tree.verify_all(back, one_by_one, quiet) if "error" in row]
    assert wrong == ["grey.png"]


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


def test_the_error_of_a_picture_is_that_of_its_colours(tmp_path):
    photo, errors = data.sample("astronaut").crop((150, 0, 214, 64)), {}
    for mode in ("RGB", "RGBA", "L", "LA"):
        photo.convert("L").convert(mode).save(tmp_path / f"{mode}.png")
        options = {"model": "flagship", "setting": "quality", "values": [2.0]}
        place = at(tmp_path)
        row = do(Job("measure", mode, place, f"{mode}.png", place, "", "", options))
        errors[mode] = row["points"][0][2]
    assert errors["RGB"] == pytest.approx(errors["RGBA"], rel=1e-9)
    assert errors["L"] == pytest.approx(errors["LA"], rel=1e-9)
    assert errors["L"] == pytest.approx(errors["RGB"], rel=0.1)  # which may be off grey a little


@pytest.mark.parametrize("least", [1, 12])
def test_a_killed_run_leaves_nothing_half_and_goes_on(source, tmp_path, least):
    target, copies = tmp_path / "killed", 60
    for k in range(copies):
        shutil.copy(source / "a.png", source / f"copy {k}.png")
    command = [*ENCODE_ALL, str(source), str(target), "--processes", "1"]
    run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    while run.poll() is None and len(list(target.rglob("*.clc"))) < least:
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    there = list(target.rglob("*.clc"))
    assert least <= len(there) < len(GOOD) + copies
    for path in there:
        assert cl.decode(path.read_bytes()).size[0] == 80
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    before = re.search(r"(\d+) of them done before", ended.stdout)
    assert len(there) - 1 <= int(before[1] if before else 0) <= len(there)  # its line may be missing
    files = [path for path in target.rglob("*") if path.is_file()]
    assert len(files) == len(GOOD) + copies + 1  # and the manifest


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


def sleep(job):
    """Work that takes its time."""
    time.sleep(60)
    return {"path": job.path, "task": job.task}


@pytest.fixture
def usual_interrupt():
    """Ctrl-C as a program gets it, whatever an event loop of another test has left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)


@pytest.mark.usefixtures("usual_interrupt")
def test_who_wants_no_more_lines_does_not_wait_for_what_is_in_work():
    jobs = [Job("encode", str(k), Folder("."), "", None, "", "task") for k in range(4)]
    lines = pool.run(jobs, 2, sleep)
    timer = threading.Timer(8, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(lines)
    assert time.monotonic() - began < 30


def test_a_process_that_dies_costs_one_picture():
    jobs = [Job("encode", str(k), Folder("."), "", None, "", "task") for k in range(8)]
    rows = list(pool.run(jobs, 2, die_of_one))
    assert sorted(row["path"] for row in rows) == [str(k) for k in range(8)]
    assert [row["path"] for row in rows if "error" in row] == ["3"]


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


def test_another_decoder_of_the_same_name_is_another_task(target, tmp_path, monkeypatch):
    from codec_lib import weights

    def skipped():
        rows = tree.decode_all(target, tmp_path / "back", one_by_one, quiet, decoder="eye")
        return {row.get("skipped", False) for row in rows}

    assert (skipped(), skipped()) == ({False}, {True})
    monkeypatch.setattr(weights, "card_of", lambda path: {"sha256": "another"})
    assert skipped() == {False}
