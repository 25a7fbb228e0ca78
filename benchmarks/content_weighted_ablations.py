"""What each choice in the content-weighted codecs is worth: codecs that differ in it, trained alike.

    python -m benchmarks.content_weighted_ablations --json results/content_weighted_ablations.json \
        --data ../shared/data/train ../shared/data/train-lossless --out runs/content

Variants of a codec see the same crops in the same order and take the same number of steps, `STEPS`, and
`PRIOR_STEPS` more in which the prior alone is trained. Of learned centres the prior comes first, too, and
then all but the encoder, as in the shipped weights. Those of Tucodec go on from the shipped hyperprior, of
which the 160 channels are kept that take bits. The figures are means over Kodak-24 for some
qualities: bits per pixel that the densities estimate (of maps the bytes of their section), PSNR, and for
codecs with a target the rate as a share of it. Training is short and networks are small: compare the
variants of one codec with each other only. Rows that the JSON file has are not made again.

    importance-map            as it is; as many bits at every place ("uniform")
    conditional-probability   as it is; one mask for all places ("uniform"); with a context model that is
                              trained when all else is, instead of with it ("afterwards"); with an encoder
                              and centres that are trained too ("encoder too")
    pyramid                   as it is; one scale
    tucodec                   as it is; Gaussian scales; without its filter; without its fusion
"""

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks import results, unnamed
from codec_lib import data, picture, weights
from codec_lib.density.shapes import NORMAL
from codec_lib.layers import segments
from codec_lib.layers.importance import level_of
from codec_lib.measure import metrics
from codec_lib.models.base import Model, pad
from codec_lib.models.conditional_probability import ConditionalProbability
from codec_lib.models.importance_map import ImportanceMap
from codec_lib.models.output import TargetedOutput
from codec_lib.models.pyramid import Pyramid
from codec_lib.models.scale_hyperprior import ScaleHyperprior
from codec_lib.models.tucodec import Tucodec
from codec_lib.priors.volume import VolumePrior
from codec_lib.training.settings import Settings

STEPS, PRIOR_STEPS = 1500, 300
QUALITIES = (2.0, 4.0, 6.0, 7.5)
TARGETS = 0.05, 0.26  # bpp of learned centres, of which there are fewer than in the shipped model
GAINS = 0.28, 1.2  # of the same
KEPT = 160  # channels of the hyperprior
EVERY = 25  # steps between looks at the centres
FIRST_STEPS = 200  # of STEPS, in which the prior of learned centres is trained alone
PRIOR_RATE = 0.005
PARTS = "encoder", "decoder", "importance", "centres", "prior"  # of learned centres
TUCODEC_PARTS = "laplace", "filter", "fusion"
RATES = {  # of learning: hidden matrices, all else
    "importance-map": (0.002, 0.001),
    "conditional-probability": (0.002, 0.002),
    "pyramid": (0.002, 0.001),
    "tucodec": (0.001, 0.0005),
}

M = TypeVar("M", bound=Model)


class Late(VolumePrior):
    """A prior whose symbols cost, while `is_early`, what they do in their channel, without a context."""

    def __init__(self, model: ConditionalProbability, is_early: bool):
        super().__init__("y", model.widths["C"], model.widths["L"], model.widths["K"], 0, model.frozen)
        self.is_early, self.logits = is_early, nn.Parameter(torch.zeros(model.widths["L"], self.C))

    def forward(self, symbols: Tensor, sent: Tensor | None = None, side: Tensor | None = None) -> Tensor:
        if not self.is_early:
            return super().forward(symbols, sent, side)
        bits = -torch.log_softmax(self.logits, 0) / math.log(2)
        return bits[symbols, torch.arange(self.C)[:, None, None]]


class FewCentres(ConditionalProbability):
    """Learned centres too few to keep some for colours that hardly occur."""

    def start(self, x: Tensor) -> None:
        segments.start(self.encoder, self.decoder, x, self.centres.centres, most=0.0)


def importance_map(is_uniform: bool = False) -> ImportanceMap:
    """Half the bits of the shipped model."""
    model = ImportanceMap(N=64, n=32, L=16, K=16)
    return without_map(model) if is_uniform else model


def conditional_probability(
    is_uniform: bool = False, is_late: bool = False, is_early: bool = False
) -> ConditionalProbability:
    """A quarter of the shipped latents; a late prior is early in the run that trains all else."""
    model = FewCentres(N=64, C=32, L=6, K=16)
    model.targets, model.gains = TARGETS, GAINS
    if is_late:
        model.prior = Late(model, is_early)
    return without_map(model) if is_uniform else model


def without_map(model: M) -> M:
    """The same model, to whose map the encoder contributes nothing: what is left is one p a quality."""
    model.get_submodule("importance.conv").register_forward_hook(lambda _, __, logit: 0 * logit)
    return model


def tucodec(folder: Path, without: str = "") -> Tucodec:
    """Tucodec as it begins, without one part of it."""
    model = Tucodec()
    model.start_from(narrowed_hyperprior(folder))
    fusion = model.g_a[-1]
    if without == "laplace":
        model.prior.shape = NORMAL
    elif without == "filter":
        model.g_s[-1] = nn.Identity()
    elif without == "fusion":
        for parameter in fusion.together.parameters():
            nn.init.zeros_(parameter).requires_grad_(False)
    return model


@torch.no_grad()
def narrowed_hyperprior(folder: Path) -> ScaleHyperprior:
    """The shipped hyperprior without the channels whose latents are zero in some pictures of a folder."""
    wide = weights.load("hyperprior").model
    assert isinstance(wide, ScaleHyperprior)
    narrow, size = ScaleHyperprior(wide.prior.N, KEPT), torch.zeros(wide.prior.M)
    gain, _ = wide.gain(torch.tensor([6.0]))
    for path in data.pictures_in(folder)[:8]:
        x = pad(picture.to_tensor(picture.load(path)), wide.stride)
        size += (wide.g_a(x) * gain).round().abs().sum((0, 2, 3))
    kept, state = size.argsort(descending=True)[:KEPT].sort().values, narrow.state_dict()
    for name in state:
        state[name] = wide.state_dict()[name]
        for dim, width in enumerate(narrow.state_dict()[name].shape):
            if width != state[name].shape[dim]:
                state[name] = state[name].index_select(dim, kept)
    narrow.load_state_dict(state)
    return narrow


Build = Callable[[], Model]


class Phase(NamedTuple):
    """A part of a run: of which model, how many steps, and what is trained: all if nothing is named."""

    build: Build
    steps: int
    only: tuple[str, ...] = ()


def phases(codec: str, build: Build, build_last: Build | None = None, *only: str) -> list[Phase]:
    """Everything, or what is named, and then the prior; of learned centres the prior comes first, too."""
    last = Phase(build_last or build, PRIOR_STEPS, ("prior",))
    if codec != "conditional-probability":
        return [Phase(build, STEPS), last]
    only = only or ("decoder", "importance", "prior")
    return [Phase(build, FIRST_STEPS, ("prior",)), Phase(build, STEPS - FIRST_STEPS, only), last]


def runs(folder: Path) -> Iterator[tuple[str, str, list[Phase]]]:
    """Codec, variant, and the phases of its training."""
    late = partial(conditional_probability, is_late=True)
    for codec, variant, build in [
        ("importance-map", "as it is", importance_map),
        ("importance-map", "uniform", partial(importance_map, is_uniform=True)),
        ("conditional-probability", "as it is", conditional_probability),
        ("conditional-probability", "uniform", partial(conditional_probability, is_uniform=True)),
        ("pyramid", "as it is", partial(Pyramid, N=64, C=64, K=48)),
        ("pyramid", "one scale", partial(Pyramid, N=64, C=64, K=48, scales=1)),
        ("tucodec", "as it is", partial(tucodec, folder)),
        *(("tucodec", f"no {part}", partial(tucodec, folder, part)) for part in TUCODEC_PARTS),
    ]:
        yield codec, variant, phases(codec, build)
    codec = "conditional-probability"
    yield codec, "afterwards", phases(codec, partial(late, is_early=True), late)
    yield codec, "encoder too", phases(codec, conditional_probability, None, *PARTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=RATES, help="of the codecs")
    options = parser.parse_args()
    report = results.begin(options.json, {"steps": STEPS, "prior_steps": PRIOR_STEPS})
    rows = report.setdefault("rows", [])
    done = {(row["codec"], row["variant"]) for row in rows}
    for codec, variant, run in runs(Path(options.data[0])):
        if (codec, variant) in done or codec not in (options.only or RATES):
            continue
        folder = options.out / f"{codec}-{variant.replace(' ', '-')}"
        settings = Settings(codec, options.data, str(folder), batch=4, crop=128, check_minutes=60)
        model, centres = follow(settings, run)
        row: dict[str, Any] = {"codec": codec, "variant": variant}
        row |= {"centres": centres} if centres else {}
        rows.append(row | {"points": measure(model)})
        results.write(options.json, report)
        print(codec, variant, flush=True)


def follow(settings: Settings, run: list[Phase]) -> tuple[Model, list[list[float]]]:
    """A model that went through all phases, and where its centres were when they were trained."""
    path: Path | None = None
    seen: list[list[float]] = []
    for number, phase in enumerate(run):
        model = phase.build()
        if path:
            unnamed.with_parameters(model, path)
            model.start = lambda x: None  # what is trained does not begin again
        if "centres" in phase.only:
            watch(model, seen)
        now = replace(settings, out=f"{settings.out}/{number}", steps=phase.steps, only=list(phase.only))
        now.lr, now.lr_other = RATES[settings.model]
        if phase.only == ("prior",):
            now.lr = PRIOR_RATE
        path = unnamed.train(now, lambda model=model: model)
    return unnamed.with_parameters(run[-1].build(), path), seen


def watch(model: Any, seen: list[list[float]]) -> None:
    """Write down where the centres are, every `EVERY` steps of training."""
    calls = itertools.count()

    def look(centres: nn.Module, *_: object) -> None:
        if centres.training and next(calls) % EVERY == 0:
            seen.append([round(value, 4) for value in model.centres.centres.tolist()])

    model.centres.register_forward_hook(look)


@torch.no_grad()
def measure(model: Model) -> list[dict[str, float]]:
    """A point for each quality, means over all Kodak pictures."""
    model.eval().freeze()
    return [
        {"quality": quality} | {key: round(mean(row[key] for row in rows), 5) for key in rows[0]}
        for quality in QUALITIES
        for rows in [[point(model, path, quality) for path in tqdm(data.kodak(), leave=False)]]
    ]


def point(model: Model, path: Path, quality: float) -> dict[str, float]:
    """Bits per pixel and PSNR of one picture, and its rate as a share of its target where there is one."""
    original = picture.load(path)
    x, setting = picture.to_tensor(original), torch.tensor([quality])
    out = model(x, setting)
    bpp = out.bpp().item()
    if isinstance(model, ImportanceMap):
        level = level_of(model.analyze(x, setting)[1], model.L)[0]
        bpp += 8 * len(model.map.encode(level[0] + 1, model.L + 1)) / x[0, 0].numel()
    decoded = picture.round_to_levels(out.x_hat)[0].permute(1, 2, 0).numpy()
    row = {"bpp": bpp, "psnr": metrics.psnr(original, decoded)}
    if isinstance(out, TargetedOutput):
        row["share_of_target"] = (out.rate / out.target).item()
    return row


if __name__ == "__main__":
    sys.exit(main())
