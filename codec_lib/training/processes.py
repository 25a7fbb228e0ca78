"""What the processes of a run share: where they begin, their gradients, and what they have seen.

Each process has the whole model and batches of its own. All begin with the parameters of the first one and
take their steps by the mean of all gradients, so that parameters stay equal. What else an objective changes
by what it sees, it changes by the batches of all of them (`together`).

PyTorch's DistributedDataParallel averages gradients by hooks, and expects one in every parameter in every
backward pass. Here players share a module, and steps leave parameters out.

A run of one process passes through unchanged.
"""

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer


def count() -> int:
    """How many processes train together."""
    is_one = not (distributed.is_available() and distributed.is_initialized())
    return 1 if is_one else distributed.get_world_size()


@torch.no_grad()
def share(*modules: nn.Module) -> None:
    """Give all processes the parameters and buffers of the first one."""
    if count() == 1:
        return
    every = nn.ModuleList(modules)  # which tells what two of them have in common once
    for value in (*every.parameters(), *every.buffers()):
        sent = value.contiguous()
        distributed.broadcast(sent, src=0)
        value.copy_(sent)


@torch.no_grad()
def average(optimizer: Optimizer) -> None:
    """Replace the gradients of an optimizer's parameters by their means over all processes.

    A gradient that a process has not counts as 0 there. What no process has stays None.
    """
    if count() == 1:
        return
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    is_there = trained[0].new_tensor([p.grad is not None for p in trained])
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
    row = torch.cat([is_there, *(gradient.flatten() for gradient in gradients)])
    distributed.all_reduce(row)
    having, *means = (row / count()).split([len(trained), *(p.numel() for p in trained)])
    for p, share_of_processes, mean in zip(trained, having.tolist(), means, strict=True):
        p.grad = torch.empty_like(p).copy_(mean.view_as(p)) if share_of_processes else None


def together(rows: Tensor) -> Tensor:
    """What each process has seen, (B, ...), the same B for all, in one tensor (count B, ...)."""
    if count() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(count())]
    distributed.all_gather(parts, rows.contiguous())
    return torch.cat(parts)
