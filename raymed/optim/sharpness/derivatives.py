"""A loss at the model's current weights: its value, gradient and Hessian-vector products."""

from collections.abc import Callable, Sequence

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from raymed.errors import InputError
from raymed.optim.sharpness.weights import HeldWeights, flat

Loss = Callable[[], torch.Tensor]
"""Computes a scalar on a fixed sample, with the weights that the model has when it is called."""

Losses = Loss | Sequence[Loss]
"""A loss, or parts of it that add up to it: each is differentiated alone, which saves memory."""


class NoSecondDerivativeError(InputError):
    """An operation of the model has no second derivative: there is no curvature to measure."""


def loss_value(loss: Losses) -> float:
    """Compute the loss."""
    with torch.no_grad():
        return sum(float(part()) for part in _parts(loss))


def loss_gradient(loss: Losses, held: HeldWeights) -> torch.Tensor:
    """Compute the gradient [n]; `.grad` of the parameters is left as it is."""
    total = torch.zeros_like(held.vector)
    for part in _parts(loss):
        with torch.enable_grad():
            total += flat(torch.autograd.grad(part(), held.parameters, materialize_grads=True))
    return total


def hessian_product(loss: Losses, held: HeldWeights, vector: torch.Tensor) -> torch.Tensor:
    """Multiply the Hessian with a vector [n], by differentiating twice (Pearlmutter 1994).

    Raises `NoSecondDerivativeError` where PyTorch knows none, as of hardsigmoid.
    """
    total = torch.zeros_like(vector)
    for part in _parts(loss):
        # fused attention kernels have no second derivative
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            gradient = torch.autograd.grad(
                part(), held.parameters, create_graph=True, materialize_grads=True
            )
            slope = flat(gradient) @ vector
            if slope.requires_grad:  # else the loss is linear
                total += _slope_gradient(slope, held)
    return total


def _slope_gradient(slope: torch.Tensor, held: HeldWeights) -> torch.Tensor:
    try:
        return flat(torch.autograd.grad(slope, held.parameters, materialize_grads=True))
    except RuntimeError as error:
        if "derivative for" not in str(error):
            raise
        fault = f"cannot be differentiated twice ({str(error).splitlines()[0]})"
        raise NoSecondDerivativeError("model", fault, "measure no curvature of it") from None


def _parts(loss: Losses) -> Sequence[Loss]:
    return (loss,) if callable(loss) else loss
