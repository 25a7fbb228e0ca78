"""Whether a file gives back what it was made from, and keeps what it promises."""

import hashlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from codec_lib import picture, stages
from codec_lib.decoding import decode
from codec_lib.devices import pick_device
from codec_lib.header import MAX_PIXELS
from codec_lib.torch_settings import reproducible


@dataclass(frozen=True)
class Verification:
    """What a decoded file is against its picture, and what it promises.

    Attributes:
        largest_error: of any sample, in levels.
        promise: the same as the file promises it; None for one that promises nothing: of a lossy model, or
            truncated.
        psnr: in dB, over all samples; inf if none differs.
        squared_error: the sum over all samples, for a peak of 1; those of grey count three times.
        size, mode: of the picture, (width, height).
        pixels: what `pixels` gives for the decoded picture.
    """

    largest_error: int
    promise: int | None
    psnr: float
    squared_error: float
    size: tuple[int, int]
    mode: str
    pixels: str

    @property
    def is_kept(self) -> bool:
        """Whether the file keeps its promise."""
        return self.promise is None or self.largest_error <= self.promise


def verify(
    original: picture.Source, data: bytes, *, device: str = "auto", max_pixels: int = MAX_PIXELS
) -> Verification:
    """Decode a file and compare every sample, alpha included, with the original picture.

    Raises BitstreamError and warns as `decode` does; ValueError for a picture of another size or mode.
    """
    staged = stages.read(data, pick_device(device), max_pixels)
    header, promise = staged.header, staged.promise
    expected = picture.take(original, exact=promise is not None)
    mode = header.mode if promise is not None else header.mode.removesuffix(";16")  # low bytes come last
    if (expected.size, expected.mode) != ((header.width, header.height), mode):
        held = f"{mode} {(header.width, header.height)}"
        raise ValueError(f"original: {expected.mode} {expected.size}; the file holds {held}")
    image = decode(data, device=device, max_pixels=max_pixels).image
    samples = expected.samples()
    errors = np.abs(samples.astype(np.int32) - np.asarray(image))
    peak = np.iinfo(samples.dtype).max
    squares = float(np.sum(np.square(errors, dtype=np.float64))) / peak**2
    colours = squares * (3 if expected.mode.startswith("L") else 1)  # alpha is exact
    psnr = picture.psnr_of(squares / samples.size)
    return Verification(
        int(errors.max()), promise, psnr, colours, expected.size, expected.mode, pixels(image)
    )


def symbols(data: bytes, *, device: str = "auto") -> str | None:
    """SHA-256 of the integers that a lossy file's stages hold, in hexadecimal.

    They are the same on every machine. `pixels` need not be: another processor may round a sample to the
    next level. None for a model that promises its samples, for one that tells no integers, and for a file
    of a standard codec, which libraries show in several ways. Raises BitstreamError as `decode` does.
    """
    device = pick_device(device)
    staged = stages.read(data, device)
    header, model = staged.header, staged.trained.model
    if model.promise(header.value) is not None:
        return None
    names = [name for group in staged.groups for name in group if name not in picture.REFINING]
    sections = staged.take(len(staged.groups))
    if model.standard_file(sections) is not None:
        return None
    with reproducible(device):
        integers = model.read(
            {name: sections[name] for name in names}, header.value, header.height, header.width
        )
    digest = hashlib.sha256()
    for name, values in integers.items():
        digest.update(f"{name} {tuple(values.shape)}".encode())
        digest.update(values.cpu().numpy().astype("<i4").tobytes())
    return digest.hexdigest() if integers else None


def pixels(image: Image.Image | np.ndarray) -> str:
    """SHA-256 of a decoded picture's samples and their shape, in hexadecimal digits."""
    samples = np.ascontiguousarray(image)
    little = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(f"{samples.dtype.name} {samples.shape}".encode() + little.tobytes()).hexdigest()
