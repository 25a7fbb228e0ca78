"""How long this machine takes for something."""

import time
from collections.abc import Callable

import torch


def seconds(task: Callable[[], object]) -> float:
    """How long one call takes; on a GPU until all its work is done."""
    start = time.perf_counter()
    task()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
