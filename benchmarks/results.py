"""A file in results/, and the command that makes it."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from codec_lib import files


def command() -> str:
    """The command that makes the whole file: as it was given, but for `--only` and `--note`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--only", action="append")
    parser.add_argument("--note")
    _, given = parser.parse_known_args()
    return shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *given])


def write(path: Path, report: dict[str, Any]) -> None:
    """Write a file, whole or not at all."""
    files.write(path, (json.dumps(report, indent=1) + "\n").encode())
