"""Weights on disk: safetensors with the coding integers inside, and a model card beside them.

    NAME.safetensors   parameters, convolutions in float16; `frozen.*`, the integers that choose
                       probabilities; in its metadata the architecture, its widths, the kinds of frozen
                       parts
    NAME.json          the model card: data, steps, hardware, commit, results, SHA-256 of the file

The name of the weights is that of the file. Architecture and widths are other things: two files of one
architecture live side by side, and a file of pictures names the weights that wrote it.

Nothing is unpickled. Weights are looked for in the folder that the environment variable CODEC_LIB_WEIGHTS
names, then among those that come with the library. A file of pictures also has the SHA-256 of its weights,
so a decoder with others refuses instead of guessing; one that has them under another name takes them. That
is how files stay readable when weights are replaced: keep the old ones in a folder of your own. Small ones
that were replaced still come with the library, in a subfolder, and are looked for by their digest only.
"""

import copy
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from codec_lib import files
from codec_lib.errors import BitstreamError, shown
from codec_lib.exact.frozen import KINDS
from codec_lib.models import MODELS
from codec_lib.models import architecture as class_of
from codec_lib.models.base import Model
from codec_lib.torch_settings import reproducible

SHIPPED = Path(__file__).parent / "trained"
EARLIER = "earlier"  # subfolder of weights that were replaced
FROZEN = "frozen."  # what the names of frozen arrays start with, in a file of weights


@dataclass(frozen=True)
class Trained:
    """A frozen model in eval mode, the name of its weights, and that of its architecture.

    `digest` and `probabilities` are the first 16 hex digits of two SHA-256: of the weights file, and of all
    that is frozen in it, the integer tables and networks that choose probabilities. Those of `fitted` also
    depend on a parameter, where its fits start: of that only `digest` tells.
    """

    name: str
    architecture: str
    digest: str
    probabilities: str
    model: Model


def folders() -> list[Path]:
    """Where weights are looked for, first match first."""
    own = os.environ.get("CODEC_LIB_WEIGHTS")
    return [Path(own), SHIPPED] if own else [SHIPPED]


def paths(subfolder: str = "") -> dict[str, Path]:
    """Name -> file of all weights that can be loaded, or of those in a subfolder, sorted by name."""
    found = {}
    for folder in reversed(folders()):  # so that of one name the first match stays
        for path in (folder / subfolder).glob("*.safetensors"):
            with suppress(PermissionError):
                if path.is_file():
                    found[path.stem] = path
    return dict(sorted(found.items()))


def available(subfolder: str = "") -> dict[str, dict]:
    """Name -> card of all weights that can be loaded, as `paths` has them; empty where there is none."""
    cards = {}
    for name, path in paths(subfolder).items():
        try:
            cards[name] = card_of(path)
        except BitstreamError as error:
            cards[name] = {"problem": str(error)}
    return cards


def card_of(path: Path) -> dict[str, Any]:
    """The card beside a file of weights, empty where there is none; BitstreamError for what is no card."""
    path = path.with_suffix(".json")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BitstreamError(f"weights: {path.name} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        card = None
    if not isinstance(card, dict):
        raise BitstreamError(f"weights: {path.name} is no model card")
    return card


def minutes_of_training(card: dict[str, Any]) -> dict[str, float]:
    """Minutes on each kind of device, "cpu" or "cuda", of all runs that led to some weights.

    A run whose card has no "before" may count what led to it as "minutes_before", on its own device.

    >>> minutes_of_training({"training": {"minutes": 7.5, "device": "cuda:0"}})
    {'cuda': 7.5}
    >>> minutes_of_training({"training": {"minutes": 75, "minutes_before": 82.5}})
    {'cpu': 157.5}
    """
    spent: dict[str, float] = {}
    for run in (*card.get("before", []), card):
        training = run["training"]
        device = training.get("device", "cpu").partition(":")[0]
        minutes = training["minutes"] + training.get("minutes_before", 0.0)
        spent[device] = spent.get(device, 0.0) + minutes
    return spent


def find(name: str | os.PathLike) -> Path:
    """The file of some weights, by their name or by its path; ValueError names what there is."""
    if not isinstance(name, str | os.PathLike):
        raise ValueError(f"model: {shown(name)}; allowed is a name or a path")
    name = os.fspath(name)
    if name.endswith(".safetensors") and Path(name).is_file():
        return Path(name)
    known = paths()
    if name not in known:
        raise ValueError(f"model: {name!r}; there are {', '.join(known) or 'none'}")
    return known[name]


def check_readable(name: str | os.PathLike) -> None:
    """Raise ValueError unless a decoder would find these weights by name.

    Weights outside of `folders()` can encode, but nobody could decode.
    """
    path = find(name)
    known = paths().get(path.stem)
    if known is None or not known.samefile(path):
        raise ValueError(
            f"model: {path.name} would not be found to decode; let CODEC_LIB_WEIGHTS name its folder"
        )


def load(name: str | os.PathLike, device: str = "cpu") -> Trained:
    """A trained model by the name of its weights, or by the path of a .safetensors file.

    Raises ValueError for a name nobody knows, BitstreamError for a file that is no such model.
    """
    path = find(name)
    return _load(path, path.stat().st_mtime_ns, device)


def of_file(name: str, digest: str, device: str = "cpu") -> Trained:
    """The weights that a file of pictures names: those of this name, or any others, by their digest.

    Where nobody has the name, the shipped ones are not looked at: they keep theirs.

    Raises BitstreamError where no weights have the digest; it says what is wrong with those of the name.
    """
    searched = folders()
    reason = f"model: {name!r}; there are {', '.join(paths())}"
    if name in paths():  # `load` would also take a path
        try:
            here = load(name, device)
        except BitstreamError as error:
            reason = str(error)
        else:
            if here.digest == digest:
                return here
            reason = f"weights: file needs {name} {digest}, here is {here.digest}"
    else:
        searched.remove(SHIPPED)
    for folder in searched:
        for path in (
            *sorted(folder.glob("*.safetensors")),
            *sorted(folder.glob(f"{EARLIER}/*.safetensors")),
        ):
            if _stated_digest(path) == digest:
                with suppress(BitstreamError):  # a card says what its file should be
                    return load(path, device)
    raise BitstreamError(reason)


@lru_cache(maxsize=8)
def _load(path: Path, changed: int, device: str) -> Trained:
    digest, metadata, arrays = read_tensors(path, "weights")
    try:
        # Whatever an application has made the default:
        with reproducible("cpu"), torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            model = _rebuild(metadata, arrays)
    except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BitstreamError(f"weights: {path.name} holds no model of this library ({reason})") from None
    with torch.inference_mode(False):
        model = model.to(torch.float32).to(device).channels_last()
        model = model.eval().requires_grad_(False)
    probabilities = _digest(model.frozen.to_arrays())
    return Trained(path.stem, metadata["architecture"], digest[:16], probabilities[:16], model)


def read_tensors(path: Path, kind: str) -> tuple[str, dict[str, str], dict[str, torch.Tensor]]:
    """SHA-256, metadata and tensors of a file, which is called `kind` where something is wrong with it.

    Raises BitstreamError for what is no safetensors file, or not the one of its card.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stated = card_of(path).get("sha256", digest)
    if stated != digest:
        raise BitstreamError(
            f"{kind}: {path.name} has SHA-256 {digest[:16]}..., its card {str(stated)[:16]}..."
        )
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            return digest, file.metadata() or {}, tensors
    except SafetensorError as error:
        raise BitstreamError(f"{kind}: {path.name} is no safetensors file ({error})") from None


def _stated_digest(path: Path) -> str:
    """The first 16 hex digits of a file's SHA-256, as its card states it, if there is one."""
    try:
        stated = card_of(path).get("sha256") or hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, BitstreamError):
        return ""
    return str(stated)[:16]


def _digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of integers: names, shapes and little-endian values."""
    state = hashlib.sha256()
    for key, value in sorted(arrays.items()):
        state.update(f"{key} {value.dtype.str} {value.shape}\n".encode())
        state.update(np.ascontiguousarray(value).tobytes())
    return state.hexdigest()


def _rebuild(metadata: dict[str, str], arrays: dict[str, Any]) -> Model:
    """The model that metadata describes, with its parameters and frozen parts taken from `arrays`."""
    model = class_of(metadata["architecture"])(**json.loads(metadata["widths"]))
    for name, kind in json.loads(metadata["frozen"]).items():
        model.frozen[name] = KINDS[kind].from_arrays(_take(arrays, f"{FROZEN}{name}."))
    model.load_state_dict(arrays)
    return model


def _take(arrays: dict[str, Any], prefix: str) -> dict[str, np.ndarray]:
    """Move what is named `prefix` + something out of `arrays`, as NumPy arrays by something."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays.pop(name).numpy() for name in names}


def save(model: Model, architecture: str, path: Path, card: dict) -> None:
    """Freeze a copy of `model` and write weights, frozen parts and card; `path` ends in .safetensors.

    Convolutions are kept in float16, which halves the file, and are rounded to it before all else.
    Raises ValueError for an architecture that is not in `MODELS`.
    """
    if architecture not in MODELS:
        raise ValueError(f"model: {architecture!r}; there are {', '.join(MODELS)}")
    model = copy.deepcopy(model)
    state = state_of(model)
    model.load_state_dict(state)
    model.freeze()
    arrays = {key: value.numpy() for key, value in state.items()}
    arrays |= {FROZEN + key: value for key, value in model.frozen.to_arrays().items()}
    write(model, architecture, path, arrays, card)


def write(model: Model, architecture: str, path: Path, arrays: dict[str, np.ndarray], card: dict) -> None:
    """Write parameters and frozen parts of a frozen model, as they are, and its card."""
    metadata = {
        "architecture": architecture,
        "widths": json.dumps(model.widths),
        "frozen": json.dumps({name: type(part).__name__ for name, part in model.frozen.items()}),
    }
    setting = model.setting
    described = {"setting": setting.name, "promises": model.promise(setting.finest) is not None}
    write_tensors(path, arrays, metadata, card | described)


def state_of(model: Model) -> dict[str, torch.Tensor]:
    """The parameters as they are kept: convolutions in float16, all others in float32."""
    state = {key: value.detach().float().cpu() for key, value in model.state_dict().items()}
    return {key: value.half() if value.ndim >= 4 else value for key, value in state.items()}


def write_tensors(
    path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str], card: dict[str, Any]
) -> None:
    """Write tensors, each file whole or not at all, and the card with their SHA-256 beside them."""
    # safetensors writes memory as it lies: a channels-last weight would come back scrambled.
    content = save_tensors({key: np.ascontiguousarray(value) for key, value in arrays.items()}, metadata)
    card = {**card, "sha256": hashlib.sha256(content).hexdigest()}
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content)
    files.write(path.with_suffix(".json"), (json.dumps(card, indent=1) + "\n").encode())
