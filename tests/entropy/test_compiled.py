"""Coders also work where Numba can keep no machine code."""

import os
import subprocess
import sys
from pathlib import Path

# Numba refuses to cache a function of a file as it does in a folder that nobody can write to.
WITHOUT_A_PLACE = """
from numba import njit
from numba.core.caching import CacheImpl

CacheImpl._locator_classes = []
try:
    njit(cache=True)(lambda: 0)
except RuntimeError as error:
    assert "no locator" in str(error), error
else:
    raise AssertionError("Numba still finds a place")
"""


def test_coders_work_where_no_machine_code_can_be_kept():
    code = WITHOUT_A_PLACE + "from codec_lib.entropy import checks, mixture, rans\n"
    code += "assert checks._all_below(checks.np.arange(3), 3)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
