"""The command `codec-lib`: models, encode, decode, truncate, extract, verify, inspect, evaluate, train, and
encode-all, decode-all, verify-all for whole folders.

Exit status:

    0      success
    1      data cannot be used, or the reader of the output is gone: one line on stderr says which
    2      wrong command line
    130    interrupted

What a user should know all the same is a line on stderr that starts with `codec-lib: warning`.
"""

import argparse
import json
import math
import os
import sys
import warnings
from contextlib import redirect_stderr
from inspect import signature
from pathlib import Path
from typing import Any

from codec_lib import files
from codec_lib.cli.options import parser
from codec_lib.cli.terminal import bar, clock, fail, show
from codec_lib.errors import PictureWarning


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if sys.stderr is None:  # closed: what is said there would go to standard output
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stderr(nowhere):
            return main(arguments)
    if not _has_working_directory():  # PyTorch's libraries would end the process
        return fail("the working directory does not exist any more")
    with warnings.catch_warnings():
        warnings.simplefilter("always", PictureWarning)
        warnings.showwarning = show
        try:
            try:
                return _run(arguments)
            finally:
                files.flush()
        except (OSError, ValueError, ImportError, OverflowError) as error:  # BitstreamError is a ValueError
            return fail(_words(error))
        except MemoryError:
            return fail("out of memory")
        except KeyboardInterrupt:
            return fail("interrupted", status=130)


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["train"]:
        return _train(arguments[1:])
    options = parser(COMMANDS).parse_args(arguments)
    if [] in (getattr(options, name, None) for name in ("input", "output", "original")):
        options.error("-- is no name of a file; ./-- is")  # Python 3.11 hands it over as no value
    return options.run(options) or 0


def _words(error: Exception) -> str:
    """What an error says, without the number that an operating system gives it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error) or type(error).__name__


def _has_working_directory() -> bool:
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def _models(options: argparse.Namespace) -> None:
    from codec_lib import decoders, weights

    cards = weights.available()
    cards |= {f"decoder {name}": card for name, card in weights.available(decoders.FOLDER).items()}
    for name, card in cards.items():
        print(name)
        for key, value in card.items():
            print(f"  {key}: {json.dumps(value) if isinstance(value, dict | list) else value}")


def _encode(options: argparse.Namespace) -> None:
    from codec_lib import codec

    _check_model(options)
    files.check_output(options.output, options.input)
    can_be_read_once = options.input == "-" or Path(options.input).is_fifo()
    source: Any = files.read(options.input) if can_be_read_once else options.input
    given = _given(options)
    if options.target_bpp is not None:
        from codec_lib import picture

        given["target_bytes"] = options.target_bpp * math.prod(picture.load(source).size) / 8
    with bar("encoding"):
        data = codec.encode(source, **given)
    files.write(options.output, data)


def _encode_all(options: argparse.Namespace) -> int:
    from codec_lib.cli import folders

    _check_model(options)
    return folders.encode_all(options, _given(options))


def _decode_all(options: argparse.Namespace) -> int:
    from codec_lib.cli import folders

    return folders.decode_all(options)


def _verify_all(options: argparse.Namespace) -> int:
    from codec_lib.cli import folders

    return folders.verify_all(options)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `codec_lib.encode` that a command line asks for."""
    given = _settings(options) | {
        "model": options.model,
        "effort": options.effort,
        "device": options.device,
    }
    given |= {name: value for name in ("quality", "tau") if (value := getattr(options, name)) is not None}
    if options.strip and options.keep:
        options.error("--strip: nothing is kept, and --keep asks for something; only one can be given")
    given["keep"] = () if options.strip else ("icc", *options.keep)
    return given | {"target_bytes": options.target_bytes}


def _settings(options: argparse.Namespace) -> dict[str, float]:
    """What `--set` asks for; a name may stand once, and is none of `encode`'s own."""
    from codec_lib import codec

    given = dict(options.set)
    own = set(signature(codec.encode).parameters) & set(given)
    if own or len(given) < len(options.set):
        options.error(f"--set: {', '.join(own or given)}; allowed is the model's setting, once")
    return given


def _decode(options: argparse.Namespace) -> None:
    from codec_lib import decoding
    from codec_lib.picture import export

    ending = os.path.splitext(options.output)[1]
    if not ending and files.is_stream(options.output):
        ending = ".png"
    try:
        export.check_ending(ending)
    except ValueError as error:
        options.error(str(error))
    files.check_output(options.output, options.input)
    data = files.read(options.input)
    with clock("decoding"):
        decoded = decoding.decode(
            data,
            stages=options.stages,
            window=options.window,
            decoder=options.decoder,
            device=options.device,
        )
        content, notes = export.to_bytes(
            decoded.image, ending, lossless=decoded.promise == 0, info=decoded.info
        )
    for note in notes:
        warnings.warn(note, PictureWarning, stacklevel=2)
    files.write(options.output, content)


def _truncate(options: argparse.Namespace) -> None:
    from codec_lib import codec

    files.check_output(options.output, options.input)
    data = files.read(options.input)
    shorter = codec.truncate(data, stages=options.stages, target_bytes=options.target_bytes)
    files.write(options.output, shorter)


def _extract(options: argparse.Namespace) -> None:
    from codec_lib import codec

    files.check_output(options.output, options.input)
    extracted = codec.extract(files.read(options.input))
    ending = os.path.splitext(options.output)[1].lower().replace(".jpeg", ".jpg")
    if ending != extracted.ending and not files.is_stream(options.output):
        raise ValueError(f"output: {options.output}; the file inside is a {extracted.ending}")
    files.write(options.output, extracted.data)


def _inspect(options: argparse.Namespace) -> int:
    from codec_lib import container

    inspection = container.inspect(files.read(options.input))
    print(inspection)
    problems = inspection.problems
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return fail(f"{problems[0]}{more}") if problems else 0


def _verify(options: argparse.Namespace) -> int:
    from codec_lib import verification

    if options.original == options.input == "-":
        options.error("-: standard input is the picture or the file, not both")
    original: Any = files.read("-") if options.original == "-" else options.original
    with clock("verifying"):
        result = verification.verify(original, files.read(options.input), device=options.device)
    print(f"largest error  {result.largest_error}")
    print(f"promised       {'nothing' if result.promise is None else result.promise}")
    if result.is_kept:
        return 0
    return fail(f"largest error: {result.largest_error}, allowed is {result.promise}")


def _evaluate(options: argparse.Namespace) -> None:
    from codec_lib import data
    from codec_lib.measure import evaluate

    _check_model(options)
    _check_values(options)
    paths = data.pictures_in(options.input)
    for path in paths:
        files.check_output(options.json, path)
    measured = evaluate.evaluate_model(
        paths, options.model, options.values, options.device, options.decoder
    )
    known = {part: [_without_infinity(row) for row in rows] for part, rows in measured.items()}
    files.write(options.json, (json.dumps(known, indent=1, allow_nan=False) + "\n").encode())
    place = sys.stderr if options.json in files.STANDARD_OUTPUT else sys.stdout
    for row in measured["means"]:
        means = (f"{key} {value:.4g}" for key, value in row.items() if value is not None)
        print("  ".join(means), file=place)


def _without_infinity(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no number for the PSNR of what is equal: null stands for it, as in a manifest."""
    return {key: None if value == math.inf else value for key, value in row.items()}


def _train(arguments: list[str]) -> int:
    from codec_lib.cli.train import OptionError, parse

    try:
        settings = parse(arguments)
    except OptionError as error:
        return fail(str(error), status=2)
    from codec_lib.training.loop import train

    print(train(settings))
    return 0


def _check_model(options: argparse.Namespace) -> None:
    from codec_lib import weights

    try:
        weights.find(options.model)
    except ValueError as error:
        options.error(str(error))


def _check_values(options: argparse.Namespace) -> None:
    from codec_lib import weights

    setting = weights.load(options.model).model.setting
    try:
        for value in options.values or ():
            setting.check(value)
    except ValueError as error:
        options.error(str(error))


COMMANDS = {
    "models": _models, "encode": _encode, "decode": _decode, "truncate": _truncate, "extract": _extract,
    "verify": _verify, "inspect": _inspect, "evaluate": _evaluate,
    "encode-all": _encode_all, "decode-all": _decode_all, "verify-all": _verify_all,
}  # fmt: skip
