"""Which device computes, and what it is called."""

import platform
from pathlib import Path

import torch


def pick_device(device: str) -> str:
    """ "cpu" or "cuda" for "cpu", "cuda" or "auto"; ValueError where there is no such device."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device: {device!r}; allowed are cpu, cuda and auto")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda; PyTorch finds no GPU here")
    return device


def name_of(device: str) -> str:
    """What the system calls its processor, for "cpu", or a GPU, for "cuda"."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
