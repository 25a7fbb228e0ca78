"""Codecs as drawings: `architecture("hyperprior")` reads layers and channels from the model itself."""

from pathlib import Path

from codec_lib import weights
from codec_lib.models import architecture as class_of
from codec_lib.models.base import Model
from codec_lib.viz.diagram import Diagram
from codec_lib.viz.diagrams import levels_of


def architecture(model: str | Path | Model) -> Diagram:
    """Draw a codec.

    Args:
        model: the name of weights, or of an architecture, which then has its default widths; or a model.

    Returns:
        What displays itself as SVG, about 350 pixels wide and as high as it takes, with its parts in words.

    Raises:
        ValueError: a name that nobody knows, or a model of which there is no drawing.
    """
    name = type(model).__name__ if isinstance(model, Model) else Path(model).stem
    if not isinstance(model, Model):
        is_trained = name in weights.paths() or str(model) != name
        model = weights.load(model).model if is_trained else class_of(name)()
    caption, levels = levels_of(model)
    widths = ", ".join(f"{letter} = {width}" for letter, width in model.widths.items() if len(letter) == 1)
    return Diagram(name, f"{name}{f' ({widths})' if widths else ''}. {caption}", levels)
