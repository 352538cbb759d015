"""One optimizer step on one batch: plain, or sharpness-aware; in parts where memory ran out."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from raymed.config import Recipe, Sam
from raymed.errors import TrainingError
from raymed.losses import cross_entropy
from raymed.optim import SAM, PassTooLargeError, one_pass, sam_step
from raymed.training.freeing import free_memory
from raymed.training.inputs import Inputs
from raymed.training.micro_batch import LEAST, MicroBatch
from raymed.training.ranks import Ranks

Value = TypeVar("Value")


@dataclass(frozen=True)
class Outcome:
    """What a step did: the whole batch's mean loss, in nats, and how many of it were right."""

    loss: float
    correct: int
    stepped: bool


@dataclass
class BatchLoss:
    """The loss of this process's share of a batch; called anew in each pass of a step.

    `size` counts the samples of the whole batch, over all processes. The share may go through the
    model in `parts`: the mean of their losses is the loss of all of it.
    """

    model: nn.Module
    inputs: Inputs
    images: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor | None
    smoothing: float
    ranks: Ranks
    size: int
    parts: Sequence[slice] = (slice(None),)
    _correct: list[torch.Tensor] = field(default_factory=list, init=False)

    def cut(self, micro: MicroBatch) -> None:
        """Begin a step anew, with so much at once."""
        self.parts = micro.cut(len(self.labels))
        self._correct.clear()

    def __call__(self, part: int = 0) -> torch.Tensor:
        """Compute it, of one of the parts."""
        rows = self.parts[part]
        logits, labels = self.inputs.logits(self.model, self.images[rows]), self.labels[rows]
        self._correct.append((logits.detach().argmax(1) == labels).sum())
        loss, own = cross_entropy(logits, labels, self.weights, self.smoothing), len(self.labels)
        if len(self.parts) > 1:
            loss = loss * (len(labels) * len(self.parts) / own)
        return self.ranks.weigh(loss, own, self.size)

    def of_first(self, samples: int) -> "BatchLoss":
        """Take the loss of the first so many samples, in parts that are no larger."""
        largest = max(len(self.labels[part]) for part in self.parts)
        parts, rows = MicroBatch(largest).cut(samples), slice(samples)
        return replace(self, images=self.images[rows], labels=self.labels[rows], parts=parts)

    def outcome(self, loss: torch.Tensor, *, skipped: bool = False) -> Outcome:
        """Add up over the processes; of several passes the first one over all samples counts."""
        mine = float(loss.detach()) / self.ranks.world
        hits = sum(float(part) for part in self._correct[: len(self.parts)])
        value, correct = self.ranks.total(mine, hits)
        return Outcome(value, int(correct), math.isfinite(value) and not skipped)


def take_fitting_step(
    optimizer: torch.optim.Optimizer,
    loss: BatchLoss,
    recipe: Recipe,
    done: float,
    micro: MicroBatch,
) -> Outcome:
    """Take the step in parts as small as the device's memory needs; `micro` learns how small.

    Where memory runs out in a pass nothing has changed but BatchNorm's running statistics, where
    those learn, and the step is taken again. Raises `TrainingError` where no part can be smaller;
    of several processes, which all must take as many passes, at once: they have rehearsed.
    """
    alone = loss.ranks.world == 1
    return _fitted(loss, micro, partial(take_step, optimizer, loss, recipe, done), again=alone)


def rehearse(loss: BatchLoss, micro: MicroBatch) -> None:
    """Go forward and backward on a batch, on a model that is not shared yet, and leave no trace.

    So each of several processes learns how much fits, and all then take what fits in every one.
    """
    buffers = [buffer.clone() for buffer in loss.model.buffers()]
    _fitted(loss, micro, partial(_pass, loss), again=True)
    with torch.no_grad():
        for buffer, before in zip(loss.model.buffers(), buffers, strict=True):
            buffer.copy_(before)
    loss.model.zero_grad(set_to_none=True)
    micro.most = loss.ranks.least(micro.most)
    free_memory()


def _fitted(loss: BatchLoss, micro: MicroBatch, go: Callable[[], Value], *, again: bool) -> Value:
    """Go with what fits at once; where memory runs out `again` with less."""
    while True:
        loss.cut(micro)
        try:
            return go()
        except PassTooLargeError as error:
            largest = max(len(loss.labels[part]) for part in loss.parts)
            if not again or not micro.halve(len(loss.labels)):
                raise _too_large(largest, error) from None
        # here, where what the exception held of the passes is gone
        loss.model.zero_grad(set_to_none=True)
        free_memory()


def _too_large(samples: int, error: PassTooLargeError) -> TrainingError:
    return TrainingError(
        f"the device's memory ran out with {samples} samples at once ({str(error).splitlines()[0]})"
        "; lower batch_size or size, or have fewer processes share the device (cluster.workers)"
    )


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
    part = max(LEAST, round(recipe.sam.part * samples))
    climb = loss.of_first(part) if part < samples else None
    step = sam_step(
        loss.model,
        optimizer,
        loss,
        clip=clip,
        accumulate=len(loss.parts),
        climb_fn=climb,
        climb_accumulate=1 if climb is None else len(climb.parts),
    )
    return loss.outcome(step.loss, skipped=step.skipped)


def _plain(optimizer: torch.optim.Optimizer, loss: BatchLoss, clip: float | None) -> Outcome:
    optimizer.zero_grad(set_to_none=True)
    value = _pass(loss)
    if clip is not None:
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, clip)
    outcome = loss.outcome(value)
    if outcome.stepped:
        optimizer.step()
    return outcome


def _pass(loss: BatchLoss) -> torch.Tensor:
    """Go forward and backward, part by part; gives the mean loss."""
    count = len(loss.parts)
    values = []
    for part in range(count):
        with one_pass(), _shared_last(loss.model, part == count - 1):
            value = loss(part)
            (value if count == 1 else value / count).backward()  # type: ignore[no-untyped-call]
        values.append(value.detach())
    return values[0] if count == 1 else torch.stack(values).mean()


def _shared_last(model: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Let DDP average gradients over the processes once, behind the last part."""
    if last or not isinstance(model, DistributedDataParallel):
        return nullcontext()
    shared: AbstractContextManager[None] = model.no_sync()
    return shared


def _climb_late(optimizer: SAM, sam: Sam, done: float) -> None:
    """Climb in the last share of the schedule only: before it SAM is its base optimizer."""
    for group in optimizer.param_groups:
        group["rho"] = sam.rho if done >= 1 - sam.last - 1e-9 else 0.0
