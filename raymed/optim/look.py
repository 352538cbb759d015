"""LookSAM's reused direction (Liu et al. 2022, arXiv 2203.02714)."""

import torch
from torch import nn
from torch.nn.utils import get_total_norm

from raymed.optim.climbs import Tensors


class LookDirection:
    """What SAM's gradient added to the plain one on the last step that climbed.

    On such a step, with g the gradient at the weights and s the one after the climb, v = s minus
    its projection on g. On the steps between, g + alpha |g| / |v| v takes the place of g.
    """

    def __init__(self, alpha: float) -> None:
        """Weigh the direction by `alpha`."""
        self.alpha = alpha
        self.kept: dict[nn.Parameter, torch.Tensor] = {}
        self._first: dict[nn.Parameter, torch.Tensor] = {}

    def remember(self, parameters: list[nn.Parameter]) -> None:
        """Copy the gradients of a first pass."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        self._first = dict(zip(parameters, torch._foreach_mul(gradients, 1.0), strict=True))

    def learn(self, parameters: list[nn.Parameter]) -> None:
        """Keep the direction, with the second pass's gradients in place."""
        both = [p for p in parameters if p in self._first]
        gradients = [p.grad for p in both if p.grad is not None]
        first = [self._first[p] for p in both]
        length = float(get_total_norm(first)) ** 2
        along = _inner(gradients, first) / length if length else 0.0
        across = torch._foreach_sub(gradients, torch._foreach_mul(first, along))
        self.kept = dict(zip(both, across, strict=True))
        self._first = {}

    def apply(self, parameters: list[nn.Parameter]) -> None:
        """Add the kept direction to the gradients of a step that did not climb."""
        both = [p for p in parameters if p in self.kept]
        gradients = [p.grad for p in both if p.grad is not None]
        kept = [self.kept[p] for p in both]
        if not kept:
            return
        length = float(get_total_norm(kept))
        if length:
            factor = self.alpha * float(get_total_norm(gradients)) / length
            torch._foreach_add_(gradients, kept, alpha=factor)


def _inner(left: Tensors, right: Tensors) -> float:
    sums = [product.sum() for product in torch._foreach_mul(left, right)]
    return float(torch.stack([value.to(sums[0].device) for value in sums]).sum())
