"""A lower bound that does not kill the gradient.

`max(x, b)` has gradient zero below `b`, so a parameter that once fell under its bound would stay
there for ever. Here the gradient also passes below the bound if following it would lift x:

    dL/dx = dL/dout   where x >= b, or where dL/dout < 0;   0 elsewhere.

Source: Balle et al. 2018, "Variational image compression with a scale hyperprior";
the rule is the one TensorFlow Compression and CompressAI use.
"""

from typing import Any

import torch
from torch import Tensor


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: Any, grad: Tensor):  # type: ignore[override]  # one output, one gradient
        (x,) = ctx.saved_tensors
        passes = (x >= ctx.bound) | (grad < 0)
        return grad * passes, None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """`max(x, bound)`, elementwise, with a gradient that can leave the bound again."""
    return _LowerBound.apply(x, bound)
