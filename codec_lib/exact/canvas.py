"""A picture in the making: integers at the places that are decoded so far, zeros everywhere else.

Decoders that go step by step, over latents, pixels or bits, all do the same: look up what lies around some
places, decide what these are, and enter it. A margin of zeros saves asking where the picture ends.

>>> canvas = Canvas(1, height=2, width=3, margin=1)
>>> canvas.put(torch.tensor([0, 1]), torch.tensor([[5, 7]]))
>>> left = canvas.distances(torch.tensor([[0, -1]]))
>>> canvas.planes[:, canvas.bases(torch.tensor([0, 1, 2])) + left]
tensor([[0, 5, 7]], dtype=torch.int32)
>>> canvas.whole()
tensor([[[5, 7, 0],
         [0, 0, 0]]], dtype=torch.int32)
"""

import torch
from torch import Tensor


class Canvas:
    """Planes of integers (C, H, W), laid out row by row with a margin: `planes` is (C, positions).

    Places are positions in the raster of H x W; `bases` are the same places in a plane with its margin.
    """

    def __init__(
        self,
        channels: int,
        height: int,
        width: int,
        margin: int,
        dtype: torch.dtype = torch.int32,
        device: torch.device | str = "cpu",
    ):
        self.height, self.width, self.margin = height, width, margin
        self.row = width + 2 * margin
        size = (channels, (height + 2 * margin) * self.row)
        self.planes = torch.zeros(size, dtype=dtype, device=device)

    def bases(self, places: Tensor) -> Tensor:
        """Where in a plane some places of the picture are, like `places`."""
        return (places // self.width + self.margin) * self.row + places % self.width + self.margin

    def distances(self, taps: Tensor) -> Tensor:
        """How far from a base its neighbours are, (T,), for row and column offsets (T, 2)."""
        return (taps @ torch.tensor([self.row, 1])).to(self.planes.device)

    def put(self, places: Tensor, values: Tensor) -> None:
        """Enter values (c, P) at some places (P,) of the first c planes."""
        self.planes[: len(values), self.bases(places)] = values.to(self.planes.dtype)

    def whole(self) -> Tensor:
        """The planes (C, H, W) without their margin: a view."""
        m = self.margin
        rows = self.planes.view(len(self.planes), self.height + 2 * m, self.row)
        return rows[:, m : m + self.height, m : m + self.width]
