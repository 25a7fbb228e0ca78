"""A folder of compressed pictures to train on: each is decoded when it is asked for.

    pictures = Compressed("photos", crop=256)
    for x in DataLoader(pictures, batch_size=16, shuffle=True, num_workers=8):    # uint8 (16, 3, 256, 256)
        ...

Of a crop, codecs with two transforms apply the second one to the crop and its surroundings only.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from codec_lib import files
from codec_lib.decoding import decode
from codec_lib.errors import PictureWarning, is_number, shown
from codec_lib.header import parse
from codec_lib.picture.arrays import to_eight_bits

HEAD = 1 << 17  # bytes: more than the longest header


class Compressed(Dataset):
    """All .clc files below a folder, in the order of their names.

    Item k is the k-th picture, uint8 (3, H, W), grey repeated three times and without alpha; with `crop`, a
    random square of it with so many pixels a side, drawn from PyTorch's generator, which a DataLoader seeds
    differently in each worker. Pictures that are too small for the crop are left out, and so are files that
    are damaged, none of ours or not to be read, of which a PictureWarning tells. `transform` is applied to
    every item, `device` is where pictures are decoded: a GPU only without workers.

    Raises ValueError where nothing is left; an item raises what `codec_lib.decode` does.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        crop: int | None = None,
        transform: Callable[[Tensor], Any] | None = None,
        device: str = "cpu",
    ):
        if crop is not None and not (is_number(crop) and crop == crop // 1 >= 1):
            raise ValueError(f"crop: {shown(crop)}; allowed is any whole side from 1 pixel up")
        self.crop = None if crop is None else int(crop)
        self.transform, self.device = transform, device
        paths = [path for path in sorted(Path(folder).rglob("*.clc")) if _is_file(path)]
        sizes = {path: size_of(path) for path in paths}
        self.sizes = {path: size for path, size in sizes.items() if min(size) >= (crop or 1)}
        self.paths = list(self.sizes)
        if unread := [path for path, size in sizes.items() if size == (0, 0)]:
            note = f"data: {len(unread)} files cannot be read and are left out, the first is {unread[0]}"
            warnings.warn(note, PictureWarning, stacklevel=2)
        if not self.paths:
            wanted = "" if crop is None or not paths else f" with sides of {crop} pixels"
            raise ValueError(f"data: no .clc files{wanted} in {folder}")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, k: int) -> Any:
        path = self.paths[k]
        image = decode(files.read(path), window=self._window(path), device=self.device).image
        x = colour(np.asarray(image))
        return x if self.transform is None else self.transform(x)

    def _window(self, path: Path) -> tuple[int, int, int, int] | None:
        if self.crop is None:
            return None
        left, top = (int(torch.randint(side - self.crop + 1, ())) for side in self.sizes[path])
        return left, top, left + self.crop, top + self.crop


def size_of(path: Path) -> tuple[int, int]:
    """Width and height, from the first bytes of a file; (0, 0) for one that cannot be read."""
    try:
        with open(path, "rb") as file:
            header = parse(file.read(HEAD)).header
    except OSError:
        return 0, 0
    return (header.width, header.height) if header else (0, 0)


def _is_file(path: Path) -> bool:
    """Whether it is one; also where nobody may look, so that it is told of."""
    try:
        return path.is_file()
    except OSError:
        return True


def colour(samples: np.ndarray) -> Tensor:
    """Decoded samples, (H, W) or (H, W, C) of 8 or 16 bits, as uint8 (3, H, W)."""
    samples = to_eight_bits(samples)
    planes = samples.reshape(*samples.shape[:2], -1)
    planes = planes[..., :3] if planes.shape[2] > 2 else np.repeat(planes[..., :1], 3, axis=2)
    return torch.from_numpy(np.array(planes.transpose(2, 0, 1), order="C"))  # ours, to write on
