"""Random training crops of a folder's pictures."""

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from codec_lib.data import pictures_in
from codec_lib.picture import load

AHEAD = 4  # batches


class Crops:
    """An endless stream of random crops of a folder's pictures, all held in memory as uint8.

    Each crop comes from a picture chosen in proportion to its area, mirrored half of the time; half of the
    crops are scaled, by a random factor from 1/2 to `enlarge`. A share `soft` of them gets colours of half
    the resolution, as in pictures that have been a JPEG file or a Photo CD once. `seed` fixes the whole
    sequence.
    """

    def __init__(
        self,
        folders: Sequence[str | Path],
        size: int,
        batch: int,
        seed: int = 0,
        enlarge: float = 1.0,
        soft: float = 0.0,
    ):
        paths = [path for folder in folders for path in pictures_in(folder)]
        with ThreadPoolExecutor() as pool:
            loaded = tqdm(
                pool.map(_load, paths), total=len(paths), desc="reading", leave=False, disable=None
            )
            self.pictures = [p for p in loaded if min(p.shape[:2]) >= size]
        if not self.pictures:
            raise ValueError(f"data: no picture has both sides of {size} pixels or more")
        self.areas = [p.shape[0] * p.shape[1] for p in self.pictures]
        self.size, self.batch, self.seed = size, batch, seed
        self.enlarge, self.soft = enlarge, soft

    def __iter__(self) -> Iterator[Tensor]:
        """Batches (batch, 3, size, size), float32 in [0, 1]; threads make some of them ahead."""
        generator = random.Random(self.seed)
        with ThreadPoolExecutor() as pool:
            coming = deque(self._begin(pool, generator) for _ in range(AHEAD))
            while True:
                crops = np.stack([crop.result() for crop in coming.popleft()])
                coming.append(self._begin(pool, generator))
                yield torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255

    def _begin(self, pool: Executor, generator: random.Random) -> list[Future[np.ndarray]]:
        """The crops of the next batch, which threads of a pool will make."""
        chosen = generator.choices(self.pictures, self.areas, k=self.batch)
        return [pool.submit(self._crop(picture, generator)) for picture in chosen]

    def _crop(self, picture: np.ndarray, generator: random.Random) -> Callable[[], np.ndarray]:
        """How to make a crop: what is random about it is drawn at once."""
        height, width = picture.shape[:2]
        side = self.size
        if generator.random() < 0.5:
            largest = min(2.0, height / self.size, width / self.size)
            smallest = min(1 / self.enlarge, largest)
            side = max(1, int(self.size * generator.uniform(smallest, largest)))
        top = generator.randint(0, height - side)
        left = generator.randint(0, width - side)
        part = picture[top : top + side, left : left + side]
        is_soft, is_mirrored = generator.random() < self.soft, generator.random() < 0.5
        return partial(_make, part, self.size, is_soft, is_mirrored)


def _make(part: np.ndarray, size: int, is_soft: bool, is_mirrored: bool) -> np.ndarray:
    crop = part
    if len(part) != size:
        crop = np.asarray(Image.fromarray(part).resize((size, size), Image.Resampling.BICUBIC))
    if is_soft:
        crop = soften_colours(crop)
    return crop[:, ::-1] if is_mirrored else crop


def soften_colours(picture: np.ndarray) -> np.ndarray:
    """The picture, uint8 (H, W, 3), with the colours of YCbCr at half the resolution both ways (4:2:0)."""
    height, width = picture.shape[:2]
    luma, *colours = Image.fromarray(picture).convert("YCbCr").split()
    half = [c.resize(((width + 1) // 2, (height + 1) // 2), Image.Resampling.BOX) for c in colours]
    full = [c.resize((width, height), Image.Resampling.BICUBIC) for c in half]
    return np.asarray(Image.merge("YCbCr", [luma, *full]).convert("RGB"))


def _load(path: Path) -> np.ndarray:
    return np.asarray(load(path).convert("RGB"))
