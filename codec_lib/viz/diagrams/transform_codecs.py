"""Codecs of two transforms with a prior between them, and the near-lossless codec that stands on one."""

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from codec_lib.density.factorized import FactorizedDensity
from codec_lib.density.shapes import NORMAL
from codec_lib.models.flagship import Flagship
from codec_lib.models.near_lossless import NearLossless
from codec_lib.models.transform import TransformCodec
from codec_lib.models.tucodec import Fusion, Tucodec
from codec_lib.priors.base import Prior
from codec_lib.priors.channel import ChannelPrior
from codec_lib.priors.checkerboard import CheckerboardPrior
from codec_lib.priors.context import ContextPrior
from codec_lib.priors.hyper import HyperPrior
from codec_lib.viz.diagrams.lines import lines_of, outputs_of
from codec_lib.viz.diagrams.parts import Box, Coder, Level, Line, Step, Tensor, size
from codec_lib.viz.diagrams.register import levels_of

GAINS = "Gains $m$ and $m'$ belong to the quality: one network, every rate."
SYMBOLS = "Q, AE"


@levels_of.register
def _(model: TransformCodec) -> tuple[str, Sequence[Level]]:
    return GAINS, [transforms(model, lines_of(model.g_a)), *levels_below(model)]


@levels_of.register
def _(model: Flagship) -> tuple[str, Sequence[Level]]:
    prior = model.prior
    assert isinstance(prior, ContextPrior)
    said = f"{GAINS} A block adds 1×1(leaky(3×3)) to its input, at 1/16 to {prior.seen} channels of it."
    return said, [transforms(model, lines_of(model.g_a)), *levels_below(model)]


@levels_of.register
def _(model: Tucodec) -> tuple[str, Sequence[Level]]:
    fusion = model.g_a[-1]
    assert isinstance(fusion, Fusion)
    both = outputs_of(fusion.from_4) + outputs_of(fusion.from_8)
    lines = lines_of(model.g_a[:-1], fusion.halve, fusion.again)
    lines += [
        Line("+ from 1/4, 1/8: unshuffle,", "", both),
        Line("   1×1, join, 1×1", str(fusion.together.out_channels), outputs_of(fusion.together)),
    ]
    return f"{GAINS} The latent also sees two larger sizes; a filter follows $g_s$.", [
        transforms(model, lines), *levels_below(model)
    ]  # fmt: skip


@levels_of.register
def _(model: NearLossless) -> tuple[str, Sequence[Level]]:
    lossy, prior = model.lossy, model.prior
    lines = [
        *_named("$u$:", lines_of(prior.features)),
        *_named("$x̃$ around:", lines_of(prior.surround)),
        *_named("$r̂$ before:", lines_of(prior.context)),
        _chain(prior.lossless, "lossless, $τ$ = 0"),
        _chain(prior.corrected, "corrected, each $τ$ > 0"),
    ]
    residual = Level(
        down=[Tensor("$x$", "3 × H × W")],
        coder=Coder("$r = x - x̃$|Q within $τ$, AE", "r", "AD|$+ x̃$, clip"),
        up=[Tensor("$x̂$", "3 × H × W")],
        prior=Box("$P_τ(r̂)$: mixture of logistics", lines, "probabilities", ("prior",)),
        feeds="$x̃$, $u$",
        sees="so far",
    )
    first = transforms(lossy, lines_of(lossy.g_a), within="lossy.")
    *inner, last = lossy.g_s
    features = Tensor("$u$", size(lossy.widths["N"], 2))
    up = [
        *first.up[:-2],
        Box("$g_s$, all but its last layer", lines_of(*inner), "probabilities", ("lossy.g_s",)),
        features,
        Box("last layer of $g_s$", lines_of(last), "probabilities"),
        Tensor("$x̃$", "3 × H × W, 8 bits"),
    ]
    said = (
        "The lossy layer, a hyperprior codec at one quality, is decoded in integers, because residuals are "
        "relative to it. $|x - x̂| ≤ τ$. The coder of $r̂$ starts from the mixture and learns from the "
        "picture."
    )
    return said, [
        residual,
        replace(first, down=first.down[1:], up=up, branch=1),
        *levels_below(lossy, "lossy."),
    ]


def transforms(model: TransformCodec, analysis: list[Line], within: str = "") -> Level:
    """The level from picture to latent and back; `within` is where the model is in a larger one."""
    prior = model.prior
    shape = size(prior.M, model.downsampling)
    density, sees = _density(prior, within), "$ŷ$ so far" if isinstance(prior, ContextPrior) else ""
    symbols = ("Q of $y - μ$,|AE", "y", "AD,|$+ μ$") if sees else (SYMBOLS, "y", "AD")
    return Level(
        down=[
            Tensor("$x$", "3 × H × W"),
            Box("$g_a$", analysis, of=(f"{within}g_a",)),
            Tensor("$y$", shape),
            Step("× $m$", (f"{within}gain",)),
        ],
        coder=Coder(*symbols),
        up=[
            Step("× $m'$"),
            Tensor("$ŷ$", shape),
            Box("$g_s$", lines_of(model.g_s, channels=prior.M), of=(f"{within}g_s",)),
            Tensor("$x̂$", "3 × H × W"),
        ],
        prior=density,
        feeds="$ψ$" if sees else "$σ$",
        branch=2,
        sees=sees,
    )


def levels_below(model: TransformCodec, within: str = "") -> list[Level]:
    """The level of z, where there is one."""
    prior = model.prior
    if isinstance(prior, ChannelPrior):
        return []
    assert isinstance(prior, HyperPrior | ContextPrior)
    channels = outputs_of(prior.h_a)[-1]
    shape = size(channels, model.downsampling * prior.reduction)
    analysed = "$h_a$ of $|y|$" if isinstance(prior, HyperPrior) else "$h_a$"
    return [
        Level(
            down=[
                Box(analysed, lines_of(prior.h_a), of=(f"{within}prior.h_a",)),
                Tensor("$z$", shape),
            ],
            coder=Coder(SYMBOLS, "z", "AD"),
            up=[
                Tensor("$ẑ$", shape),
                Box("$h_s$", lines_of(prior.h_s), "probabilities", (f"{within}prior.h_s",)),
            ],
            prior=Box(
                "$p(z)$: one learned density a channel", (), "probabilities", (f"{within}prior.density_z",)
            ),
        )
    ]


def _density(prior: Prior, within: str) -> Box | None:
    """What chooses the probabilities of y, unless it is h_s alone."""
    match prior:
        case ChannelPrior():
            is_free = isinstance(prior.density, FactorizedDensity)
            kind = "one learned density" if is_free else "a mixture of Gaussians"
            name = f"$p(y)$: {kind} a channel"
            return Box(name, (), "probabilities", (f"{within}prior.density",))
        case ContextPrior():
            steps = "two steps" if isinstance(prior, CheckerboardPrior) else "slanted lines"
            mean, scale = (outputs_of(head) for head in (prior.mean, prior.log_sigma))
            lines = [
                *_named(f"context of $ŷ$, {steps}:", lines_of(prior.context)),
                *_named("$+ ψ$, leaky,", lines_of(prior.entropy_parameters)),
                Line("heads 1×1: $μ$, $σ$", f"{mean[0]} + {scale[0]}", mean + scale),
            ]
            parts = ("context", "entropy_parameters", "mean", "log_sigma")
            shape = "normal" if prior.shape is NORMAL else "heavy-tailed"
            return Box(
                f"$p(y | μ, σ)$, {shape}",
                lines,
                "probabilities",
                tuple(f"{within}prior.{p}" for p in parts),
            )
    return None


def _named(name: str, lines: list[Line]) -> list[Line]:
    """The same lines, of which the first begins with a name."""
    return [replace(lines[0], text=f"{name} {lines[0].text}".strip()), *lines[1:]]


def _chain(network: nn.ModuleList, name: str) -> Line:
    """A network of 1 x 1 convolutions as one line."""
    outputs = outputs_of(network)
    return Line(f"{name}: 1×1, leaky", " → ".join(map(str, outputs)), outputs)
