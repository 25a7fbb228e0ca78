"""Runs over small folders, as several files of tests need them."""

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
