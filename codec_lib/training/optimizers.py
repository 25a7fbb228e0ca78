"""Muon for convolutions between hidden layers, Adam for all else, in one optimizer.

Muon makes each update of a weight matrix orthogonal, so that no direction of it is learned much faster than
the others. First and last layers, GDN, gains and densities are no such matrices.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from torch import nn
from torch.optim import Optimizer

from codec_lib.training.settings import Settings


def muon(module: nn.Module, settings: Settings) -> Optimizer:
    """An optimizer of those parameters of a module that are trained."""
    from pytorch_optimizer import Muon

    trained = [p for p in module.parameters() if p.requires_grad]
    hidden = [p for p in trained if p.ndim == 4 and min(p.shape[:2]) > 3]
    known = {id(p) for p in hidden}
    other = [p for p in trained if id(p) not in known]
    return Muon([
        {"params": hidden, "lr": settings.lr, "use_muon": True},
        {"params": other, "lr": settings.lr_other, "betas": (0.9, 0.999), "use_muon": False},
    ])  # fmt: skip
