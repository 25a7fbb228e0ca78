"""Look at pictures, at what a number does to them, and at rate-distortion curves.

    compare(original, decoded)                        # drag the border between the two
    filmstrip([q1, q2, q3], ["q = 1", "q = 2", "q = 3"])
    explore(decoded_at, quality=[1, 2, 4, 8])         # turn the number where Python runs, else a film strip
    table([{"codec": "JPEG", "bytes": 18795}])         # a table on a page, aligned text elsewhere
    rate_distortion(axes, {"JPEG": points})
    explore_curves(kodak_curves(), shown=["flagship", "jpeg"])       # the same, to be taken apart
    scoreboard("hyperprior")                          # all codecs at equal bytes, one of them marked
    architecture("hyperprior")                        # what it is made of, as a drawing

What a reader sees needs no network and no script file.
"""

from codec_lib.viz.architectures import architecture
from codec_lib.viz.curves import explore_curves
from codec_lib.viz.explore import explore
from codec_lib.viz.plots import rate_distortion, scoreboard, show_scoreboard
from codec_lib.viz.tables import table
from codec_lib.viz.viewers import compare, filmstrip

__all__ = [
    "architecture",
    "compare",
    "explore",
    "explore_curves",
    "filmstrip",
    "rate_distortion",
    "scoreboard",
    "show_scoreboard",
    "table",
]
