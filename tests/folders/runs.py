"""Runs over small folders, as several files of tests need them."""

import errno
import os

from codec_lib.folders import pool, tree
from codec_lib.folders.work import do

GOOD = ("a.png", "a.jpg", "deep/er/b.png", "grey.png", "very nice \u00e9.png")


def quiet(row, left):
    pass


def one_by_one(jobs):
    """Does them in this process: for few."""
    return map(do, jobs)


def encode(source, target, **options):
    return {row["path"]: row for row in tree.encode_all(source, target, pool.run, quiet, **options)}


def close(monkeypatch, ending):
    """Folders whose names end so may not be listed: root, who runs tests somewhere, may list any."""
    scan = os.scandir

    def refuse(path):
        if str(path).endswith(ending):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
