"""Weights on disk: safetensors with the coding integers inside, and a model card beside them.

    NAME.safetensors   parameters, convolutions in float16; `tables.*` and `networks.*`, the integers
                       that choose probabilities; in its metadata the model's name and widths
    NAME.json          the model card: data, steps, hardware, commit, results, SHA-256 of the file

Nothing is unpickled. A file of pictures names the SHA-256 of the weights that wrote it, so a decoder
with other weights refuses instead of guessing. Weights are looked for in the folder that the
environment variable CODEC_LIB_WEIGHTS names, then among those that come with the library.
"""

import copy
import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from codec_lib.entropy.mixture import MixtureTables
from codec_lib.entropy.pmf import Tables
from codec_lib.errors import BitstreamError
from codec_lib.fixed_point import FixedPointNetwork
from codec_lib.models import architectures
from codec_lib.models.base import LossyModel

SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Trained:
    """A frozen model in eval mode and its name.

    `digest` and `probabilities` are the first 16 hex digits of two SHA-256: of the weights file, and
    of all that chooses probabilities in it, the integer tables and networks.
    """

    name: str
    digest: str
    probabilities: str
    model: LossyModel


def folders() -> list[Path]:
    """Where weights are looked for, first match first."""
    own = os.environ.get("CODEC_LIB_WEIGHTS")
    return [Path(own), SHIPPED] if own else [SHIPPED]


def available() -> dict[str, dict]:
    """Name -> model card of every trained model that can be loaded, sorted by name."""
    cards = {}
    for folder in reversed(folders()):
        for path in sorted(folder.glob("*.safetensors")):
            card = path.with_suffix(".json")
            cards[path.stem] = json.loads(card.read_text()) if card.exists() else {}
    return dict(sorted(cards.items()))


def find(name: str) -> Path:
    """The weights file of a model's name; ValueError names what there is."""
    if name.endswith(".safetensors") and Path(name).is_file():
        return Path(name)
    if name not in available():
        raise ValueError(f"model: {name!r}; there are {', '.join(available()) or 'none'}")
    paths = [folder / f"{name}.safetensors" for folder in folders()]
    return next(path for path in paths if path.is_file())


@lru_cache(maxsize=8)
def load(name: str, device: str = "cpu") -> Trained:
    """A trained model by its name, or by the path of a .safetensors file.

    Raises ValueError for a name nobody knows, BitstreamError for a file that is no such model.
    """
    path = find(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    card = path.with_suffix(".json")
    stated = json.loads(card.read_text()).get("sha256", digest) if card.exists() else digest
    if stated != digest:
        raise BitstreamError(
            f"weights: {path.name} has SHA-256 {digest[:16]}..., its card {stated[:16]}..."
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise BitstreamError(f"weights: {path.name} is no safetensors file ({error})") from None
    try:
        model = _rebuild(metadata, arrays)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BitstreamError(f"weights: {path.name} holds no model of this library ({reason})") from None
    model = model.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)
    return Trained(metadata["model"], digest[:16], _probabilities(model)[:16], model)


def _probabilities(model: LossyModel) -> str:
    """SHA-256 of the integers that choose probabilities: names, shapes and little-endian values."""
    state = hashlib.sha256()
    for key, value in sorted(_integers(model).items()):
        state.update(f"{key} {value.dtype.str} {value.shape}\n".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()


def _integers(model: LossyModel) -> dict[str, np.ndarray]:
    """Everything that a decoder needs to choose the same probabilities, as it is saved."""
    parts = {f"tables.{name}": tables.to_arrays() for name, tables in model.tables.items()}
    parts |= {f"networks.{name}": network.arrays() for name, network in model.networks.items()}
    return {f"{part}.{key}": value for part, arrays in parts.items() for key, value in arrays.items()}


def _rebuild(metadata: dict[str, str], arrays: dict) -> LossyModel:
    """The model that metadata describes, with its parameters and tables taken from `arrays`."""
    model = architectures()[metadata["model"]](**json.loads(metadata["widths"]))
    for stream in json.loads(metadata["streams"]):
        kind = MixtureTables if stream == "r" else Tables
        model.tables[stream] = kind.from_arrays(_take(arrays, f"tables.{stream}."))
    for name in json.loads(metadata["networks"]):
        model.networks[name] = FixedPointNetwork.from_arrays(_take(arrays, f"networks.{name}."))
    model.load_state_dict(arrays)
    return model


def _take(arrays: dict, prefix: str) -> dict[str, np.ndarray]:
    """Move what is named `prefix` + something out of `arrays`, as NumPy arrays by something."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name).numpy() for name in names}


def save(model: LossyModel, name: str, path: Path, card: dict) -> None:
    """Freeze a copy of `model` and write weights, tables and card; `path` ends in .safetensors.

    Convolutions are kept in float16, which halves the file, and are rounded to it before all else.
    """
    model = copy.deepcopy(model)
    state = {key: value.detach().float().cpu() for key, value in model.state_dict().items()}
    state = {key: value.half() if value.ndim == 4 else value for key, value in state.items()}
    model.load_state_dict(state)
    model.freeze()
    arrays = {key: value.numpy() for key, value in state.items()} | _integers(model)
    # safetensors writes memory as it lies: a channels-last weight would come back scrambled.
    arrays = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
    metadata = {
        "model": name,
        "widths": json.dumps(
            {letter: getattr(model, letter) for letter in "NMC" if hasattr(model, letter)}
        ),
        "streams": json.dumps(list(model.tables)),
        "networks": json.dumps(list(model.networks)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, path, metadata)
    path.chmod(0o644)  # it is written for its owner only
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({**card, "sha256": digest}, indent=1) + "\n")
