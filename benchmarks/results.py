"""A file in results/: the command that makes it, what it was made with, and what of it is kept."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks import machine
from codec_lib import files


def command() -> str:
    """The command that makes the whole file: as it was given, but for `--only` and `--note`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--only", action="append")
    parser.add_argument("--note")
    _, given = parser.parse_known_args()
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *given])


def begin(path: Path, made_with: dict[str, Any], keep: bool = True) -> dict[str, Any]:
    """What a report has before anything is measured: command, what it is made with, and what a file kept.

    Ends the program where what is kept was made with something else, or does not say; only the machine may
    be left open, as in early files. keep=False keeps nothing.
    """
    made_with = json.loads(json.dumps(made_with))  # as it is read again
    report = json.loads(path.read_text(encoding="utf-8")) if keep and path.exists() else made_with
    for name, value in made_with.items():
        is_open = name in machine.STATED and name not in report
        if report.get(name) != value and not is_open:
            sys.exit(
                f"{path}: made with {name} {report.get(name)}, and not {value}; measure all of it anew"
            )
    now = {"command": command()}
    return now | report | now


def write(path: Path, report: dict[str, Any]) -> None:
    """Write a file, whole or not at all."""
    files.write(path, (json.dumps(report, indent=1) + "\n").encode())
