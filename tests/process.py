"""A few lines in a process of their own, for tests of files."""

import os
import subprocess
import sys
from pathlib import Path


def run(code: str, *arguments, **options) -> subprocess.CompletedProcess:
    """Run some lines in a process of its own, where `files` is imported and `arguments` are strings."""
    program = [
        sys.executable,
        "-c",
        "import sys\nfrom codec_lib import files\n" + code,
        *map(str, arguments),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    options = {"stdout": subprocess.PIPE, **options}
    return subprocess.run(program, stderr=subprocess.PIPE, env=environment, **options)
