"""Codecs that send a picture again and again."""

from collections.abc import Sequence

from torch import nn

from codec_lib.layers.recurrent import Cell
from codec_lib.models.iterative import BITS, STRIDE, IterativeCodec, T
from codec_lib.models.recurrent import Gain
from codec_lib.viz.diagrams.lines import lines_of, outputs_of
from codec_lib.viz.diagrams.parts import Box, Coder, Level, Line, Node, Step, Tensor, size
from codec_lib.viz.diagrams.register import levels_of


@levels_of.register
def _(model: IterativeCodec) -> tuple[str, Sequence[Level]]:
    encoder, decoder = model.encoder, model.decoder
    down: list[Node] = [Tensor("$r_{t-1}$", "$= x - x̂_{t-1}$")]
    is_scaled = model.gain is not None
    if isinstance(model.gain, Gain):
        lines = lines_of(model.gain.layers)
        down.append(Box("$g_{t-1} = G(x̂_{t-1})$", lines, of=("gain",)))
    if is_scaled:
        down.append(Step("× $g_{t-1}$", () if isinstance(model.gain, Gain) else ("gain",)))
    first, firsts = (encoder.get_submodule("first"), decoder.get_submodule("firsts"))
    activations = [network.get_submodule("activation") for network in (encoder, decoder)]
    down += [
        Box("$E$, remembers", lines_of(first, activations[0], encoder.cells), of=("encoder",)),
        Box(f"$B$, one for each of {T} $t$", [_each(encoder.get_submodule("binarizers"))]),
    ]
    lines = lines_of(firsts[0], activations[1])  # type: ignore[index]  # a list of modules
    lines = [Line(lines[0].text, lines[0].channels, outputs_of(firsts)), *lines[1:]]
    for cell in decoder.cells:
        assert isinstance(cell, Cell)
        lines += lines_of(cell, nn.PixelShuffle(2))
    lines += lines_of(decoder.get_submodule("last"), nn.Tanh())
    up: list[Node] = [
        Tensor("$b_t$", size(BITS, STRIDE)),
        Box("$D$, remembers", lines, of=("decoder",)),
        Step("÷ $g_{t-1}$, $+ x̂_{t-1}$" if is_scaled else "$+ x̂_{t-1}$"),
        Tensor("$x̂_t$", "3 × H × W"),
    ]
    if model.scheme == "one-shot":
        del up[2]
    network = outputs_of(model.prior.network)
    prior = Box(
        "$P($bit $|$ this $t$, $t - 1$, the sum before$)$",
        [Line("3×3, leaky, 1×1, leaky, 1×1", " → ".join(map(str, network)), network)],
        "probabilities",
        ("prior",),
    )
    bits = Level(
        down,
        Coder("AE", "bits $t$", "AD"),
        up,
        prior,
        "which tiles send",
        branch=0,
        sees="so far",
        is_loop=True,
    )
    return _said(model), [bits, *([_tile_map()] if model.tile_map else [])]


def _tile_map() -> Level:
    """How many iterations each tile has."""
    return Level(
        down=[Tensor("$n$", "where $r_t$ is small")],
        coder=Coder("AE", "map", "AD"),
        up=[Tensor("$n$", size(1, STRIDE))],
        prior=Box("coarse to fine, from neighbours", (), "probabilities"),
    )


def _said(model: IterativeCodec) -> str:
    """The caption."""
    said = "One iteration; a file may end behind any of them."
    if model.repeats[0]:
        when = "every iteration" if model.repeats[1] else "the first iteration"
        said += f" Before {when} both networks run {model.repeats[0]} times more, to have a memory."
    if model.tile_map:
        said += " A map, sent first, says after how many iterations each tile stops."
    return said


def _each(modules: nn.Module) -> Line:
    """Equal layers of which each iteration has its own, as one line."""
    (one,) = lines_of(modules[0])  # type: ignore[index]
    return Line(one.text, one.channels, outputs_of(modules))
