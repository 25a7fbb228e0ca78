"""Runs of a tiny model, and what they leave."""

import csv

from codec_lib.training.settings import Settings


def tiny(pictures, out, **options) -> Settings:
    defaults = {"steps": 2, "batch": 2, "crop": 64, "widths": {"N": 4, "M": 6}, "device": "cpu"}
    return Settings("hyperprior", [pictures], str(out), **{**defaults, **options})


def read_log(folder):
    return list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
