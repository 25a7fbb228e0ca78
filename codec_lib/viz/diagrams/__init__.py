"""What a drawing of each model shows: `levels_of(model)`, with the channels that its modules have.

Each family of models has its file; a new model registers a function of its own with `levels_of`.
`codec_lib.viz.architecture` draws what comes out.
"""

from codec_lib.viz.diagrams import content_weighted, recurrent, single, transform_codecs  # noqa: F401
from codec_lib.viz.diagrams.register import levels_of

__all__ = ["levels_of"]
