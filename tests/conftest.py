"""Settings and fixtures that all tests share."""

import os
from pathlib import Path

import pytest

# Before anything imports NumPy or torch: sums must not depend on the number of cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parents[1]
