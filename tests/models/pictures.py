"""Pictures for tests of models."""

import torch
from torch import Tensor


def picture(height: int = 40, width: int = 56) -> Tensor:
    """Noise, uint8 (1, 3, H, W): the same for the same size."""
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(0, 256, (1, 3, height, width), generator=generator, dtype=torch.uint8)
