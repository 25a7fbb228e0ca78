"""A real Ray of two nodes, and a real object store over HTTP: the files are those of one machine."""

import os
import re
import socket
import time
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from codec_lib import data
from codec_lib.folders import manifest, pool, tree
from codec_lib.folders.places import Folder, Store, at
from codec_lib.folders.work import Job, do
from tests.folders.runs import quiet

ray = pytest.importorskip("ray")

PICTURES = 12


@pytest.fixture(scope="module")
def nodes(bucket):
    """A cluster of a head without cores and two nodes with one each, to which this process is connected."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where nodes find the work of these tests
        memory = 80 << 20
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": memory}
        )
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=memory) for _ in range(2)]
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster, nodes
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of pictures, and the files that one machine makes of them."""
    top = tmp_path_factory.mktemp("made")
    photo = data.sample("astronaut")
    for k in range(PICTURES):
        path = top / "source" / ("deep" if k % 2 else "") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((20 * k, 0, 20 * k + 80, 64)).save(path)
    tree.encode_all(top / "source", top / "target", pool.run, quiet)
    return top


def files_of(place):
    place = at(place)
    return {name: place.read(name) for name in place.files() if name.endswith(".clc")}


def on_cluster(**options):
    from codec_lib.folders import cluster

    return partial(cluster.run, address="auto", **options)


def slow(job):
    """Work that takes a second more, so that a node can go in the middle of it."""
    time.sleep(1)
    return do(job)


def end_at_three(job):
    """Work that ends its process at one picture."""
    if job.path == "3":
        os._exit(9)
    return {"path": job.path, "task": job.task}


def test_two_nodes_make_the_files_of_one_machine_in_an_object_store(nodes, bucket, made):
    target = Store(f"{bucket}/two")
    rows = tree.encode_all(made / "source", target, on_cluster(), quiet)
    assert [row["error"] for row in rows if "error" in row] == []
    assert len(rows) == PICTURES == len({row["path"] for row in rows})
    assert files_of(target) == files_of(made / "target")
    again = tree.encode_all(made / "source", target, on_cluster(), quiet)
    assert all(row.get("skipped") for row in again)


def test_a_picture_that_ends_its_process_is_a_line(nodes):
    jobs = [Job("encode", str(k), Folder("."), "", None, "", "task") for k in range(8)]
    rows = list(on_cluster(work=end_at_three)(jobs))
    assert sorted(row["path"] for row in rows) == [str(k) for k in range(8)]
    assert [row["path"] for row in rows if "error" in row] == ["3"]


def test_a_node_that_goes_takes_nothing_with_it(nodes, made, tmp_path):
    cluster, (_, second) = nodes
    seen = []

    def told(row, left):
        seen.append(row)
        if len(seen) == 2:
            cluster.remove_node(second, allow_graceful=False)

    rows = tree.encode_all(made / "source", tmp_path / "target", on_cluster(work=slow), told)
    for _ in range(100):
        if sum(node["Alive"] for node in ray.nodes()) == 2:  # the head and the first
            break
        time.sleep(0.5)
    else:
        raise AssertionError("the second node did not go")
    assert [row["error"] for row in rows if "error" in row] == []
    assert sorted(row["path"] for row in rows) == sorted(manifest.read(at(made / "target")))
    assert files_of(tmp_path / "target") == files_of(made / "target")


def test_an_object_store_gets_the_same_files_and_gives_them_back(bucket, made, tmp_path):
    source, target = Store(f"{bucket}/source"), Store(f"{bucket}/one")
    for path in (made / "source").rglob("*.png"):
        source.write(path.relative_to(made / "source").as_posix(), path.read_bytes())
    source.write("notes.txt", b"no picture")
    rows = tree.encode_all(source, target, pool.run, quiet)
    assert not any("error" in row for row in rows)
    assert files_of(target) == files_of(made / "target")
    assert not any("error" in row for row in tree.verify_all(target, pool.run, quiet))
    assert all(row["skipped"] for row in tree.encode_all(source, target, pool.run, quiet))
    name = next(iter(files_of(target)))
    target.write(name, b"half")
    again = tree.encode_all(source, target, pool.run, quiet)
    assert [row["output"] for row in again if "skipped" not in row] == [name]
    tree.decode_all(target, tmp_path / "back", pool.run, quiet)
    assert len(list((tmp_path / "back").rglob("*.png"))) == PICTURES


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), OSError(111, "refused"), UnicodeError("idna")]
)
@pytest.mark.parametrize("address", ["head:6379", "ray://head:10001", "[::1]:6379"])
def test_a_cluster_that_does_not_answer_is_not_waited_for(address, error, monkeypatch):
    from codec_lib.folders import cluster

    asked = Mock(side_effect=error)
    monkeypatch.setattr(socket, "create_connection", asked)
    with pytest.raises(ConnectionError, match=re.escape(f"--ray: nobody answers at {address} (")):
        cluster._check_reachable(address)
    (place, seconds), _ = asked.call_args
    assert place[0] in ("head", "::1")
    assert seconds == cluster.REACH_SECONDS
    asked.reset_mock()
    cluster._check_reachable("auto")
    assert not asked.called
