"""The whole public workflow: a picture to the bytes of a file, and back.

>>> import codec_lib as cl
>>> data = cl.encode("photo.jpg", quality=4)                         # doctest: +SKIP
>>> picture = cl.decode(data)                                        # doctest: +SKIP
>>> print(cl.inspect(data))                                          # doctest: +SKIP

A model is known here by the protocol of `codec_lib.models.base.Model` and by nothing else. Its sections
come in stages: the first ones give a picture already. Beside them a file may hold what the model knows
nothing of: alpha, a colour profile, the low bytes of 16-bit samples. The latter are one more stage, the
last.
"""

import os
import warnings
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from PIL import Image

from codec_lib import container, decoding, guard, picture, standard, weights
from codec_lib import stages as stages_of
from codec_lib.container import Inspection
from codec_lib.devices import pick_device
from codec_lib.errors import PictureWarning, is_number, shown
from codec_lib.header import MAX_PIXELS, Header
from codec_lib.models import DEFAULT
from codec_lib.picture import metadata
from codec_lib.progress import stoppable
from codec_lib.search import largest_within
from codec_lib.torch_settings import reproducible


def encode(
    image: picture.Source,
    model: str | os.PathLike = DEFAULT,
    *,
    target_bytes: float | None = None,
    effort: int | None = None,
    keep: Collection[str] = ("icc",),
    device: str = "auto",
    **setting: float,
) -> bytes:
    """Compress a picture into the bytes of a complete `.clc` file.

    What it wrote is read back before it returns.

    Args:
        image: a path, an open file or its bytes, a PIL image, a NumPy array, a PyTorch tensor; any size
            from 1x1 up. `codec_lib.picture` has the table of what is kept, converted and refused. Grey
            comes back grey. Alpha is kept without loss, in a section of its own.
        model: a name that `codec-lib models` lists, or the path of a weights file; the flagship unless
            given. To decode with weights of your own, let the environment variable CODEC_LIB_WEIGHTS
            name their folder.
        target_bytes: instead of a setting: the file becomes as good as it can be without being longer.
        effort: how hard the encoder tries, 0 to the model's best; what the model takes for enough unless
            given.
        keep: which of "icc" (colour profile), "exif" and "xmp" go into the file.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
        setting: the model's own, by its name. Lossy models take quality: 1 (smallest file) to 8 (best
            picture), any number between, kept to 1/256; 4 unless given. Near-lossless ones take tau: how
            far any sample may be off, 20 to 0 (lossless, unless given).
    Raises:
        ValueError: an unknown model, a setting out of range or not the model's, no picture, a target
            below the smallest file.
    Warns:
        PictureWarning: something of the picture was converted or left out, or its own codec does badly.
    """
    device = pick_device(device)
    trained, effort, value = checked(
        model, target_bytes=target_bytes, effort=effort, keep=keep, device=device, **setting
    )
    codec = trained.model
    taken = picture.take(image, exact=codec.promise(value) is not None, keep=keep)
    is_deep = taken.mode.endswith(";16")
    if is_deep and (codec.promise(value) or target_bytes is not None):
        raise ValueError(
            f"image: mode {taken.mode}; 16 bits a sample are coded with {codec.setting.name} = 0 only"
        )
    for note in taken.notes:
        warnings.warn(note, PictureWarning, stacklevel=2)
    levels = taken.levels.to(device)
    last = {name: taken.sections[name] for name in picture.REFINING if name in taken.sections}
    first = {name: payload for name, payload in taken.sections.items() if name not in last}

    def write(value: float) -> bytes:
        header = Header(
            trained.name, trained.digest, trained.probabilities, *taken.size, taken.mode,
            codec.setting.name, value,
        )  # fmt: skip
        sections = first | codec.compress(levels, value, effort) | last
        data = container.write(header, sections)
        if container.read(data).take() != sections:
            raise RuntimeError("encode: the file does not hold what was written")
        return data

    with reproducible(device):
        if target_bytes is None:
            data = write(value)
        else:
            with stoppable() as stop:
                data = largest_within(write, float(target_bytes), codec.setting, stop)
        if codec.promise(value) is None and guard.is_suspicious(levels):
            file = container.read(data)
            coded = {name: part for name, part in file.take().items() if name not in taken.sections}
            psnr = guard.psnr(levels, codec.decompress(coded, file.header.value, *levels.shape[-2:]))
            if psnr < guard.POOR:
                warnings.warn(guard.complaint(trained.name, psnr), PictureWarning, stacklevel=2)
    return data


def checked(
    model: str | os.PathLike = DEFAULT,
    *,
    target_bytes: float | None = None,
    effort: int | None = None,
    keep: Collection[str] = ("icc",),
    device: str = "auto",
    **setting: float,
) -> tuple[weights.Trained, int, float]:
    """Weights, effort and value of the setting that arguments of `encode` ask for, whatever the picture.

    Raises ValueError, as `encode` does, for arguments that ask for nothing.
    """
    trained = weights.load(model, pick_device(device))
    metadata.check_names(keep)
    return trained, _effort(trained, effort), _value(trained, setting, target_bytes)


def decode(
    data: bytes,
    *,
    stages: int | None = None,
    window: tuple[int, int, int, int] | None = None,
    decoder: str | None = None,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
) -> Image.Image | np.ndarray:
    """The picture inside the bytes of a `.clc` file, of the original size and mode.

    Args:
        data: the bytes.
        stages: how many of the file's stages to decode; all unless given. One is a preview. Of the others
            the bytes need not be there or intact.
        window: only a part of the picture: left, top, right, bottom, as Pillow's `crop` takes them, within
            the picture. The samples are those of the whole, but for one level where a transform in
            floating point rounds.
        decoder: another one of those that read files of the model, by its name (`codec_lib.decoders`). It
            warns where the file's setting is not among those that it was trained for.
        device: "cpu", "cuda", or "auto" for a GPU where there is one.
        max_pixels: what declares more is refused.
    Returns:
        A PIL image, with what the file has of colour profile, EXIF and XMP in its `info`; for colours or
            alpha of 16 bits, for which Pillow has no mode, a uint16 array (H, W, C) without them:
            `codec_lib.decoding.decode` gives both.
    Raises:
        BitstreamError: anything that is not an intact file written with weights at hand; the message is
            one line and names the header's field or the section. Time and memory are bounded by the
            declared size.
        ValueError: a number of stages that the file does not have, a window that is not within the
            picture, or a decoder for another model.
        TypeError: no bytes.
    Warns:
        PictureWarning: a truncated file, a setting that a decoder does not know, or metadata that an array
            has no place for.
    """
    decoded = decoding.decode(
        data, stages=stages, window=window, decoder=decoder, device=device, max_pixels=max_pixels
    )
    if isinstance(decoded.image, np.ndarray):
        for name in decoded.info:
            note = f"{name}: an array has no place for it; left out"
            warnings.warn(note, PictureWarning, stacklevel=2)
    return decoded.image


def truncate(data: bytes, *, stages: int | None = None, target_bytes: float | None = None) -> bytes:
    """A shorter file: the last stages dropped, nothing encoded again.

    Args:
        data: a file, of which the stages that are kept must be intact.
        stages: how many to keep, or
        target_bytes: as many as fit into so many bytes.
    Raises:
        ValueError: not exactly one of both, a number of stages that the file does not have, or so few bytes
            that the first stage alone has more.
        BitstreamError: as `decode` does.
    """
    if (stages is None) == (target_bytes is None):
        raise ValueError("truncate: stages or target_bytes; exactly one has to be given")
    staged = stages_of.read(data)
    if target_bytes is None:
        count = staged.check(stages)
    else:
        sizes = [staged.size(k) for k in range(1, len(staged.groups) + 1)]
        count = sum(size <= _checked_target(target_bytes) for size in sizes)
        if count == 0:
            raise ValueError(f"target: {target_bytes} bytes; the first stage alone makes {sizes[0]}")
    return container.write(staged.header, staged.take(count))


@dataclass(frozen=True)
class Extracted:
    """A file of a standard codec: its ending, such as ".jpg", and its bytes."""

    ending: str
    data: bytes


def extract(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Extracted:
    """The file of a standard codec that is inside a file of ours: any program opens it.

    It shows what that codec knows of the picture, without the network behind it. The colour profile goes
    along into a JPEG. What declares more than `max_pixels` is refused.

    Raises:
        ValueError: the file's model writes no such file. BitstreamError: as `decode` does.
    Warns:
        PictureWarning: something that is beside the picture has no place in it.
    """
    staged = stages_of.read(data, max_pixels=max_pixels)
    sections = staged.take(staged.check(None))
    found = staged.trained.model.standard_file(sections)
    if found is None:
        raise ValueError(f"extract: {staged.header.model} writes no file of another format")
    codec, content = found
    header, beside = staged.header, set(staged.beside)
    coded = {name: data for name, data in sections.items() if name not in beside}
    staged.trained.model.read(coded, header.value, header.height, header.width)  # refuses another kind
    if "icc" in beside and codec == "jpeg":
        beside.remove("icc")
        profile = metadata.unpack("icc", sections["icc"], staged.header.mode)
        content = standard.with_profile(content, profile)
    for name in sorted(beside):
        warnings.warn(f"{name}: left out", PictureWarning, stacklevel=2)
    return Extracted(standard.STANDARD[codec].ending, content)


def inspect(data: bytes) -> Inspection:
    """What a file says about itself and which checks fail, however damaged; loads no network."""
    return container.inspect(data)


def _effort(trained: weights.Trained, given: int | None) -> int:
    """How hard the model's encoder tries; ValueError for what is not the model's."""
    model = trained.model
    if given is None:
        return model.default_effort
    if not (is_number(given) and given in range(model.best_effort + 1)):
        raise ValueError(f"effort: {shown(given)}; {trained.name} takes 0 to {model.best_effort}")
    return int(given)


def _value(trained: weights.Trained, given: dict[str, float], target_bytes: float | None) -> float:
    """What the model's encoder is asked for; ValueError for what is not the model's."""
    setting = trained.model.setting
    for name, value in given.items():
        if name != setting.name:
            raise ValueError(f"{name}: {shown(value)}; {trained.name} takes {setting.name} instead")
    if target_bytes is not None:
        if given:
            name, value = next(iter(given.items()))
            raise ValueError(
                f"target: {shown(target_bytes)} bytes, and {name} {shown(value)}; only one can be given"
            )
        _checked_target(target_bytes)
    return setting.check(given.get(setting.name))


def _checked_target(target: float) -> float:
    if not (is_number(target) and 0 < target < float("inf")):
        raise ValueError(f"target: {shown(target)} bytes; allowed is any number above 0")
    return float(target)
