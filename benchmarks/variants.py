"""Ablations of compiled loops: a constant is another one, in a process that compiles all anew."""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import machine, results

Change = tuple[str, str, object]  # a module, a constant, its value
Rows = list[dict]


def main(
    name: str,
    model: str,
    variants: dict[str, list[Change]],
    measure: Callable[[str, Path], Rows],
    report: Callable[[dict[str, Rows]], dict],
) -> None:
    """The command of the benchmark of this name, with --json and --validation, a folder of photographs.

    `measure` makes the rows of a variant whose changes were applied, with the weights of `model`; `report`
    makes of all rows what the results say beside them. Variants that are in the results are not measured
    again.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--variant", choices=variants, help="print its rows; what the others are run with")
    options = parser.parse_args()
    if options.variant:
        for module, constant, value in variants[options.variant]:
            setattr(importlib.import_module(module), constant, value)
        print(json.dumps(measure(options.variant, options.validation)))
        return
    from codec_lib import weights  # not at the top: constants are changed before anything is

    found = results.begin(options.json, machine.here() | {"weights": weights.load(model).digest})
    rows = found.setdefault("rows", {})
    for variant in variants:
        if variant not in rows:
            rows[variant] = json.loads(_in_its_own_process(name, variant))
            results.write(options.json, found | report(rows))


def _in_its_own_process(name: str, variant: str) -> bytes:
    """What the benchmark prints for a variant; the machine code is thrown away."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:], "--variant", variant]
    with tempfile.TemporaryDirectory() as folder:
        changed = os.environ | {"NUMBA_CACHE_DIR": folder}
        return subprocess.run(command, env=changed, check=True, stdout=subprocess.PIPE).stdout
