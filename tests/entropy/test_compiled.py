"""Coders also work where Numba can keep no machine code."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numba
from numba.core.bytecode import FunctionIdentity

from codec_lib.entropy import compiled

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


LOOP = """
import pickle
from codec_lib.entropy.compiled import compiled
from codec_lib.entropy.parts import part

@compiled
def loop(x):
    return part(x)

found = loop(1)
assert pickle.loads(pickle.dumps(loop))(1) == found and loop.__qualname__ == "loop"
print(found, sum(loop.stats.cache_hits.values()))
"""
PART = """
from codec_lib.entropy.compiled import inline

@inline
def part(x):
    return x + {}
"""


def test_kept_machine_code_is_that_of_all_files_that_a_loop_is_made_of(tmp_path):
    package = tmp_path / "codec_lib" / "entropy"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    shutil.copy(Path(compiled.__file__), package)
    (package / "loops.py").write_text(LOOP)
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}
    environment |= {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(added: int) -> list[int]:
        (package / "parts.py").write_text(PART.format(added))
        command = [sys.executable, "-c", "import codec_lib.entropy.loops"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return [int(word) for word in done.stdout.split()]

    assert run(added=1) == [2, 0]
    assert run(added=1) == [2, 1], "compiled again, though nothing has changed"
    assert run(added=2) == [3, 0], "the loop is that of another `part`"


def adding(number):
    """A loop of its own for each number, all in one file and under one name."""

    @compiled.compiled
    def add(x):
        return x + number

    return add


def test_processes_that_compile_at_the_same_time_do_not_take_each_others_loops(tmp_path, monkeypatch):
    """Another one reads the list of what is kept before this one writes it, and writes in between."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    here, there = adding(1), adding(2)
    kept, other = here._cache._cache_file, there._cache._cache_file
    write = kept._save_data

    def write_late(*data):
        with monkeypatch.context() as patch:
            patch.setattr(other, "_load_index", dict)
            assert there(1) == 3
        write(*data)

    monkeypatch.setattr(kept, "_save_data", write_late)
    assert here(1) == 2
    later = [adding(1), adding(2)]
    assert [loop(1) for loop in later] == [2, 3]
    assert sum(later[1].stats.cache_hits.values()) == 1  # what was written last is found


def test_a_loop_that_was_kept_and_one_that_is_compiled_now_are_two(tmp_path, monkeypatch):
    """Though they come from one function, and though Numba counts them alike."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert adding(1)(1) == 2
    kept, new = adding(1), adding(10)
    assert kept(1) == 2
    assert sum(kept.stats.cache_hits.values()) == 1
    symbol = kept.overloads[kept.signatures[0]].fndesc.mangled_name
    count = int(re.search(r"B\d+v(\d+)", symbol).group(1))

    @numba.njit
    def both(x):
        return 100 * new(x) + kept(x)

    monkeypatch.setattr(FunctionIdentity, "_unique_ids", itertools.count(count))
    assert new(1) == 11
    assert both(1) == 1102
