"""Which files of a folder are pictures, what theirs are called, and which names are refused."""

import os
import shutil

import pytest
from PIL import Image

from codec_lib import data
from codec_lib.errors import PictureWarning
from codec_lib.folders import manifest, pool, tree
from codec_lib.folders.places import Folder, at
from tests.folders.runs import GOOD, close, encode, one_by_one, quiet


def test_no_two_pictures_get_one_file():
    paths = ["a.png", "a.jpg", "a.png.jpg", "b.png", "c/b.png", "d.png.webp"]
    outputs = tree._outputs(paths, ".clc")
    assert outputs["b.png"] == "b.clc"
    assert outputs["d.png.webp"] == "d.png.clc"
    assert len(set(outputs.values())) == len(paths)


def test_no_file_gets_the_name_of_a_folder(tmp_path):
    assert tree._outputs(["x.png", "x.clc/y.png"], ".clc") == {
        "x.png": "x.png.clc",
        "x.clc/y.png": "x.clc/y.clc",
    }
    assert tree._outputs(["x.png", "x.clc/y", "x.png.clc/z"], ".clc")["x.png"] == "x.png.clc.clc"
    photo, source = data.sample("astronaut").crop((0, 0, 16, 16)), tmp_path / "source"
    (source / "x.clc").mkdir(parents=True)
    for name in ("x.png", "x.clc/y.png", "..png"):
        photo.save(source / name, format="PNG")
    rows = tree.encode_all(source, tmp_path / "out", one_by_one, quiet, model="factorized")
    assert not [row for row in rows if "error" in row]
    back = tree.decode_all(tmp_path / "out", tmp_path / "back", one_by_one, quiet)
    assert {row.get("output") for row in back} == {"x.png.png", "x.clc/y.png", "..png"}


def test_a_set_of_what_is_kept_is_the_same_task_in_every_process(source, tmp_path):
    one, other = {"icc", "exif", "xmp"}, {"xmp", "icc", "exif"}
    keeps = [tree._as_text(keep) for keep in (one, other, frozenset(one))]
    assert keeps == [str(sorted(one))] * 3
    assert tree._as_text(("icc",)) == "('icc',)"


def test_what_goes_wrong_beside_a_manifest_is_not_blamed_on_it(tmp_path):
    with pytest.raises(BrokenPipeError) as error, manifest.writing(at(tmp_path)):
        raise BrokenPipeError(32, "Broken pipe")
    assert error.value.errno == 32
    assert manifest.NAME not in str(error.value)


def test_dead_links_among_files_are_told_of_and_those_of_a_target_inside_are_not(target, tmp_path):
    (target / "dead.clc").symlink_to(target / "nowhere")
    with pytest.warns(PictureWarning, match=r"no files, left out: 1 \(dead link or pipe\)"):
        tree.decode_all(target, tmp_path / "back", one_by_one, quiet)
    inner = target / "inner"
    inner.mkdir()
    (inner / "old.png").symlink_to(target / "nowhere")
    data.sample("astronaut").crop((0, 0, 16, 16)).save(target / "new.png")
    with pytest.warns(PictureWarning) as told:
        tree.encode_all(target, inner, one_by_one, quiet)
    assert not [note for note in told if "dead link" in str(note.message)]


def test_a_manifest_on_a_full_disk_is_named(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        with (
            pytest.raises(
                OSError, match=rf"^output: .*{manifest.NAME}: (File too large|No space left on device)$"
            ),
            manifest.writing(at(tmp_path)) as writer,
        ):
            writer.add({"path": "a" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


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
    close(monkeypatch, "er")
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
    with pytest.warns(PictureWarning, match=r"other kinds, left out: 1 \(1 dead link or pipe\)"):
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


def test_an_ending_in_capitals_is_replaced_too(source, target, tmp_path):
    (target / "grey.clc").rename(target / "LOUD.CLC")
    rows = tree.decode_all(target, tmp_path / "back", one_by_one, quiet)
    assert "LOUD.png" in {row["output"] for row in rows}


def test_files_whose_endings_differ_in_capitals_alone_are_two_pictures(target, tmp_path):
    other = (target / "deep/er/b.clc").read_bytes()
    (target / "grey.CLC").write_bytes(other)
    rows = tree.decode_all(target, tmp_path / "back", one_by_one, quiet)
    outputs = [row["output"] for row in rows]
    assert len(set(outputs)) == len(outputs) == len(GOOD) + 1
    modes = [Image.open(tmp_path / "back" / f"grey.{ending}.png").mode for ending in ("clc", "CLC")]
    assert modes == ["L", "RGB"]
