"""Object stores: lines of several runs, folders that are closed, and what clients raise."""

import time

import pytest

from codec_lib.folders import manifest, stores
from codec_lib.folders.places import Store, at
from tests.folders.runs import close


def test_lines_that_were_not_joined_yet_count(bucket):
    store = Store(f"{bucket}/lines")

    def interrupted():
        with manifest.writing(store) as writer:
            writer.add({"path": "a"})
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    with manifest.writing(store) as writer:
        writer.add({"path": "b"})
    assert set(manifest.read(store)) == {"a", "b"}
    assert set(store.files()) == {manifest.NAME}


def test_two_runs_at_once_lose_no_line_of_each_other(bucket):
    store = Store(f"{bucket}/two")
    with manifest.writing(store) as first:
        first.add({"path": "a"})
        with manifest.writing(store) as second:
            second.add({"path": "b"})
        assert set(manifest.read(store)) == {"b"}
    assert set(manifest.read(store)) == {"a", "b"}


def test_parts_of_another_run_are_joined_once_they_are_old(bucket, monkeypatch):
    store = Store(f"{bucket}/old")
    store.write(f"{manifest.NAME}.parts/1700000000000000000-0badcafe", b'{"path": "dead"}\n')
    store.write(f"{manifest.NAME}.parts/{time.time_ns()}-0badcafe", b'{"path": "alive"}\n')
    with manifest.writing(store) as writer:
        writer.add({"path": "own"})
    assert len(store.files()) == 3
    assert set(manifest.read(store)) == {"dead", "alive", "own"}
    monkeypatch.setattr(stores, "ABANDONED", 0)
    with manifest.writing(store) as writer:
        writer.add({"path": "last"})
    assert set(store.files()) == {manifest.NAME}
    assert set(manifest.read(store)) == {"dead", "alive", "own", "last"}


@pytest.mark.parametrize("name", ["", "notes.txt", "1700000000000000000-0badcafe.bak"])
def test_what_others_lay_among_the_parts_is_let_alone(bucket, name):
    store = Store(f"{bucket}/foreign{len(name)}")
    with store._client() as (fs, top):  # a name with "/" at its end is how consoles mark a folder
        fs.pipe_file(f"{top}/{manifest.NAME}.parts/{name}", b"nobody's")
    with manifest.writing(store) as writer:
        writer.add({"path": "a"})
    with manifest.writing(store) as writer:
        writer.add({"path": "b"})
    assert set(manifest.read(store)) == {"a", "b"}
    assert [key for key in store.files() if key != manifest.NAME] == [f"{manifest.NAME}.parts/{name}"]


def test_a_closed_folder_of_a_store_is_told_of(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.txt").write_text("x")
    close(monkeypatch, "closed")
    closed: dict[str, str] = {}
    assert set(Store(f"local://{tmp_path}").files(closed)) == {"open.txt"}
    assert closed == {"closed": "Permission denied"}


def test_what_a_store_raises_is_one_line(monkeypatch):
    class Refusal(Exception):
        """Of a client that has classes of its own."""

    def refuse(*_, **__):
        raise Refusal("no\ncredentials")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.cat_file", refuse)
    with pytest.raises(OSError, match="memory://x: no credentials"):
        Store("memory://x").read("y")


def test_addresses_that_nothing_reaches_say_what_is_missing():
    with pytest.raises(ValueError, match="nowhere"):
        at("nowhere://bucket")
