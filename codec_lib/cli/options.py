"""The options of all commands but `train`, whose are the fields of its settings (`codec_lib.cli.train`)."""

import argparse
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codec_lib import __version__, header, setting
from codec_lib.models import DEFAULT

MODEL_HELP = "a name that `codec-lib models` lists, or a .safetensors file"


def parser(run: Mapping[str, Callable]) -> argparse.ArgumentParser:
    """The parser of all commands; `run` has the function of each by its name."""
    main = _OneLineParser(prog="codec-lib", description="Learned image compression.")
    version = f"codec-lib {__version__}, .clc version {header.VERSION}"
    main.add_argument("--version", action="version", version=version)
    commands = main.add_subparsers(required=True, metavar="COMMAND")
    for name, (help, add) in COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run[name], error=sub.error)
        add(sub)
    commands.add_parser("train", help="train a model, or resume its training")
    return main


def _models(sub: argparse.ArgumentParser) -> None:
    """It has no options."""


def _encode(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("input", metavar="IN", help="any picture that Pillow reads; - is standard input")
    _add_output(sub, "the .clc file")
    size = _add_encoding(sub)
    size.add_argument("--target-bpp", type=_positive, metavar="R", help="or the same in bits a pixel")


def _decode(sub: argparse.ArgumentParser) -> None:
    _add_file(sub)
    sub.add_argument(
        "output", metavar="OUT", help="picture; its ending says the format, PNG for -, standard output"
    )
    sub.add_argument("--stages", type=_whole, metavar="K", help="only the first K stages; 1 is a preview")
    sub.add_argument(
        "--window", type=_window, metavar="L,T,R,B", help="only a part: left, top, right, bottom, in pixels"
    )
    _add_decoder(sub)
    _add_device(sub)


def _truncate(sub: argparse.ArgumentParser) -> None:
    _add_file(sub)
    _add_output(sub, "the shorter one")
    kept = sub.add_mutually_exclusive_group(required=True)
    kept.add_argument("--stages", type=_whole, metavar="K", help="keep the first K stages")
    _add_target(kept)


def _extract(sub: argparse.ArgumentParser) -> None:
    _add_file(sub)
    _add_output(sub, "that file, with its own ending")


def _verify(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "original", metavar="ORIGINAL", help="the picture it was made from; - is standard input"
    )
    sub.add_argument("input", metavar="FILE", help="the .clc file")
    _add_device(sub)


def _inspect(sub: argparse.ArgumentParser) -> None:
    _add_file(sub, "FILE")


def _evaluate(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("input", metavar="DIR", type=Path, help="folder of pictures")
    sub.add_argument("--model", required=True, metavar="NAME", help=MODEL_HELP)
    sub.add_argument(
        "--values", type=_numbers, metavar="V,V,...", help="of its setting; eight of them unless given"
    )
    sub.add_argument("--json", required=True, metavar="FILE", help="where results go")
    _add_decoder(sub)
    _add_device(sub)


def _encode_all(sub: argparse.ArgumentParser) -> None:
    _add_folders(
        sub,
        "folder of pictures, and of folders of them, links to which are not entered",
        "the same tree of .clc files",
    )
    _add_encoding(sub)


def _decode_all(sub: argparse.ArgumentParser) -> None:
    _add_folders(sub, "folder of .clc files", "the same tree of pictures")
    sub.add_argument("--ending", default=".png", metavar=".EXT", help="says the format; default .png")
    _add_decoder(sub)
    _add_device(sub)


def _verify_all(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("input", metavar="DIR", help="folder that encode-all has made")
    _add_processes(sub)
    _add_device(sub)


COMMANDS = {
    "models": ("list the trained models with their cards", _models),
    "encode": ("compress a picture into a .clc file", _encode),
    "decode": ("turn a .clc file back into a picture", _decode),
    "truncate": ("drop the last stages of a .clc file, without encoding again", _truncate),
    "extract": ("write the JPEG, or other standard file, that is inside a .clc file", _extract),
    "verify": ("decode a file and compare every sample with the original picture", _verify),
    "inspect": ("print what a .clc file says, and every check that fails", _inspect),
    "evaluate": ("measure a model on a folder of pictures", _evaluate),
    "encode-all": ("compress every picture of a folder, on all cores; resumable", _encode_all),
    "decode-all": ("turn every .clc file of a folder back into a picture; resumable", _decode_all),
    "verify-all": ("decode every file that a manifest lists, and compare", _verify_all),
}


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")


def _add_file(sub: argparse.ArgumentParser, name: str = "IN") -> None:
    sub.add_argument("input", metavar=name, help="the .clc file; - is standard input")


def _add_output(sub: argparse.ArgumentParser, what: str) -> None:
    sub.add_argument("output", metavar="OUT", help=f"{what}; - is standard output")


def _add_encoding(sub: argparse.ArgumentParser) -> Any:
    """How to encode; returns the group of options that say how large, one of which may be given."""
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
    sub.add_argument(
        "--effort", type=_whole, metavar="E", help="how hard to try: 0 to 9, as far as the model knows it"
    )
    sub.add_argument(
        "--keep", action="append", choices=("exif", "xmp"), default=[],
        help="keep this too, besides the colour profile; repeatable",
    )  # fmt: skip
    sub.add_argument("--strip", action="store_true", help="leave out the colour profile and all else")
    _add_device(sub)
    return size


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")


def _add_decoder(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--decoder",
        metavar="NAME",
        help="another decoder of the same files, by its name in `codec-lib models`",
    )


def _add_folders(sub: argparse.ArgumentParser, source: str, target: str) -> None:
    sub.add_argument("input", metavar="SRC", help=source + "; or an address of fsspec, as s3://bucket/top")
    sub.add_argument("output", metavar="DST", help=target + ", with manifest.jsonl; or an address")
    _add_processes(sub)


def _add_processes(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--processes", type=_process_count, metavar="P", help="side by side; one a core unless given"
    )
    sub.add_argument(
        "--ray", metavar="ADDRESS", help="on the machines of this Ray cluster; local starts one here"
    )


def _process_count(text: str) -> int:
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _add_target(parser: Any) -> None:
    parser.add_argument(
        "--target-bytes", type=_positive, metavar="N", help="or the largest size of the file"
    )


def _value_of(known: setting.Setting) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return known.check(_number(text))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, _number(value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None


def _whole(text: str) -> int:
    number = _number(text)
    if not (math.isfinite(number) and number == int(number)):
        raise argparse.ArgumentTypeError(f"{text} is no whole number")
    return int(number)


def _window(text: str) -> tuple[int, ...]:
    window = tuple(_whole(part) for part in text.split(","))
    if len(window) != 4:
        raise argparse.ArgumentTypeError(f"{text} is not L,T,R,B")
    return window


def _positive(text: str) -> float:
    value = _number(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number above 0")
    return int(value) if value == int(value) else value


def _numbers(text: str) -> list[float]:
    return [_number(part) for part in text.split(",")]
