"""What networks around a standard codec bring, and what each of them does: on Kodak, in real files.

    python -m benchmarks.codec_in_the_loop --json results/codec_in_the_loop.json \
        --data ../shared/data/train ../shared/data/train-lossless --out runs/loop

`variants` are networks around JPEG, smaller than the shipped ones, that differ in one thing. They see the
same crops in the same order and take `STEPS` steps:

    straight, dropped, proxy    as it is, with the gradients that `codec_lib.models.codec_in_the_loop` names
    rate unseen                 the first network learns of the error only, not of the file's length
    bicubic                     pictures are made smaller without a network
    compaction alone            and made larger without one
    reconstruction alone        none is made smaller; JPEG goes down to quality `LOWEST`

`shipped` are the trained weights around each codec, and `plain` the codec alone, with the same settings.
Each has means of bpp, PSNR, MS-SSIM and SSIMULACRA2 over the 24 pictures, variants over every second one,
for some settings; `jpeg, every second` is JPEG on those. Rows that the JSON file has are not made again.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks import results, unnamed
from benchmarks.unnamed import without_seconds
from codec_lib import data, weights
from codec_lib.measure import baselines, evaluate
from codec_lib.models.codec_in_the_loop import CodecInTheLoop, reduced
from codec_lib.training.settings import Settings

STEPS, WIDTHS = 400, {"K": 32, "D": 5}
LOWEST = 3
QUALITIES = (1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6)
LOW, EVERY = (1, 1.5, 2, 3, 3.75), 2  # qualities of variants, and one of so many pictures
SHIPPED = {"around-jpeg": "jpeg", "around-webp": "webp"}
PLAIN = {
    "jpeg": (3, 5, 7, 10, 14, 20, 30, 45, 65, 80, 92),
    "webp": (0, 2, 5, 10, 20, 35, 50, 65, 80, 92),
}


class Bicubic(CodecInTheLoop):
    """Pictures are made smaller without a network."""

    def compact(self, x: Tensor, quality: float) -> Tensor:
        return reduced(x).clamp(0, 1)


class CompactionAlone(CodecInTheLoop):
    """Pictures are made larger without a network."""

    def reconstruct(self, x: Tensor, qualities: list[float]) -> Tensor:
        return x


class ReconstructionAlone(CodecInTheLoop):
    """No picture is made smaller."""

    switch = 1.0

    def __init__(self, **widths: int):
        super().__init__(**widths)
        self.ranges = (self.ranges[0], (LOWEST, self.ranges[1][1]))


def learns(past: str, **widths: int) -> CodecInTheLoop:
    """The codec as it is, whose first network learns in one of the ways."""
    model = CodecInTheLoop(**widths)
    model.past = past
    return model


def rate_unseen(**widths: int) -> CodecInTheLoop:
    """The codec as it is, whose first network is not told what files cost."""
    model = CodecInTheLoop(**widths)
    model.weighs_rate = False
    return model


def only(build: Callable[..., CodecInTheLoop], idle: str, **widths: int) -> CodecInTheLoop:
    """A codec one network of which has nothing to do."""
    model = build(**widths)
    model.get_submodule(idle).requires_grad_(False)
    return model


BESIDE_VARIANTS = "jpeg, every second"
VARIANTS: dict[str, Callable[..., CodecInTheLoop]] = {
    "straight": partial(learns, "straight"),
    "dropped": partial(learns, "dropped"),
    "proxy": partial(learns, "proxy"),
    "rate unseen": rate_unseen,
    "bicubic": partial(only, Bicubic, "compaction"),
    "compaction alone": partial(only, CompactionAlone, "reconstruction"),
    "reconstruction alone": partial(only, ReconstructionAlone, "compaction"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--data", nargs="+", required=True, help="folders of training pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--only", action="append", metavar="NAME", help="of variants, shipped, plain")
    options = parser.parse_args()
    report = results.begin(options.json, {"steps": STEPS, "widths": WIDTHS})
    for kind, names, measure in (
        ("plain", PLAIN, plain),
        ("plain", [BESIDE_VARIANTS], lambda _: plain("jpeg", EVERY)),
        ("shipped", SHIPPED, shipped),
        ("variants", VARIANTS, partial(variant, options=options)),
    ):
        rows = report.setdefault(kind, {})
        for name in names:
            if (options.only and name not in options.only) or is_measured(kind, name, rows):
                continue
            rows[name] = measure(name)
            results.write(options.json, report)


def is_measured(kind: str, name: str, rows: dict) -> bool:
    """Whether a row is there, and, where it is one of weights, of those that are shipped now."""
    if name not in rows:
        return False
    return kind != "shipped" or rows[name]["weights"] == weights.load(name).digest


def plain(name: str, every: int = 1) -> dict[str, Any]:
    """The codec alone."""
    encode, decode = partial(baselines.encode, name), partial(baselines.decode, name)
    return without_seconds(
        evaluate.evaluate(data.kodak()[::every], encode, decode, PLAIN[name], title=name)
    )


def shipped(name: str) -> dict[str, Any]:
    """Trained weights, in files of this library."""
    measured = evaluate.evaluate_model(data.kodak(), name, QUALITIES)
    return {"weights": weights.load(name).digest} | without_seconds(measured)


def variant(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A variant, trained and measured, in files of this library."""
    out = options.out / name.replace(" ", "-")
    settings = Settings(
        "codec-in-the-loop", options.data, str(out), steps=STEPS, batch=8, crop=128, lr=0.005,
        lr_other=0.001, widths=WIDTHS, device="cpu", check_minutes=1e9,
    )  # fmt: skip
    path = unnamed.train(settings, VARIANTS[name])
    model = unnamed.with_parameters(VARIANTS[name](**WIDTHS), path)
    return unnamed.measured(model.eval(), data.kodak()[::EVERY], LOW, name)


if __name__ == "__main__":
    main()
