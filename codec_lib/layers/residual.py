"""The residual block of the flagship codec."""

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + 1x1(leaky(3x3(x))), at equal size and width. It begins close to doing nothing.

    `reach` is how many rows above and below a row of the output depends on.
    """

    reach = 1

    def __init__(self, channels: int):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.125),
            nn.Conv2d(channels, channels, 1),
        )
        nn.init.zeros_(self.branch[-1].bias)
        self.branch[-1].weight.data.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)
