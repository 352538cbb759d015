"""One optimizer step on one batch: plain, or sharpness-aware."""

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from raymed.config import Recipe, Sam
from raymed.losses import cross_entropy
from raymed.optim import SAM, sam_step
from raymed.training.inputs import Inputs
from raymed.training.ranks import Ranks

_LEAST = 2
"""Samples that a climb needs: BatchNorm cannot take one."""


@dataclass(frozen=True)
class Outcome:
    """What a step did: the whole batch's mean loss, in nats, and how many of it were right."""

    loss: float
    correct: int
    stepped: bool


@dataclass
class BatchLoss:
    """The loss of this process's share of a batch; called anew in each pass of a step.

    `size` counts the samples of the whole batch, over all processes.
    """

    model: nn.Module
    inputs: Inputs
    images: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor | None
    smoothing: float
    ranks: Ranks
    size: int
    _correct: list[torch.Tensor] = field(default_factory=list)

    def __call__(self, most: int | None = None) -> torch.Tensor:
        """Compute it, of the first `most` samples where that is given."""
        labels = self.labels[:most]
        logits = self.inputs.logits(self.model, self.images[:most])
        if most is None:
            self._correct.append((logits.detach().argmax(1) == labels).sum())
        loss = cross_entropy(logits, labels, self.weights, self.smoothing)
        return self.ranks.weigh(loss, len(self.labels), self.size)

    def outcome(self, loss: torch.Tensor, *, skipped: bool = False) -> Outcome:
        """Add up over the processes; of several passes the first one over all samples counts."""
        mine = float(loss.detach()) / self.ranks.world
        value, correct = self.ranks.total(mine, float(self._correct[0]))
        return Outcome(value, int(correct), math.isfinite(value) and not skipped)


def take_step(
    optimizer: torch.optim.Optimizer, loss: BatchLoss, recipe: Recipe, done: float
) -> Outcome:
    """Take the step that the recipe asks for, `done` of its steps (0..1) being behind it.

    Nothing changes where a loss or a gradient is not finite.
    """
    clip = recipe.optimizer.clip
    if not isinstance(optimizer, SAM) or recipe.sam is None:
        return _plain(optimizer, loss, clip)
    _climb_late(optimizer, recipe.sam, done)
    samples = len(loss.labels)
    part = max(_LEAST, round(recipe.sam.part * samples))
    step = sam_step(
        loss.model,
        optimizer,
        loss,
        clip=clip,
        climb_fn=(lambda: loss(part)) if part < samples else None,
    )
    return loss.outcome(step.loss, skipped=step.skipped)


def _plain(optimizer: torch.optim.Optimizer, loss: BatchLoss, clip: float | None) -> Outcome:
    optimizer.zero_grad(set_to_none=True)
    value = loss()
    value.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, clip)
    outcome = loss.outcome(value)
    if outcome.stepped:
        optimizer.step()
    return outcome


def _climb_late(optimizer: SAM, sam: Sam, done: float) -> None:
    """Climb in the last share of the schedule only: before it SAM is its base optimizer."""
    for group in optimizer.param_groups:
        group["rho"] = sam.rho if done >= 1 - sam.last - 1e-9 else 0.0
