"""The command `codec-lib`: models, encode, decode, verify, inspect, evaluate, train.

Exit status: 0, or 2 for a wrong command line, or 1 with one line on stderr for data that cannot be
used. Files are written under a temporary name and renamed when they are complete.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL_HELP = "a name that `codec-lib models` lists, or a .safetensors file"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (OSError, ValueError, ImportError) as error:  # BitstreamError is a ValueError
        return _fail(str(error) or type(error).__name__)
    except MemoryError:
        return _fail("out of memory")
    except KeyboardInterrupt:
        return _fail("interrupted", status=130)


def _models(options: argparse.Namespace) -> None:
    from codec_lib import weights

    for name, card in weights.available().items():
        print(name)
        for key, value in card.items():
            print(f"  {key}: {json.dumps(value) if isinstance(value, dict | list) else value}")


def _encode(options: argparse.Namespace) -> None:
    from codec_lib import codec

    _check_model(options)
    _check_writable(options.output)
    with _patience("encoding"):
        data = codec.encode(
            options.input, options.model, options.quality, options.device, options.tau, _target(options)
        )
    _write(options.output, lambda path: path.write_bytes(data))


def _target(options: argparse.Namespace) -> int | None:
    """The bytes that a file may have, if that was asked for."""
    if options.target_bpp is None:
        return options.target_bytes
    from codec_lib import picture

    return int(options.target_bpp * math.prod(picture.load(options.input).size) / 8)


def _decode(options: argparse.Namespace) -> None:
    from PIL import Image

    from codec_lib import codec

    if options.output.suffix.lower() not in Image.registered_extensions():
        options.error(f"OUT: {options.output.suffix!r} is not the ending of a picture's name")
    _check_writable(options.output)
    with _patience("decoding"):
        image = codec.decode(options.input.read_bytes(), options.device, preview=options.preview)
    _write(options.output, image.save)


def _inspect(options: argparse.Namespace) -> int:
    from codec_lib import container

    found = container.inspect(options.input.read_bytes())
    print(found)
    more = f" (and {len(found.problems) - 1} more problems)" if len(found.problems) > 1 else ""
    return _fail(found.problems[0] + more) if found.problems else 0


def _verify(options: argparse.Namespace) -> int:
    from codec_lib import codec

    with _patience("verifying"):
        found = codec.verify(options.original, options.input.read_bytes(), options.device)
    print(f"largest error  {found.largest_error}")
    print(f"promised       {'nothing: a lossy model' if found.tau is None else f'tau = {found.tau}'}")
    return 0 if found.is_kept else _fail(f"largest error: {found.largest_error}, allowed is {found.tau}")


def _evaluate(options: argparse.Namespace) -> None:
    from codec_lib import data, evaluate

    _check_model(options)
    _check_writable(options.json)
    paths = data.pictures_in(options.input)
    measured = evaluate.evaluate_model(paths, options.model, options.qualities, options.device)
    _write(options.json, lambda path: path.write_text(json.dumps(measured, indent=1) + "\n"))
    for row in measured["means"]:
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items() if value is not None))


def _train(options: argparse.Namespace) -> None:
    from codec_lib.training.loop import Settings, train

    given = {key: getattr(options, key) for key in Settings.__dataclass_fields__ if key in options}
    print(train(Settings(**{key: value for key, value in given.items() if value is not None})))


def _parser() -> argparse.ArgumentParser:
    parser = _OneLineParser(prog="codec-lib", description="Learned image compression.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, help):
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run, error=sub.error)
        return sub

    command("models", _models, "list the trained models with their cards")

    sub = command("encode", _encode, "compress a picture into a .clc file")
    sub.add_argument("input", metavar="IN", type=Path, help="any picture that Pillow reads")
    sub.add_argument("output", metavar="OUT", type=Path, help="the .clc file")
    sub.add_argument("--model", default="flagship", metavar="NAME", help=MODEL_HELP)
    size = sub.add_mutually_exclusive_group()
    size.add_argument("--quality", type=_quality, metavar="Q", help="of lossy models: 1 to 8; default 4")
    size.add_argument(
        "--target-bytes", type=_positive(int), metavar="N", help="or the largest size of the file"
    )
    size.add_argument(
        "--target-bpp", type=_positive(float), metavar="R", help="or the same in bits a pixel"
    )
    sub.add_argument(
        "--tau", type=int, metavar="T", help="of near-lossless models: largest error; default 0"
    )
    _add_device(sub)

    sub = command("decode", _decode, "turn a .clc file back into a picture")
    sub.add_argument("input", metavar="IN", type=Path, help="the .clc file")
    sub.add_argument("output", metavar="OUT", type=Path, help="picture; its ending says the format")
    sub.add_argument("--preview", action="store_true", help="the lossy layer of a near-lossless file only")
    _add_device(sub)

    sub = command("verify", _verify, "decode a file and compare every sample with the original picture")
    sub.add_argument("original", metavar="ORIGINAL", type=Path, help="the picture it was made from")
    sub.add_argument("input", metavar="FILE", type=Path, help="the .clc file")
    _add_device(sub)

    sub = command("inspect", _inspect, "print what a .clc file says, and every check that fails")
    sub.add_argument("input", metavar="FILE", type=Path)

    sub = command("evaluate", _evaluate, "measure a model on a folder of pictures")
    sub.add_argument("input", metavar="DIR", type=Path, help="folder of pictures")
    sub.add_argument("--model", required=True, metavar="NAME", help=MODEL_HELP)
    sub.add_argument("--qualities", type=_qualities, default="1,2,3,4,5,6,7,8", metavar="Q,Q,...")
    sub.add_argument("--json", required=True, type=Path, metavar="FILE", help="where results go")
    _add_device(sub)

    sub = command("train", _train, "train a model, or resume its training")
    sub.add_argument(
        "model",
        metavar="NAME",
        help="flagship, context, checkerboard, hyperprior, factorized, autoencoder or near-lossless",
    )
    sub.add_argument("--data", action="append", required=True, metavar="DIR", help="repeatable")
    sub.add_argument("--validation", metavar="DIR", help="pictures that choose the best weights")
    sub.add_argument("--out", required=True, metavar="DIR", help="checkpoint, log and weights go here")
    sub.add_argument("--minutes", type=float, help="time budget, 10 by default")
    sub.add_argument("--steps", type=int, help="stop after so many steps instead")
    sub.add_argument("--batch", type=int, help="pictures a step and process, 8 by default")
    sub.add_argument("--crop", type=int, help="side of the square crops, 128 by default")
    sub.add_argument("--enlarge", type=float, help="largest factor that crops are scaled by, 1 by default")
    sub.add_argument(
        "--soft", type=float, help="share of crops with colours of half the resolution, 0 to 1"
    )
    sub.add_argument("--lr", type=float, help="learning rate of the weight matrices")
    sub.add_argument("--precision", help="32-true, bf16-mixed (default) or 16-mixed")
    sub.add_argument("--seed", type=int, help="0 by default")
    sub.add_argument("--start", metavar="NAME", help="weights to begin from, of the same widths")
    sub.add_argument("--widths", type=_widths, metavar="N,M", help="channels inside and of latents")
    sub.add_argument("--only", type=_parts, metavar="PART,...", help="train these parts of the model only")
    sub.add_argument("--lr-other", type=float, help="learning rate of everything else")
    sub.add_argument("--quality", type=_quality, help="the only one that is trained; all by default")
    sub.add_argument("--distortion", type=float, metavar="LAMBDA", help="of near-lossless models")
    _add_device(sub)
    return parser


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), default="auto")


def _quality(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and 1 <= value <= 8):
        raise argparse.ArgumentTypeError(f"{text} is not in 1 to 8")
    return value


def _positive(kind: type) -> Callable[[str], int | float]:
    def read(text: str) -> int | float:
        value = kind(text)
        if not (math.isfinite(value) and value > 0):
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return read


def _qualities(text: str) -> list[float]:
    return [_quality(part) for part in text.split(",")]


def _widths(text: str) -> dict[str, int]:
    return dict(zip("NMC", map(int, text.split(",")), strict=False))


def _parts(text: str) -> list[str]:
    return text.split(",")


def _check_model(options: argparse.Namespace) -> None:
    from codec_lib import weights

    try:
        weights.find(options.model)
    except ValueError as error:
        options.error(str(error))


def _check_writable(path: Path) -> None:
    """Refuse before the work is done, not after it; also for root, whom permissions do not stop."""
    if not path.parent.is_dir():
        raise ValueError(f"output: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"output: {path} is a folder")
    for place in (path, path.parent):
        if place.exists() and not (os.access(place, os.W_OK) and place.stat().st_mode & 0o222):
            raise ValueError(f"output: {place} is read-only")


def _write(path: Path, save) -> None:
    """Let `save` write a temporary file beside `path`, and rename it when it is whole."""
    handle, draft = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        save(Path(draft))
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(draft, 0o666 & ~mask)
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)


@contextmanager
def _patience(what: str) -> Iterator[None]:
    """Show a clock on a terminal while something takes longer than two seconds."""
    done = threading.Event()

    def tick() -> None:
        start = time.monotonic()
        while not done.wait(2):
            print(f"\r{what}: {time.monotonic() - start:.0f} s", end="", file=sys.stderr, flush=True)

    thread = threading.Thread(target=tick, daemon=True)
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.is_alive():
            thread.join()
            print("\r\x1b[K", end="", file=sys.stderr)


def _fail(message: str, status: int = 1) -> int:
    print("codec-lib: " + " ".join(message.split()), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
