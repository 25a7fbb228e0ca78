"""Codecs with an importance map, and the pyramid with its bit planes."""

from collections.abc import Sequence

from codec_lib.models.conditional_probability import FRONT, ConditionalProbability
from codec_lib.models.importance_map import ImportanceMap
from codec_lib.models.pyramid import PLANES, Pyramid, Scale
from codec_lib.priors.volume import VolumePrior
from codec_lib.viz.diagrams.lines import lines_of, outputs_of
from codec_lib.viz.diagrams.parts import Box, Coder, Level, Line, Step, Tensor, size
from codec_lib.viz.diagrams.register import levels_of

PICTURE = "3 × H × W"
POWERS = "⁰¹²³"


@levels_of.register
def _(model: ImportanceMap) -> tuple[str, Sequence[Level]]:
    *inner, last = model.encoder
    codes = Level(
        down=[
            Tensor("$x$", PICTURE),
            Box("$E$", lines_of(*inner), of=("encoder",)),
            Box("$e$, in (0, 1)", lines_of(last)),
        ],
        coder=Coder("$b$: $e$ > 1/2,|mask, AE", "codes", "AD,|mask"),
        up=[
            Tensor("−1, 0, 1", size(model.n, 8)),
            Box("$D$", lines_of(model.decoder, channels=model.n), of=("decoder",)),
            Tensor("$x̂$", PICTURE),
        ],
        prior=_volume(model.prior, "$P(b | $ bits before, level$)$"),
        feeds="mask, level",
        branch=1,
        sees="so far",
    )
    levels = Level(
        down=[
            Box("$p$", lines_of(model.importance.conv), of=("importance",)),
            Tensor("level", f"0 to {model.L}, at 1/8"),
        ],
        coder=Coder("AE", "map", "AD"),
        up=[Tensor("level", "1 × H/8 × W/8"), Step(f"first {model.n // model.L} × level bits")],
        prior=Box("coarse to fine, from neighbours", (), "probabilities"),
    )
    return "The map is sent first and says how many bits each place sends.", [codes, levels]


@levels_of.register
def _(model: ConditionalProbability) -> tuple[str, Sequence[Level]]:
    L, C = model.widths["L"], model.widths["C"]
    *inner, last = model.encoder
    front = sum(1 for layer in model.encoder[:FRONT] if outputs_of(layer) or "Unshuffle" in str(layer))
    encoder, decoder = lines_of(*inner), lines_of(model.decoder, channels=C)
    encoder.insert(front, Line("× factor of the quality"))
    decoder.insert(-2, Line("÷ factor of the quality"))
    return "The map sets what a place can do without to zero; it is not sent.", [
        Level(
            down=[
                Tensor("$x$", PICTURE),
                Box("$E$", encoder, of=("encoder",)),
                Box("$z$ and $p$", [*lines_of(last), *lines_of(model.importance.conv)], of=("importance",)),
                Step("$z$ · mask($p$)"),
            ],
            coder=Coder(f"nearest of|{L} centres, AE", "y", "AD,|centres"),
            up=[
                Tensor("$ẑ$", size(C, 8), ("centres",)),
                Box("$D$", decoder, of=("decoder",)),
                Tensor("$x̂$", PICTURE),
            ],
            prior=_volume(model.prior, f"$P($symbol of {L} $|$ symbols before$)$"),
            sees="so far",
        )
    ]


@levels_of.register
def _(model: Pyramid) -> tuple[str, Sequence[Level]]:
    C = model.widths["C"]
    lines = []
    for s, scale in enumerate(model.scales):
        assert isinstance(scale, Scale)
        if s:
            lines += [
                Line(f"$x{POWERS[s]}$: {line.text}", line.channels, line.outputs)
                for line in lines_of(model.halve[s - 1])
            ]
        features, aligned = outputs_of(scale.features), outputs_of(scale.align)
        lines.append(Line("  3×3, 3×3, leaky", str(features[-1]), features))
        lines.append(
            Line(f"  unshuffle {scale.unshuffle.downscale_factor}, 1×1", str(aligned[-1]), aligned)
        )
    together = outputs_of(model.together)
    lines.append(Line("sum + (3×3, 1×1)", str(together[-1]), together))
    network = outputs_of(model.prior.network)
    return f"All scales end at 1/8 and are added. Numbers are sent as {PLANES} bit planes.", [
        Level(
            down=[
                Tensor("$x$", PICTURE),
                Box("features of $x⁰$ to $x³$", lines, of=("scales", "halve", "together")),
                Tensor("$y$", size(C, 8)),
                Step("× $m$", ("gain",)),
            ],
            coder=Coder(
                f"$k$ = round({2 ** (PLANES - 1)} $y$),|planes, AE",
                "planes",
                f"AD,|$k$ / {2 ** (PLANES - 1)}",
            ),
            up=[
                Step("× $m'$"),
                Tensor("$ŷ$", size(C, 8)),
                Box("$D$", lines_of(model.decoder, channels=C), of=("decoder",)),
                Tensor("$x̂$", PICTURE),
            ],
            prior=Box(
                "$P($bit $|$ this plane, those above$)$",
                [Line("3×3, leaky, 1×1, leaky, 1×1", " → ".join(map(str, network)), network)],
                "probabilities",
                ("prior",),
            ),
            sees="so far",
        )
    ]


def _volume(prior: VolumePrior, title: str) -> Box:
    """The prior of a volume, in the order of its modules."""
    lines = []
    for name in ("first", "side", "second", "third", "last"):
        if (layer := getattr(prior, name)) is not None:
            lines += [Line(f"{name}: {line.text}", line.channels, line.outputs) for line in lines_of(layer)]
    return Box(title, lines, "probabilities", ("prior",))
