"""Runs the jobs of a tree on a Ray cluster; scheduling and recovery are Ray's.

Ray Data hands out names of files, and a pool of actors does the jobs: each has one core, or one GPU, and
loads a model once. Pictures go from where they lie to the actor, and files from it to where they shall lie;
what comes back here is a line a picture, as soon as its block of jobs is done. So both places have to be
reachable from every machine: a folder that all share, or an object store.

A machine that goes takes nothing with it: Ray gives its blocks to others. What a picture can do to a
process, for want of memory above all, happens to the one that the actor works with, and costs one picture.
"""

import json
import logging
import pickle
import socket
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from codec_lib.folders.manifest import Row
from codec_lib.folders.pool import Work, lost, workers
from codec_lib.folders.work import Job, do

BLOCK = 8  # jobs that travel together, where that leaves SHARES blocks for each actor
SHARES = 4
REACH_SECONDS = 10.0


def run(
    jobs: Iterable[Job], address: str, processes: int | None = None, gpus: int = 0, work: Work = do
) -> Iterator[Row]:
    """The lines of all jobs, in the order in which their blocks are finished.

    Args:
        address: of a cluster, as "ray://head:10001" or "auto"; "local" starts one on this machine.
        processes: how many actors; as many as the cluster has cores, or GPUs, unless given.
        gpus: of each actor.
    Raises:
        ImportError: there is no Ray; ConnectionError: no cluster at this address; ValueError: it has no
            cores, or no GPU where one is asked for.
    """
    waiting = list(jobs)
    if not waiting:
        return
    with _connected(address, processes) as ray:
        kind = "GPU" if gpus else "CPU"
        there = int(ray.cluster_resources().get(kind, 0))
        if not there:
            raise ValueError(f"--ray: the cluster has no {kind}")
        actors = processes or there
        yield from _lines(ray, waiting, min(actors, len(waiting)), gpus, work)


def _lines(ray: Any, jobs: list[Job], actors: int, gpus: int, work: Work) -> Iterator[Row]:
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    block = max(1, min(BLOCK, len(jobs) // (SHARES * actors)))
    packed = [{"job": pickle.dumps(job)} for job in jobs]
    lines = ray.data.from_items(packed, override_num_blocks=-(-len(jobs) // block)).map_batches(
        _Actor, fn_constructor_args=(work,), batch_size=None, num_cpus=1, num_gpus=gpus or None,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
    )  # fmt: skip
    for line in lines.iter_rows():
        yield json.loads(line["line"])


class _Actor:
    """Does the jobs of a block in a process that stays, with all that it has loaded, for the next block."""

    def __init__(self, work: Work):
        self.work, self.worker = work, workers(1)

    def __call__(self, block: dict[str, Any]) -> dict[str, list[str]]:
        return {"line": [json.dumps(self.row(pickle.loads(job))) for job in block["job"]]}

    def row(self, job: Job) -> Row:
        try:
            return self.worker.submit(self.work, job).result()
        except BrokenProcessPool:
            self.worker = workers(1)
            return lost(job)


def _check_reachable(address: str) -> None:
    """Raise ConnectionError where nobody listens at [ray://]HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):  # "auto", "local"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConnectionError(f"--ray: nobody answers at {address} ({reason})") from None


@contextmanager
def _connected(address: str, processes: int | None) -> Iterator[Any]:
    """Ray, connected to a cluster; to the one that this process is connected to already, if any."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(f"--ray: {error}; pip install 'codec_lib[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    _check_reachable(address)
    told = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        ray.init(num_cpus=processes, include_dashboard=False, **told)
    else:
        ray.init(address=address, **told)
    try:
        yield ray
    finally:
        ray.shutdown()
