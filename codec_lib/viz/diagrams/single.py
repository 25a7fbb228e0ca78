"""Two codecs unlike all others: one that is fitted to a picture, one around a standard codec."""

from collections.abc import Sequence

from codec_lib.fitting.context import NEIGHBOURS, SEEN, C
from codec_lib.fitting.parameters import COUNT, GRIDS
from codec_lib.fitting.synthesis import COLOURS, HIDDEN, INPUTS
from codec_lib.fitting.upsampling import TAPS
from codec_lib.models.codec_in_the_loop import CodecInTheLoop
from codec_lib.models.fitted import Fitted
from codec_lib.viz.diagrams.lines import lines_of
from codec_lib.viz.diagrams.parts import Box, Coder, Level, Line, Step, Tensor
from codec_lib.viz.diagrams.register import levels_of


@levels_of.register
def _(model: Fitted) -> tuple[str, Sequence[Level]]:
    own = sum(1 for plane, _, _ in NEIGHBOURS if plane == 0)
    last = GRIDS - 1
    return f"Nothing is trained but where the {COUNT:,} parameters begin; they are a part of the file.", [
        Level(
            down=[
                Tensor("$x$", "3 × H × W"),
                Box(
                    "gradient descent on $x$",
                    [Line(f"grids $y_0$ to $y_{last}$"), Line("parameters $n$", f"{COUNT:,}")],
                    of=("start",),
                ),
            ],
            coder=Coder("round, AE", "n, y", "AD"),
            up=[
                Tensor(f"$y_{last}$ to $y_0$", f"H/{1 << last} to H"),
                Box("enlarge", [Line(f"{last} × (×2 by {TAPS} taps)", str(INPUTS))]),
                Box(
                    "synthesis",
                    [
                        Line("1×1, ReLU", str(HIDDEN)),
                        Line("1×1 + 1×1 of its input", str(COLOURS)),
                        Line("2 × (x + 3×3)", str(COLOURS)),
                    ],
                ),
                Tensor("$x̂$", "3 × H × W"),
            ],
            prior=Box(
                "$P($integer $|$ neighbours, coarser grids$)$: Laplace",
                [
                    Line(f"{own} neighbours, {SEEN - own} of coarser grids", str(SEEN)),
                    Line("2 × (x + 1×1, ReLU)", str(C)),
                    Line("1×1 + 1×1 of its input: $μ$, $s$", "2"),
                ],
                "probabilities",
            ),
            sees="so far",
        )
    ]


@levels_of.register
def _(model: CodecInTheLoop) -> tuple[str, Sequence[Level]]:
    name = {"jpeg": "JPEG", "webp": "WebP", "jpeg2k": "JPEG 2000"}[model.codec]
    first = f"In the file is a legal {name}."
    said = f"{first} From quality {model.switch:g} on nothing is halved, nor compacted."
    return said, [
        Level(
            down=[
                Tensor("$x$", "3 × H × W"),
                Box("Compaction", lines_of(model.compaction), of=("compaction",)),
                Step("$+$ $x$, bicubic ↓2"),
                Tensor("$x_m$", "3 × H/2 × W/2"),
            ],
            coder=Coder(f"{name}|encoder", model.codec, f"{name}|decoder"),
            up=[
                Step("bicubic ↑2"),
                Box(
                    "$x$ + Reconstruction",
                    lines_of(model.reconstruction, channels=6),
                    of=("reconstruction",),
                ),
                Tensor("$x̂$", "3 × H × W"),
            ],
        )
    ]
