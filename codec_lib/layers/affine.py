"""A fixed change of units at the ends of a network."""

from torch import Tensor, nn

UNIT = 4.0  # what networks see of pictures is (x - 1/2) UNIT


class Affine(nn.Module):
    """x * scale + shift, in float32."""

    def __init__(self, scale: float, shift: float):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor) -> Tensor:
        return x.float() * self.scale + self.shift  # in mixed precision, not in bfloat16
