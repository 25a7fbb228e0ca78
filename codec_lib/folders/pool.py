"""Many jobs on many processes, each with one thread; a process that dies takes one picture with it.

A process can be ended from outside, for want of memory above all. Then nobody knows which of the pictures
in work was too much: each of them is tried once more, alone, and only what fails again is given up.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from codec_lib.folders.manifest import Row
from codec_lib.folders.work import Job, do

Work = Callable[[Job], Row]

AHEAD = 2  # jobs a process that are handed out: enough that none waits, few that are lost


def run(jobs: Iterable[Job], processes: int | None = None, work: Work = do) -> Iterator[Row]:
    """The lines of all jobs, in the order in which they are finished; a process a core unless given."""
    waiting, processes = deque(jobs), processes or cores()
    while waiting:
        suspects: list[Job] = []
        yield from _run(waiting, processes, suspects, work)
        for job in suspects:
            again: list[Job] = []
            yield from _run(deque([job]), 1, again, work)
            if again:
                yield lost(job)


def _run(waiting: deque[Job], processes: int, suspects: list[Job], work: Work) -> Iterator[Row]:
    """Work until nothing waits, or a process has died: what was in work then is in `suspects`."""
    pool = workers(min(processes, len(waiting)))
    running: dict[Future[Row], Job] = {}
    try:
        while waiting or running:
            while waiting and len(running) < AHEAD * processes:
                with _without_interruptions():
                    running[pool.submit(work, waiting[0])] = waiting[0]
                waiting.popleft()  # not before: a broken pool takes nothing
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                row = future.result()
                del running[future]
                yield row
    except BrokenProcessPool:
        for future, job in running.items():
            if future.done() and not future.exception():
                yield future.result()
            else:
                suspects.append(job)
    except BaseException:  # an interruption, or nobody wants more lines: nothing has to be waited for
        for process in list(pool._processes.values()):  # `terminate_workers` from Python 3.14 on
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _without_interruptions() -> Iterator[None]:
    """Processes that begin meanwhile never see Ctrl-C, not even while they import; this one does later."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def lost(job: Job) -> Row:
    """The line of a job that nobody could end."""
    return {"path": job.path, "task": job.task, "error": "a process ended while it was at work"}


def workers(count: int) -> ProcessPoolExecutor:
    """Processes with one thread each, which end with the one that has started them."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_begin)


def _begin() -> None:
    """As many processes as cores: a second thread in each would only be in the way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process decides what an interruption means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """A first process that is killed can tell nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a child
    parent.join()
    os._exit(1)


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
