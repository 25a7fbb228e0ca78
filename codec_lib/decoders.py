"""Alternative synthesis transforms for the files of a model.

The entropy decoder and all integers stay the same, the mapping from latents to pixels is another.

    decoders/NAME.safetensors   the parameters that differ, in float16; in its metadata the `probabilities`
                                of the weights whose files it shows
    decoders/NAME.json          its card; "range" has the settings for which it was trained, if not for all

They lie in the folder `decoders` of every folder of weights. A decoder that was trained for another goal
than the squared error reads the same integers, which frozen tables and networks choose, and shows another
picture of them.
"""

import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

from codec_lib import weights
from codec_lib.errors import BitstreamError, shown
from codec_lib.models.base import Model

FOLDER = "decoders"


def paths() -> dict[str, Path]:
    """Name -> file of all decoders that can be loaded, sorted by name."""
    return weights.paths(FOLDER)


def find(name: str) -> Path:
    """The file of a decoder; ValueError for a name nobody knows."""
    known = paths()
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"decoder: {shown(name)}; there are {', '.join(known) or 'none'}")
    return known[name]


def load(name: str, trained: weights.Trained) -> Model:
    """The model of some weights with another decoder, on the same device.

    Raises ValueError for a name nobody knows, or a decoder for other weights; BitstreamError for a file
    that is no decoder.
    """
    path = find(name)
    return _load(path, path.stat().st_mtime_ns, trained)


def complaint(name: str, value: float) -> str | None:
    """What is to be said when a decoder shows a file of some setting; None where it was trained for it.

    Raises BitstreamError where its card does not tell.
    """
    match weights.card_of(paths()[name]).get("range", [value, value]):
        case [int() | float() as low, int() | float() as high]:
            pass
        case odd:
            raise BitstreamError(
                f"decoder: {name}.json has the range {shown(odd)}; expected are two numbers"
            )
    if min(low, high) <= value <= max(low, high):
        return None
    return f"decoder: {name} was trained for {low:g} to {high:g}, the file has {value:g}; expect faults"


@lru_cache(maxsize=4)
def _load(path: Path, changed: int, trained: weights.Trained) -> Model:
    _, metadata, state = weights.read_tensors(path, "decoder")
    if metadata.get("probabilities") != trained.probabilities:
        reads = f"{metadata.get('weights')} {metadata.get('probabilities')}"
        raise ValueError(
            f"decoder: {path.stem} shows files of {reads}; "
            f"this one is of {trained.name} {trained.probabilities}"
        )
    model = copy.deepcopy(trained.model)
    try:
        unknown = model.load_state_dict(state, strict=False).unexpected_keys
    except RuntimeError as error:
        raise BitstreamError(f"decoder: {path.name}: {str(error).splitlines()[-1].strip()}") from None
    if unknown:
        raise BitstreamError(f"decoder: {path.name} has {unknown[0]}, and {trained.name} has not")
    return model.channels_last()


def save(model: Model, trained: weights.Trained, path: Path, about: dict[str, Any]) -> None:
    """Write the parameters of g_s that differ from those of `trained`, where the model began, and a card.

    `path` is DECODERS/NAME.safetensors. Raises ValueError where more than the decoder would differ.
    """
    before = trained.model.state_dict()
    state = weights.state_of(model)
    changed = {key: value for key, value in state.items() if not value.float().equal(before[key].cpu())}
    other = {key.split(".")[0] for key in changed} - {"g_s"}
    if other:
        raise ValueError(f"decoder: {', '.join(sorted(other))} differ too; expected only g_s")
    arrays = {key: value.numpy() for key, value in changed.items()}
    metadata = {"weights": trained.name, "probabilities": trained.probabilities}
    weights.write_tensors(path, arrays, metadata, about)
