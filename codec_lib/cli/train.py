"""The options of `codec-lib train`: the fields of `Settings`, with the help that is written there."""

import io
import re
from contextlib import redirect_stderr
from dataclasses import fields, make_dataclass
from typing import Annotated

from codec_lib.models import MODELS
from codec_lib.training.settings import Settings

PROG = "codec-lib train"
BOX = re.compile("[╭╮╰╯│─]+")


class OptionError(Exception):
    """Options that make no settings; the message is one line."""


def parse(arguments: list[str]) -> Settings:
    """The settings that some options stand for; OptionError for options that make none, or train nothing.

    Raises SystemExit with status 0 after printing the help, ImportError where tyro is missing.
    """
    try:
        import tyro
    except ImportError:
        raise ImportError("train: tyro is missing; install codec_lib[train]") from None
    choices = tyro.extras.literal_type_from_choices(MODELS)
    options = make_dataclass(
        "Options", [("model", Annotated[choices, tyro.conf.Positional])], bases=(Settings,)
    )
    options.__doc__ = Settings.__doc__
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            parsed = tyro.cli(options, args=arguments, prog=PROG)
    except SystemExit as stop:
        if stop.code:
            raise OptionError(_first_complaint(said.getvalue())) from None
        raise
    settings = Settings(**{field.name: getattr(parsed, field.name) for field in fields(Settings)})
    try:
        settings.check()
    except ValueError as error:
        raise OptionError(f"train: {error}") from None
    return settings


def _first_complaint(text: str) -> str:
    """One line of what is a box of many."""
    lines = [BOX.sub(" ", line).strip() for line in text.splitlines()]
    words = " ".join(line for line in lines[1:] if line)
    complaint = re.split("Argument helptext|For full helptext", words)[0].strip()
    return f"train: {complaint} (see {PROG} --help)"
