"""How much accuracy is lost when every weight is off by a random share of itself."""

from collections.abc import Callable

import torch
from torch import nn

from raymed.optim.sharpness.draws import DrawnMean, draw_normal, refuse_too_few, seeded
from raymed.optim.sharpness.weights import held_weights

Accuracy = Callable[[], float]
"""Computes a share of right answers on a fixed sample, with the model's current weights."""


def accuracy_drop(
    model: nn.Module, accuracy: Accuracy, *, sigma: float = 0.1, draws: int = 10, seed: int = 0
) -> DrawnMean:
    """Return accuracy minus the mean accuracy at weights w (1 + sigma n), n standard normal.

    Negative where noise helped. Raises `InputError` for fewer than two draws.
    """
    refuse_too_few("draws", draws)
    generator, drops = seeded(seed), []
    with held_weights(model) as held, torch.no_grad():
        before = accuracy()
        for _ in range(draws):
            held.move(sigma * held.vector * draw_normal(held, generator))
            drops.append(before - accuracy())
    return DrawnMean.of(drops)
