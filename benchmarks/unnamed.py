"""Rate and distortion of a model that is not among the trained weights, such as one of an ablation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from codec_lib import picture
from codec_lib.measure import evaluate
from codec_lib.models.base import Model
from codec_lib.priors.base import Sections


def measured(model: Model, paths: Sequence[Path], values: Sequence[float], title: str) -> dict[str, Any]:
    """What `evaluate` finds for a frozen model in eval mode: of its sections, without a container."""
    asked: tuple[Sections, float, int, int] = {}, 0.0, 0, 0

    def encode(image: Image.Image, value: float) -> bytes:
        nonlocal asked
        sections = model.compress(picture.to_levels(image), value)
        asked = sections, value, image.height, image.width
        return b"".join(sections.values())

    def decode(_: bytes) -> np.ndarray:
        return model.decompress(*asked)[0].movedim(0, -1).contiguous().numpy()

    return without_seconds(evaluate.evaluate(paths, encode, decode, values, title=title))


def without_seconds(measured: dict[str, Any]) -> dict[str, Any]:
    """The means, without what depends on the machine."""
    return {"means": [{k: v for k, v in row.items() if not k.endswith("_s")} for row in measured["means"]]}
