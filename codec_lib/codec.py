"""The whole public workflow: a picture to the bytes of a file, and back.

>>> import codec_lib as cl
>>> data = cl.encode("photo.jpg", quality=4)                         # doctest: +SKIP
>>> picture = cl.decode(data)                                        # doctest: +SKIP
>>> print(cl.inspect(data))                                          # doctest: +SKIP
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from codec_lib import container, picture, weights
from codec_lib.container import Header, Inspection
from codec_lib.errors import BitstreamError
from codec_lib.models.near_lossless import QUALITY, NearLossless
from codec_lib.models.residual_coder import MAX_TAU
from codec_lib.search import largest_within

DEFAULT = "flagship"


def encode(
    image: picture.Picture,
    model: str = DEFAULT,
    quality: float | None = None,
    device: str = "auto",
    tau: int | None = None,
    target_bytes: int | None = None,
) -> bytes:
    """Compress a picture into the bytes of a complete `.clc` file.

    Args:
        image: a path, a PIL image, or a uint8 array (H, W), (H, W, 3) or (H, W, 4); any size from
            1x1 up. Grey comes back grey. Alpha is kept without loss, in a section of its own.
        model: a name that `codec-lib models` lists, or the path of a weights file; the flagship unless
            given. To decode with weights of your own, let the environment variable CODEC_LIB_WEIGHTS
            name their folder.
        quality: of lossy models: 1 (smallest file) to 8 (best picture), any number between, kept to
            1/256; 4 unless given.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
        tau: of near-lossless models: how far any sample may be off, 0 (lossless) to 20; 0 unless given.
        target_bytes: of lossy models, instead of a quality: the file becomes as good as it can be
            without being longer.
    Raises:
        ValueError: an unknown model, quality or tau out of range or not the model's, no picture, a
            target below the smallest file.
    """
    trained = weights.load(model, pick_device(device))
    quality, setting = _settings(trained, quality, tau, target_bytes)
    image = picture.load(image, exact=setting is not None)
    x = picture.to_levels(image).to(pick_device(device))
    alpha = {"alpha": picture.pack_alpha(image)} if image.mode.endswith("A") else {}

    def file(quality: float) -> bytes:
        header = Header(
            trained.name, trained.digest, trained.probabilities, *image.size, image.mode, quality
        )
        streams = trained.model.compress(x, header.quality if setting is None else setting)
        return container.write(header, streams | alpha)

    with _reproducible():
        return file(quality) if target_bytes is None else largest_within(file, target_bytes)


def decode(
    data: bytes, device: str = "auto", max_pixels: int = container.MAX_PIXELS, preview: bool = False
) -> Image.Image:
    """The picture inside the bytes of a `.clc` file, as a PIL image of the original size and mode.

    With `preview`, of a near-lossless file: its lossy layer alone, for which the residual need not be
    there or intact.

    Raises BitstreamError for anything that is not an intact file written with weights at hand, or
    that declares more than `max_pixels` pixels; its message is one line and names the header's field
    or the section. Time and memory are bounded by the declared size. TypeError for no bytes.
    """
    only = [kind for kind in container.KINDS if not (preview and kind == "r")]
    header, sections = container.read(data, max_pixels, only)
    trained = _weights_of(header, pick_device(device))
    if preview and not isinstance(trained.model, NearLossless):
        raise ValueError(f"preview: {header.model} has no lossy layer of its own; decode it")
    expected = set(trained.model.tables) | ({"alpha"} if header.mode.endswith("A") else set())
    if set(sections) != expected & set(only):
        raise BitstreamError(f"sections: {sorted(sections)}; {header.model} has {sorted(expected)}")
    size = header.width, header.height
    alpha = picture.unpack_alpha(sections.pop("alpha"), size) if "alpha" in sections else None
    with _reproducible():
        if preview:
            levels = trained.model.preview(sections, header.height, header.width)
        else:
            levels = trained.model.decompress_levels(sections, header.quality, header.height, header.width)
    return picture.from_levels(levels, header.mode, alpha)


@dataclass(frozen=True)
class Verification:
    """The largest error of any sample of a decoded file, and what the file promises.

    `tau` is None for a file of a lossy model, which promises nothing.
    """

    largest_error: int
    tau: int | None

    @property
    def is_kept(self) -> bool:
        """Whether the file keeps its promise."""
        return self.tau is None or self.largest_error <= self.tau


def verify(original: picture.Picture, data: bytes, device: str = "auto") -> Verification:
    """Decode a file and compare every sample, alpha included, with the original picture.

    Raises BitstreamError as `decode` does, and ValueError for a picture of another size or mode.
    """
    original, decoded = picture.load(original, exact=True), decode(data, device)
    if (original.size, original.mode) != (decoded.size, decoded.mode):
        raise ValueError(
            f"original: {original.mode} {original.size}; the file holds {decoded.mode} {decoded.size}"
        )
    errors = np.abs(np.asarray(original).astype(int) - np.asarray(decoded).astype(int))
    return Verification(int(errors.max()), container.inspect(data).fields.get("tau"))


def inspect(data: bytes) -> Inspection:
    """What a file says about itself and which checks fail, however damaged; loads no network."""
    return container.inspect(data)


def _settings(
    trained: weights.Trained, quality: float | None, tau: int | None, target_bytes: int | None
) -> tuple[float, int | None]:
    """The header's quality, and tau for a near-lossless model, None for a lossy one; or ValueError."""
    if isinstance(trained.model, NearLossless):
        for name, value in (("quality", quality), ("target", target_bytes)):
            if value is not None:
                raise ValueError(f"{name}: {value}; {trained.name} takes tau instead")
        if not (isinstance(tau, int | None) and 0 <= (tau or 0) <= MAX_TAU):
            raise ValueError(f"tau: {tau}; allowed is 0 to {MAX_TAU}")
        return QUALITY, tau or 0
    if tau is not None:
        raise ValueError(f"tau: {tau}; {trained.name} takes quality instead")
    if target_bytes is not None:
        if quality is not None:
            raise ValueError(f"target: {target_bytes} bytes, and quality {quality}; only one can be given")
        if not (isinstance(target_bytes, int | float) and target_bytes > 0):
            raise ValueError(f"target: {target_bytes!r} bytes; allowed is any number above 0")
    quality = 4 if quality is None else quality
    if not (isinstance(quality, int | float) and math.isfinite(quality) and 1 <= quality <= 8):
        raise ValueError(f"quality: {quality}; allowed is 1 to 8")
    return quality, None


def pick_device(device: str) -> str:
    """ "cpu" or "cuda" for "cpu", "cuda" or "auto"; ValueError where there is no such device."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device: {device!r}; allowed are cpu, cuda and auto")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: cuda; PyTorch finds no GPU here")
    return device


def _weights_of(header: Header, device: str) -> weights.Trained:
    if header.model not in weights.available():  # `load` would also take a path
        raise BitstreamError(f"model: {header.model!r}; there are {', '.join(weights.available())}")
    trained = weights.load(header.model, device)
    if trained.digest != header.weights:
        raise BitstreamError(
            f"weights: file needs {header.model} {header.weights}, here is {trained.digest}"
        )
    if trained.probabilities != header.probabilities:
        raise BitstreamError(
            f"probabilities: file needs {header.probabilities}, here are {trained.probabilities}"
        )
    return trained


@contextmanager
def _reproducible() -> Iterator[None]:
    """Full float32 and no autotuning, so that a file decodes to the same picture on every run."""
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = tf32
