"""Foret's rho-sharpness: how much the loss rises within a ball around the weights."""

import math

import torch
from torch import nn

from raymed.errors import InputError
from raymed.optim.sharpness.derivatives import Losses, loss_gradient, loss_value
from raymed.optim.sharpness.weights import HeldWeights, held_weights


def rho_sharpness(model: nn.Module, loss: Losses, *, rho: float = 0.05, steps: int = 1) -> float:
    """Return the rise max L(w + e) - L(w) over |e| <= rho that `steps` of ascent find.

    One step is e = rho g / |g| (Foret et al. 2021, arXiv 2010.01412); more go on from there by
    projected ascent, so a figure of more steps is never smaller. Each figure is a lower bound of
    the true maximum, and never negative: e = 0 is in the ball. It depends on the scale of the
    weights. Raises `InputError` for a negative `rho`.
    """
    with held_weights(model) as held:
        return climb(held, loss, torch.ones_like(held.vector), rho, steps)


def climb(held: HeldWeights, loss: Losses, scale: torch.Tensor, rho: float, steps: int) -> float:
    """Find a large rise of the loss at weights w + scale * u over |u| <= rho, `scale` of [n].

    Each step goes by rho along the gradient in u, back onto the ball; where that does not help,
    the next tries half as far from the best place. Takes at most `steps` gradients.
    """
    if not 0 <= rho < math.inf:
        raise InputError("rho", f"is {rho}", "give a radius, 0 or more")
    start = best = loss_value(loss)
    place, stride = torch.zeros_like(scale), rho
    gradient: torch.Tensor | None = None
    for _ in range(steps):
        if gradient is None:  # the weights stand at the best place
            gradient = scale * loss_gradient(loss, held)
            norm = float(gradient.norm())
        if not 0 < norm < math.inf:
            break
        further = place + (stride / norm) * gradient
        length = float(further.norm())
        if length > rho:
            further = further * (rho / length)
        held.move(scale * further)
        value = loss_value(loss)
        if value > best:
            best, place, gradient = value, further, None
        else:
            stride /= 2
    return best - start
