"""The jobs of a tree on the machines of a Ray cluster: an engine that others keep, and no code of our own.

Ray Data hands out names of files, and a pool of actors does the jobs: each has one core, or one GPU, and
loads a model once. Pictures go from where they lie to the actor, and files from it to where they shall lie;
what comes back here is a line a picture, as soon as its block of jobs is done. So both places have to be
reachable from every machine: a folder that all share, or an object store.

A machine that goes takes nothing with it: Ray gives its blocks to others. A block that ends its actor every
time is given up, and each of its jobs is tried once more, alone, as `pool` does it.
"""

import json
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from codec_lib.folders.manifest import Row
from codec_lib.folders.pool import Work, lost
from codec_lib.folders.work import Job, do

BLOCK = 8  # jobs that travel together, where there are enough for all actors
TRIES = 2  # more, of a block whose actor has ended


def run(
    jobs: Iterable[Job], address: str, processes: int | None = None, gpus: int = 0, work: Work = do
) -> Iterator[Row]:
    """The lines of all jobs, in the order in which their blocks are finished.

    Args:
        address: of a cluster, as "ray://head:10001" or "auto"; "local" starts one on this machine.
        processes: how many actors; as many as the cluster has cores, or GPUs, unless given.
        gpus: of each actor.
    Raises:
        ImportError: there is no Ray; ConnectionError: no cluster at this address.
    """
    waiting = list(jobs)
    if not waiting:
        return
    with _connected(address, processes) as ray:
        actors = processes or max(1, int(ray.cluster_resources().get("GPU" if gpus else "CPU", 1)))
        block = max(1, min(BLOCK, len(waiting) // actors))
        for size in (block, 1):
            ended = set()
            for row in _rows(ray, waiting, size, min(actors, len(waiting)), gpus, work):
                ended.add(row["path"])
                yield row
            waiting = [job for job in waiting if job.path not in ended]
            if not waiting:
                return
        yield from map(lost, waiting)


def _rows(ray: Any, jobs: list[Job], block: int, actors: int, gpus: int, work: Work) -> Iterator[Row]:
    """One run of Ray Data; the lines of a block that was given up are missing."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # whatever happens to a block, the others go on
    context.execution_options.preserve_order = False
    items = ray.data.from_items(
        [{"job": pickle.dumps(job)} for job in jobs], override_num_blocks=-(-len(jobs) // block)
    )
    lines = items.map_batches(
        _Worker, fn_constructor_args=(work,), batch_size=None, num_cpus=1, num_gpus=gpus or None,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors), max_task_retries=TRIES,
    )  # fmt: skip
    for line in lines.iter_rows():
        yield json.loads(line["row"])


class _Worker:
    """An actor: what it has loaded stays."""

    def __init__(self, work: Work):
        import torch

        torch.set_num_threads(1)
        self.work = work

    def __call__(self, block: dict[str, Any]) -> dict[str, list[str]]:
        return {"row": [json.dumps(self.work(pickle.loads(job))) for job in block["job"]]}


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
    told = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        ray.init(num_cpus=processes, include_dashboard=False, **told)
    else:
        ray.init(address=address, **told)
    try:
        yield ray
    finally:
        ray.shutdown()
