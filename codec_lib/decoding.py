"""From the bytes of a `.clc` file to its picture, and to what is beside the picture."""

import warnings
from dataclasses import dataclass
from operator import index

import numpy as np
from PIL import Image

from codec_lib import decoders, picture
from codec_lib import stages as stages_of
from codec_lib.devices import pick_device
from codec_lib.errors import BitstreamError, PictureWarning, shown
from codec_lib.header import MAX_PIXELS, Header
from codec_lib.torch_settings import reproducible


@dataclass(frozen=True)
class Decoded:
    """What a file holds.

    `image` is a PIL image, or uint16 (H, W, C) where Pillow has no mode. `info` is what is beside the
    samples, under Pillow's names: "icc_profile", "exif", "xmp". A PIL image has it, too. `promise` is the
    largest error of any sample, None where nothing is promised of what was decoded.
    """

    image: Image.Image | np.ndarray
    info: dict[str, bytes]
    promise: int | None


def decode(
    data: bytes,
    *,
    stages: int | None = None,
    window: tuple[int, int, int, int] | None = None,
    decoder: str | None = None,
    device: str = "auto",
    max_pixels: int = MAX_PIXELS,
) -> Decoded:
    """What `codec_lib.decode` does, which says what the arguments are, and what is raised."""
    device = pick_device(device)
    staged = stages_of.read(data, device, max_pixels)
    file, header = staged.file, staged.header
    if stages is None and file.surplus:
        raise BitstreamError(f"file: {file.surplus} bytes after the last section; none allowed")
    if stages is None and len(staged.groups) < staged.whole:
        note = f"stages: the file has {len(staged.groups)} of {staged.whole}; it was truncated"
        warnings.warn(note, PictureWarning, stacklevel=3)
    count = staged.check(stages)
    sections = staged.take(count)
    codeless = (*picture.BESIDE, *picture.REFINING)
    other = {name: sections.pop(name) for name in list(sections) if name in codeless}
    model = staged.trained.model if decoder is None else decoders.load(decoder, staged.trained)
    if decoder:
        for name in model.optional:  # which refine what the model's own decoder shows
            sections.pop(name, None)
        if note := decoders.complaint(decoder, header.value):
            warnings.warn(note, PictureWarning, stacklevel=3)
    size, rows, columns = (header.height, header.width), slice(None), slice(None)
    if window is not None:
        rows, columns = _spans(window, header)
    is_part = window is not None and not set(picture.required_sections(header.mode)) & set(other)
    info = picture.info_of(header.mode, other)  # refused before pixels are made, if it is damaged
    with reproducible(device):
        if is_part:
            levels = model.decompress_part(sections, header.value, *size, rows, columns)
        else:
            levels = model.decompress(sections, header.value, *size)
    image = picture.restore(levels.cpu(), header.mode, other)
    if window is not None and not is_part:
        image = image.crop(window) if isinstance(image, Image.Image) else image[rows, columns]
    is_whole = count == len(staged.groups) and decoder is None
    return Decoded(image, info, staged.promise if is_whole else None)


def _spans(window: tuple[int, int, int, int], header: Header) -> tuple[slice, slice]:
    """Rows and columns of a window; ValueError for one that is not within the picture."""
    try:
        left, top, right, bottom = map(index, window)
    except (TypeError, ValueError):
        raise ValueError(f"window: {shown(window)}; expected left, top, right, bottom") from None
    if not (0 <= left < right <= header.width and 0 <= top < bottom <= header.height):
        raise ValueError(
            f"window: {shown(window)}; allowed is what lies within (0, 0, {header.width}, {header.height})"
        )
    return slice(top, bottom), slice(left, right)
