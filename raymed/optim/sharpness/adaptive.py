"""Adaptive sharpness: rho-sharpness with each weight's step measured against its own size."""

from torch import nn

from raymed.optim.sharpness.ascent import climb
from raymed.optim.sharpness.derivatives import Losses
from raymed.optim.sharpness.weights import held_weights


def adaptive_sharpness(
    model: nn.Module, loss: Losses, *, rho: float = 0.5, steps: int = 1
) -> float:
    """Return the rise max L(w + e) - L(w) over |e / |w|| <= rho that `steps` of ascent find.

    One step is e = rho |w|^2 g / ||w| g| (ASAM, Kwon et al. 2021, arXiv 2102.11600), here with
    |w| of every parameter, biases too. So it does not change when a unit's incoming weights and
    bias are multiplied, and its outgoing weights divided, by a positive number, which a ReLU
    network does not notice. A weight of 0 stays 0. Raises `InputError` for a negative `rho`.
    """
    with held_weights(model) as held:
        return climb(held, loss, held.vector.abs(), rho, steps)
