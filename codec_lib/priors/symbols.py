"""Tensors of symbols to streams of bytes and back, on the device where they are if it has a coder."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from codec_lib.entropy import rans
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import section


@cache
def gpu_coder(device: torch.device) -> Any:
    """The coder for latents on a GPU, a module; None where it does not work: the CPU codes them then.

    Triton comes with PyTorch for CUDA, but not everywhere, and compiles when it is first called: without a
    C compiler, without a driver that it finds, or on a GPU that it does not know, it raises this or that.
    """
    try:
        from codec_lib.entropy import rans_triton

        return rans_triton if rans_triton.agrees_on(device) else None
    except Exception:
        return None


def channel_indexes(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Tables of a stream whose every channel has one: int32 (1, C, rows, columns), like `shape`."""
    return torch.arange(shape[1], dtype=torch.int32, device=device)[:, None, None].expand(tuple(shape))


def write_symbols(symbols: Tensor, indexes: Tensor, tables: Tables) -> bytes:
    """A stream of integers, in channel, row, column order, each with a row of the tables.

    symbols and indexes have the same number of elements; where they are on a GPU they are coded there, if
    that works.
    """
    symbols, indexes = symbols.flatten().to(torch.int32), indexes.flatten()
    if symbols.is_cuda and (coder := gpu_coder(symbols.device)):
        return coder.encode(symbols[None], indexes[None], tables)[0]
    return rans.encode(symbols.cpu().numpy(), indexes.cpu().numpy(), tables)


def read_symbols(name: str, sections: dict[str, bytes], indexes: Tensor, tables: Tables) -> Tensor:
    """The int32 symbols of section `name`, in the shape and on the device of their indexes.

    Raises SectionError, which names the section.
    """
    with section(name):
        rans.checked_header(sections[name], indexes.numel(), tables)  # before as many indexes are made
        flat = indexes.flatten()
        if flat.is_cuda and (coder := gpu_coder(flat.device)):
            symbols = coder.decode([sections[name]], flat[None], tables)
        else:
            decoded = rans.decode(sections[name], flat.cpu().numpy(), tables)
            symbols = torch.from_numpy(decoded).to(flat.device)
    return symbols.view(indexes.shape)
