"""A model that is not among the trained weights, such as one of an ablation: trained, and measured."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from safetensors.torch import load_file

from codec_lib import picture
from codec_lib.measure import evaluate
from codec_lib.models.base import Model
from codec_lib.priors.base import Sections
from codec_lib.training import loop
from codec_lib.training.settings import Settings

M = TypeVar("M", bound=Model)


def train(settings: Settings, build: Callable[..., Model]) -> Path:
    """Train from the first step on: a run that goes on where it was cut off would see other crops."""
    if Path(settings.out).exists():
        shutil.rmtree(settings.out)
    return loop.train(settings, build)


def with_parameters(model: M, path: Path) -> M:
    """The model, with the parameters of a file of weights."""
    saved = load_file(path)
    model.load_state_dict({key: saved[key] for key in model.state_dict()})
    return model


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
