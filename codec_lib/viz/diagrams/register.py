"""The register of drawings, by class of model."""

from collections.abc import Sequence
from functools import singledispatch

from codec_lib.models.base import Model
from codec_lib.viz.diagrams.parts import Level


@singledispatch
def levels_of(model: Model) -> tuple[str, Sequence[Level]]:
    """A caption of one or two sentences, and the levels of the drawing, from the picture on.

    Raises:
        ValueError: a model that nobody has described.
    """
    raise ValueError(f"model: {type(model).__name__}; there is no drawing of it")
