"""`codec-lib train`: its options are the fields of `Settings`, with the help that is written there."""

import io
import re
from contextlib import redirect_stderr
from dataclasses import fields, make_dataclass
from typing import Annotated

from codec_lib.models import MODELS
from codec_lib.training.settings import Settings

PROG = "codec-lib train"
BOX = re.compile("[╭╮╰╯│─]+")


def run(arguments: list[str]) -> int:
    """Train as the options say; returns the exit status."""
    try:
        import tyro
    except ImportError:
        raise ImportError("train: tyro is missing; install codec_lib[train]") from None
    from codec_lib.training.loop import train

    choices = tyro.extras.literal_type_from_choices(MODELS)
    positional = Annotated[choices, tyro.conf.Positional]
    options = make_dataclass("Options", [("model", positional)], bases=(Settings,))
    options.__doc__ = Settings.__doc__
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parsed = tyro.cli(options, args=arguments, prog=PROG)
    except SystemExit as stop:
        if not stop.code:
            return 0  # --help
        from codec_lib.cli import fail

        return fail(_first_complaint(said.getvalue()), status=2)
    print(train(Settings(**{field.name: getattr(parsed, field.name) for field in fields(Settings)})))
    return 0


def _first_complaint(text: str) -> str:
    """One line of what is a box of many."""
    lines = [BOX.sub(" ", line).strip() for line in text.splitlines()]
    words = " ".join(line for line in lines[1:] if line)
    complaint = re.split("Argument helptext|For full helptext", words)[0].strip()
    return f"train: {complaint} (see {PROG} --help)"
