r"""Symbols as binary decisions: is it in the upper half of what is left?

    L = 6      0 1 2 | 3 4 5          a symbol is a path through this tree; the probability of a symbol is
             0 | 1 2   3 | 4 5        the product of those of its decisions, and all of them sum to 1
                 1|2       4|5

A network that gives a logit for each of the L - 1 nodes gives a distribution, without an exponential. When
coding, logits are compared with thresholds, which choose one of `TABLES` tables of two symbols.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from codec_lib.entropy.pmf import Tables

TABLES = 64
LARGEST_LOGIT = 8.0  # unless a prior asks for others


@dataclass(frozen=True)
class Node:
    """A decision between the symbols [low, middle) and [middle, high)."""

    low: int
    middle: int
    high: int


def tree(levels: int) -> list[Node]:
    """The nodes for symbols 0 to levels - 1, parents first.

    >>> tree(3)
    [Node(low=0, middle=1, high=3), Node(low=1, middle=2, high=3)]
    """
    nodes, left = [], deque([(0, levels)])
    while left:
        low, high = left.popleft()
        if high - low > 1:
            middle = (low + high) // 2
            nodes.append(Node(low, middle, high))
            left += [(low, middle), (middle, high)]
    return nodes


def depths(levels: int) -> tuple[int, int]:
    """How many decisions a symbol takes, at least and at most.

    >>> depths(6), depths(8)
    ((2, 3), (3, 3))
    """
    return levels.bit_length() - 1, (levels - 1).bit_length()


def bits(logits: Tensor, symbols: Tensor, levels: int) -> Tensor:
    """What each symbol costs, like symbols (B, ...), from logits (B, L - 1, ...) of the upper halves."""
    cost = torch.zeros(symbols.shape, device=symbols.device)
    for n, node in enumerate(tree(levels)):
        is_here = (symbols >= node.low) & (symbols < node.high)
        sign = torch.where(symbols >= node.middle, -1.0, 1.0)
        cost = cost + torch.where(is_here, F.softplus(sign * logits[:, n].float()), 0.0)
    return cost / torch.log(torch.tensor(2.0))


def table_logits(largest: float = LARGEST_LOGIT) -> Tensor:
    """The logits of the tables, float64 (TABLES,), ascending."""
    return torch.linspace(-largest, largest, TABLES, dtype=torch.float64)


def thresholds(largest: float = LARGEST_LOGIT) -> Tensor:
    """Between the logits of neighbouring tables, float64 (TABLES - 1,)."""
    logits = table_logits(largest)
    return (logits[1:] + logits[:-1]) / 2


def tables(largest: float = LARGEST_LOGIT) -> Tables:
    """One table of two symbols, 0 and 1, for each logit."""
    ones = torch.sigmoid(table_logits(largest)).tolist()
    return Tables.from_pmfs([[1 - p, p] for p in ones], [0] * TABLES)


def write(symbols: Tensor, indexes: Tensor, levels: int) -> tuple[Tensor, Tensor]:
    """The decisions 0 or 1 that lead to symbols (P,), and the table of each, from indexes (L - 1, P)."""
    decisions, chosen = [], []
    for n, node in enumerate(tree(levels)):
        here = (symbols >= node.low) & (symbols < node.high)
        decisions.append((symbols[here] >= node.middle).to(torch.int32))
        chosen.append(indexes[n, here])
    return torch.cat(decisions), torch.cat(chosen)


def read(decide: Callable[[Tensor], Tensor], indexes: Tensor, levels: int) -> Tensor:
    """The symbols, int64 (P,): `decide` maps tables to decisions in the order of `write`."""
    low = torch.zeros(indexes.shape[1], dtype=torch.int64, device=indexes.device)
    high = torch.full_like(low, levels)
    for n, node in enumerate(tree(levels)):
        here = ((low == node.low) & (high == node.high)).nonzero()[:, 0]
        if len(here):
            is_upper = decide(indexes[n, here]).bool()
            low[here] = torch.where(is_upper, node.middle, node.low)
            high[here] = torch.where(is_upper, node.high, node.middle)
    return low
