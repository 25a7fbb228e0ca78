"""A picture in the making: integers at the places that are decoded so far, zeros everywhere else.

Decoders that go step by step, over latents, pixels, bits or volumes, all do the same: look up what lies
around some places, decide what these are, and enter it. A margin of zeros saves asking where the picture
ends.

>>> canvas = Canvas(1, (2, 3), margin=1)
>>> canvas.put(torch.tensor([0, 1]), torch.tensor([[5, 7]]))
>>> left = canvas.distances(torch.tensor([[0, -1]]))
>>> canvas.planes[:, canvas.bases(torch.tensor([0, 1, 2])) + left]
tensor([[0, 5, 7]], dtype=torch.int32)
>>> canvas.whole()
tensor([[[5, 7, 0],
         [0, 0, 0]]], dtype=torch.int32)
"""

import math

import torch
from torch import Tensor


class Canvas:
    """Planes of integers (C, ...size), laid out row by row with a margin: `planes` is (C, positions).

    `rows` is the same turned round, (positions, C). With channels_last, the channels of a place lie side by
    side in memory.

    Places are positions in the raster of size, which is (H, W) or, of a volume, (D, H, W); `bases` are the
    same places in a plane with its margin.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, ...],
        margin: int,
        dtype: torch.dtype = torch.int32,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
    ):
        self.size, self.margin = size, margin
        self.padded = tuple(side + 2 * margin for side in size)
        self.strides = tuple(math.prod(self.padded[n + 1 :]) for n in range(len(size)))
        positions = math.prod(self.padded)
        if channels_last:
            self.rows = torch.zeros((positions, channels), dtype=dtype, device=device)
            self.planes = self.rows.T
        else:
            self.planes = torch.zeros((channels, positions), dtype=dtype, device=device)
            self.rows = self.planes.T

    def bases(self, places: Tensor) -> Tensor:
        """Where in a plane some places of the picture are, like `places`."""
        bases = torch.full_like(places, sum(self.margin * stride for stride in self.strides))
        for side, stride in zip(self.size[:0:-1], self.strides[:0:-1], strict=True):
            bases += places % side * stride
            places = places // side
        return bases + places * self.strides[0]

    def distances(self, taps: Tensor) -> Tensor:
        """How far from a base its neighbours are, (T,), for offsets (T, 2), of a volume (T, 3)."""
        return (taps @ torch.tensor(self.strides)).to(self.planes.device)

    def put(self, places: Tensor, values: Tensor) -> None:
        """Enter values (c, P) at some places (P,) of the first c planes."""
        self.planes[: len(values), self.bases(places)] = values.to(self.planes.dtype)

    def whole(self) -> Tensor:
        """The planes (C, ...size) without their margin: a view."""
        inner = tuple(slice(self.margin, self.margin + side) for side in self.size)
        return self.planes.unflatten(1, self.padded)[(slice(None), *inner)]
