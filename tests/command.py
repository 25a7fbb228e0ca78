"""The command as a process, for tests."""

import subprocess
import sys
from pathlib import Path

from codec_lib import data


def run(*arguments, **options):
    command = [sys.executable, "-m", "codec_lib", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


def assert_one_line(result, status):
    assert result.returncode == status
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("codec-lib")


def folder_with_photo(folder: Path) -> Path:
    """The folder, with photo.png in it, 200 x 180."""
    data.sample("astronaut").crop((100, 0, 300, 180)).save(folder / "photo.png")
    return folder
