"""Loss surfaces on random filter-normalised directions."""

from dataclasses import dataclass

import torch
from torch import nn

from raymed.errors import InputError
from raymed.optim.sharpness.derivatives import Losses, loss_value
from raymed.optim.sharpness.draws import draw_normal, seeded
from raymed.optim.sharpness.weights import HeldWeights, flat, held_weights


@dataclass(frozen=True)
class LossLine:
    """Losses at w + alpha d; the middle alpha is 0."""

    alphas: tuple[float, ...]
    losses: tuple[float, ...]


@dataclass(frozen=True)
class LossPlane:
    """Losses at w + alpha d1 + beta d2: `losses[row][column]` at `betas[row], alphas[column]`."""

    alphas: tuple[float, ...]
    betas: tuple[float, ...]
    losses: tuple[tuple[float, ...], ...]


def loss_line(
    model: nn.Module, loss: Losses, *, points: int = 21, reach: float = 1.0, seed: int = 0
) -> LossLine:
    """Measure the loss along a line, alpha in -reach..reach.

    The direction is `filter_normalised` of the first draw of `seed`, the same as a plane's first:
    models of the same shape are cut alike. Raises `InputError` unless `points` is odd.
    """
    alphas = _grid(points, reach)
    with held_weights(model) as held:
        direction = filter_normalised(held, draw_normal(held, seeded(seed)))
        losses = [_loss_at(held, loss, alpha * direction) for alpha in alphas]
    return LossLine(alphas, tuple(losses))


def loss_plane(
    model: nn.Module, loss: Losses, *, points: int = 11, reach: float = 1.0, seed: int = 0
) -> LossPlane:
    """Measure the loss on a square, alpha and beta in -reach..reach, `points` squared losses.

    Raises `InputError` unless `points` is odd.
    """
    grid, generator = _grid(points, reach), seeded(seed)
    with held_weights(model) as held:
        first = filter_normalised(held, draw_normal(held, generator))
        second = filter_normalised(held, draw_normal(held, generator))
        losses = [
            tuple(_loss_at(held, loss, alpha * first + beta * second) for alpha in grid)
            for beta in grid
        ]
    return LossPlane(grid, grid, tuple(losses))


def filter_normalised(held: HeldWeights, direction: torch.Tensor) -> torch.Tensor:
    """Scale each filter of a direction [n] to the norm of the model's filter.

    A filter is what makes one output: a row of a matrix, a kernel of a convolution. Parameters of
    one axis (biases, BatchNorm) get 0, as in Li et al. 2018 (arXiv 1712.09913). So a surface does
    not change when a whole layer is multiplied, and the next divided, by a positive number, which
    a ReLU network does not notice.
    """
    pieces = zip(held.copies, held.pieces(direction), strict=True)
    return flat([_like_filters(weights, drawn) for weights, drawn in pieces])


def _like_filters(weights: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    if weights.ndim < 2:
        return torch.zeros_like(drawn)
    filters = drawn.flatten(1)
    lengths = filters.norm(dim=1, keepdim=True).clamp_min(torch.finfo(drawn.dtype).tiny)
    scaled: torch.Tensor = filters * (weights.flatten(1).norm(dim=1, keepdim=True) / lengths)
    return scaled.view(drawn.shape)


def _loss_at(held: HeldWeights, loss: Losses, offset: torch.Tensor) -> float:
    held.move(offset)
    return loss_value(loss)


def _grid(points: int, reach: float) -> tuple[float, ...]:
    if points < 1 or points % 2 == 0:
        raise InputError("points", f"is {points}", "give an odd number: the middle is the model")
    half = points // 2
    return tuple(reach * step / max(half, 1) for step in range(-half, half + 1))
