"""The command `codec-lib`: models, encode, decode, truncate, verify, inspect, evaluate, train.

Exit status: 0, or 2 for a wrong command line, or 1 with one line on stderr for data that cannot be
used. What a user should know all the same is a line on stderr that starts with `codec-lib: warning`.
"""

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codec_lib import files, setting
from codec_lib.errors import PictureWarning
from codec_lib.models import DEFAULT
from codec_lib.terminal import clock, fail, show

MODEL_HELP = "a name that `codec-lib models` lists, or a .safetensors file"
OUT_HELP = "; - is standard output"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    with warnings.catch_warnings():
        warnings.simplefilter("always", PictureWarning)
        warnings.showwarning = show
        try:
            if arguments[:1] == ["train"]:
                return _train(arguments[1:])
            options = _parser().parse_args(arguments)
            return options.run(options) or 0
        except (OSError, ValueError, ImportError) as error:  # BitstreamError is a ValueError
            return fail(str(error) or type(error).__name__)
        except MemoryError:
            return fail("out of memory")
        except KeyboardInterrupt:
            return fail("interrupted", status=130)


def _models(options: argparse.Namespace) -> None:
    from codec_lib import weights

    for name, card in weights.available().items():
        print(name)
        for key, value in card.items():
            print(f"  {key}: {json.dumps(value) if isinstance(value, dict | list) else value}")


def _encode(options: argparse.Namespace) -> None:
    from codec_lib import codec

    _check_model(options)
    files.check_output(options.output, options.input)
    source: Any = files.read("-") if options.input == "-" else options.input
    given = dict(options.set)
    given |= {name: value for name in ("quality", "tau") if (value := getattr(options, name)) is not None}
    target = options.target_bytes
    if options.target_bpp is not None:
        from codec_lib import picture

        target = options.target_bpp * math.prod(picture.load(source).size) / 8
    keep = () if options.strip else ("icc", *options.keep)
    with clock("encoding"):
        data = codec.encode(
            source, options.model, target_bytes=target, effort=options.effort, keep=keep,
            device=options.device, **given,
        )  # fmt: skip
    files.write(options.output, data)


def _decode(options: argparse.Namespace) -> None:
    from codec_lib import codec, export

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
        image = codec.decode(data, stages=options.stages, device=options.device)
        is_lossless = options.stages is None and codec.promise(data) == 0
        content, notes = export.to_bytes(image, ending, lossless=is_lossless)
    for note in notes:
        warnings.warn(note, PictureWarning, stacklevel=2)
    files.write(options.output, content)


def _truncate(options: argparse.Namespace) -> None:
    from codec_lib import codec

    files.check_output(options.output, options.input)
    data = files.read(options.input)
    shorter = codec.truncate(data, stages=options.stages, target_bytes=options.target_bytes)
    files.write(options.output, shorter)


def _inspect(options: argparse.Namespace) -> int:
    from codec_lib import container

    inspection = container.inspect(files.read(options.input))
    print(inspection)
    problems = inspection.problems
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return fail(f"{problems[0]}{more}") if problems else 0


def _verify(options: argparse.Namespace) -> int:
    from codec_lib import codec

    with clock("verifying"):
        result = codec.verify(options.original, files.read(options.input), device=options.device)
    print(f"largest error  {result.largest_error}")
    print(f"promised       {'nothing' if result.promise is None else result.promise}")
    if result.is_kept:
        return 0
    return fail(f"largest error: {result.largest_error}, allowed is {result.promise}")


def _evaluate(options: argparse.Namespace) -> None:
    from codec_lib import data
    from codec_lib.measure import evaluate

    _check_model(options)
    files.check_output(options.json)
    paths = data.pictures_in(options.input)
    measured = evaluate.evaluate_model(paths, options.model, options.values, options.device)
    files.write(options.json, (json.dumps(measured, indent=1) + "\n").encode())
    for row in measured["means"]:
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items() if value is not None))


def _train(arguments: list[str]) -> int:
    from codec_lib.cli_train import OptionError, parse

    try:
        settings = parse(arguments)
    except OptionError as error:
        return fail(str(error), status=2)
    from codec_lib.training.loop import train

    print(train(settings))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="codec-lib", description="Learned image compression.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run, error=sub.error)
        return sub

    command("models", _models, "list the trained models with their cards")

    sub = command("encode", _encode, "compress a picture into a .clc file")
    sub.add_argument("input", metavar="IN", help="any picture that Pillow reads; - is standard input")
    sub.add_argument("output", metavar="OUT", help="the .clc file" + OUT_HELP)
    sub.add_argument("--model", default=DEFAULT, metavar="NAME", help=MODEL_HELP)
    size = sub.add_mutually_exclusive_group()
    size.add_argument(
        "--quality", type=_value_of(setting.QUALITY), metavar="Q", help="of lossy models: 1 to 8; default 4"
    )
    size.add_argument(
        "--tau", type=_value_of(setting.TAU), metavar="T",
        help="of near-lossless models: largest error, 20 to 0; default 0",
    )  # fmt: skip
    size.add_argument(
        "--set", type=_pair, action="append", default=[], metavar="NAME=VALUE",
        help="the setting of any model, by its name",
    )  # fmt: skip
    _add_target(size)
    size.add_argument(
        "--target-bpp", type=_positive(float), metavar="R", help="or the same in bits a pixel"
    )
    sub.add_argument("--effort", type=int, default=0, metavar="E", help="how hard to try; default 0")
    sub.add_argument(
        "--keep", action="append", choices=("exif", "xmp"), default=[],
        help="keep this too, besides the colour profile; repeatable",
    )  # fmt: skip
    sub.add_argument("--strip", action="store_true", help="leave out the colour profile and all else")
    _add_device(sub)

    sub = command("decode", _decode, "turn a .clc file back into a picture")
    sub.add_argument("input", metavar="IN", help="the .clc file; - is standard input")
    sub.add_argument(
        "output", metavar="OUT", help="picture; its ending says the format, PNG for -, standard output"
    )
    sub.add_argument("--stages", type=int, metavar="K", help="only the first K stages; 1 is a preview")
    _add_device(sub)

    sub = command("truncate", _truncate, "drop the last stages of a .clc file, without encoding again")
    sub.add_argument("input", metavar="IN", help="the .clc file; - is standard input")
    sub.add_argument("output", metavar="OUT", help="the shorter one" + OUT_HELP)
    kept = sub.add_mutually_exclusive_group(required=True)
    kept.add_argument("--stages", type=int, metavar="K", help="keep the first K stages")
    _add_target(kept)

    sub = command("verify", _verify, "decode a file and compare every sample with the original picture")
    sub.add_argument("original", metavar="ORIGINAL", help="the picture it was made from")
    sub.add_argument("input", metavar="FILE", help="the .clc file; - is standard input")
    _add_device(sub)

    sub = command("inspect", _inspect, "print what a .clc file says, and every check that fails")
    sub.add_argument("input", metavar="FILE", help="the .clc file; - is standard input")

    sub = command("evaluate", _evaluate, "measure a model on a folder of pictures")
    sub.add_argument("input", metavar="DIR", type=Path, help="folder of pictures")
    sub.add_argument("--model", required=True, metavar="NAME", help=MODEL_HELP)
    sub.add_argument(
        "--values", type=_numbers, metavar="V,V,...", help="of its setting; eight of them unless given"
    )
    sub.add_argument("--json", required=True, metavar="FILE", help="where results go")
    _add_device(sub)

    commands.add_parser("train", help="train a model, or resume its training")  # main takes it from here
    return parser


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")


def _add_target(parser: Any) -> None:
    parser.add_argument(
        "--target-bytes", type=_positive(int), metavar="N", help="or the largest size of the file"
    )


def _value_of(known: setting.Setting) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return known.check(float(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, float(value)


def _positive(kind: type) -> Callable[[str], int | float]:
    def read(text: str) -> int | float:
        value = kind(text)
        if not (math.isfinite(value) and value > 0):
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return read


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _check_model(options: argparse.Namespace) -> None:
    from codec_lib import weights

    try:
        weights.find(options.model)
    except ValueError as error:
        options.error(str(error))


if __name__ == "__main__":
    sys.exit(main())
