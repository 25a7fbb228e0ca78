"""Muon for every convolution between more than three channels, Adam for all else, in one optimizer.

Muon makes each update of a weight matrix orthogonal, so that no direction of it is learned much faster than
the others. A first layer that sees pixels taken together, 192 values of 8x8, is such a matrix, too; GDN,
gains and densities are none.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from torch import nn
from torch.optim import Optimizer

from codec_lib.training.settings import Settings

COLOURS = 3  # a layer that sees or gives no more than a picture's colours is Adam's


def muon(module: nn.Module, settings: Settings) -> Optimizer:
    """An optimizer of those parameters of a module that are trained."""
    from pytorch_optimizer import Muon

    trained = [p for p in module.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > COLOURS]
    known = {id(p) for p in hidden}
    other = [p for p in trained if id(p) not in known]
    return Muon([
        {"params": hidden, "lr": settings.lr, "use_muon": True},
        {"params": other, "lr": settings.lr_other, "betas": (0.9, 0.999), "use_muon": False},
    ])  # fmt: skip
