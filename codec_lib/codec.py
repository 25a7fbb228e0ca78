"""The whole public workflow: a picture to the bytes of a file, and back.

>>> import codec_lib as cl
>>> data = cl.encode("photo.jpg", model="hyperprior", quality=4)     # doctest: +SKIP
>>> picture = cl.decode(data)                                        # doctest: +SKIP
>>> print(cl.inspect(data))                                          # doctest: +SKIP
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from PIL import Image

from codec_lib import container, picture, weights
from codec_lib.container import Header, Inspection
from codec_lib.errors import BitstreamError


def encode(
    image: picture.Picture, model: str = "hyperprior", quality: float = 4, device: str = "auto"
) -> bytes:
    """Compress a picture into the bytes of a complete `.clc` file.

    Args:
        image: a path, a PIL image, or a uint8 array (H, W), (H, W, 3) or (H, W, 4); any size from
            1x1 up. Grey comes back grey. Alpha is kept without loss, in a section of its own.
        model: a name that `codec-lib models` lists, or the path of a weights file. To decode with
            weights of your own, let the environment variable CODEC_LIB_WEIGHTS name their folder.
        quality: 1 (smallest file) to 8 (best picture), any number between; kept to 1/256.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
    Raises:
        ValueError: an unknown model, a quality out of range, something that is no picture.
    """
    if not (isinstance(quality, int | float) and math.isfinite(quality) and 1 <= quality <= 8):
        raise ValueError(f"quality: {quality}; allowed is 1 to 8")
    image = picture.load(image)
    trained = weights.load(model, pick_device(device))
    header = Header(trained.name, trained.digest, trained.probabilities, *image.size, image.mode, quality)
    x = picture.to_tensor(image).to(pick_device(device))
    with _reproducible():
        sections = trained.model.compress(x, header.quality)
    if image.mode.endswith("A"):
        sections["alpha"] = picture.pack_alpha(image)
    return container.write(header, sections)


def decode(data: bytes, device: str = "auto", max_pixels: int = container.MAX_PIXELS) -> Image.Image:
    """The picture inside the bytes of a `.clc` file, as a PIL image of the original size and mode.

    Raises BitstreamError for anything that is not an intact file written with weights at hand, or
    that declares more than `max_pixels` pixels; its message is one line and names the header's field
    or the section. Time and memory are bounded by the declared size. TypeError for no bytes.
    """
    header, sections = container.read(data, max_pixels)
    trained = _weights_of(header, pick_device(device))
    expected = set(trained.model.tables) | ({"alpha"} if header.mode.endswith("A") else set())
    if set(sections) != expected:
        raise BitstreamError(f"sections: {sorted(sections)}; {header.model} has {sorted(expected)}")
    size = header.width, header.height
    alpha = picture.unpack_alpha(sections.pop("alpha"), size) if "alpha" in sections else None
    with _reproducible():
        x = trained.model.decompress(sections, header.quality, header.height, header.width)
    return picture.from_tensor(x, header.mode, alpha)


def inspect(data: bytes) -> Inspection:
    """What a file says about itself and which checks fail, however damaged; loads no network."""
    return container.inspect(data)


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
