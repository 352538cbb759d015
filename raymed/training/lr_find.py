"""The learning rate range test (Smith 2017, arXiv 1506.01186): raise it until training breaks.

Uses a fold's training rows only, so nothing about the rows that will be predicted chooses a rate.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raymed.errors import InputError
from raymed.models import Classifier
from raymed.training.loop import Trainer
from raymed.training.steps import take_fitting_step

_MEMORY = 0.95
"""Weight of the past in the smoothed loss."""
_BROKEN = 4.0
"""The test ends where the smoothed loss is this many times its least value."""


@dataclass(frozen=True)
class RatePoint:
    """One step of the test: the head's rate, the batch's loss and its smoothed value, in nats."""

    lr: float
    loss: float
    smoothed: float


def rate_range(
    trainer: Trainer,
    model: Classifier,
    phase: int,
    *,
    steps: int = 100,
    low: float = 1e-7,
    high: float = 1.0,
) -> Iterator[RatePoint]:
    """Train `model` in phase `phase` (from 0), for `steps` steps at most, at rising rates.

    They rise geometrically from `low` to `high`. Layer groups keep their rates' proportions, SAM
    is taken as the recipe says. The model is spoilt afterwards. Raises `InputError` for a range
    that does not rise.
    """
    if not 0 < low < high or steps < 10:
        raise InputError(
            "lr-find", f"{steps} steps from {low:g} to {high:g}", "take 10 or more, low below high"
        )
    chosen = trainer.recipe.phases[phase]
    optimizer = trainer.enter(model, chosen)
    draws = trainer.draws(0)
    batches = itertools.chain.from_iterable(map(trainer.epoch_batches, itertools.count()))
    mean, least = 0.0, math.inf
    for step, rows in zip(range(steps), batches, strict=False):
        lr = low * (high / low) ** (step / (steps - 1))
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] / chosen.lr * lr
        loss = trainer.batch_loss(model, rows, draws)
        outcome = take_fitting_step(optimizer, loss, trainer.recipe, 1.0, trainer.micro)
        if not outcome.stepped:
            return
        mean = _MEMORY * mean + (1 - _MEMORY) * outcome.loss
        smoothed = mean / (1 - _MEMORY ** (step + 1))
        yield RatePoint(lr, outcome.loss, smoothed)
        least = min(least, smoothed)
        if smoothed > _BROKEN * least:
            return


def suggest_rate(points: Sequence[RatePoint]) -> float | None:
    """Suggest a tenth of the rate at which the smoothed loss is least; None where it never falls.

    Where training still gains most it is about to break, so the least itself is too high.
    """
    least = min(points, key=lambda point: point.smoothed, default=None)
    if least is None or least is points[0]:
        return None
    return least.lr / 10
