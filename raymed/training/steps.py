"""One optimizer step on one batch: plain, or sharpness-aware; in parts where memory ran out."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from raymed.config import Recipe, Sam
from raymed.errors import TrainingError
from raymed.optim import SAM, PassTooLargeError, one_pass, sam_step
from raymed.training.batch_loss import BatchLoss, Outcome
from raymed.training.freeing import free_memory
from raymed.training.micro_batch import LEAST, MicroBatch

Value = TypeVar("Value")


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
    step = partial(take_step, optimizer, loss, recipe, done)
    outcome = _fitted(loss, micro, step, again=alone)
    if outcome.stepped:
        loss.settle()
    return outcome


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
            largest = max(len(loss.batch.labels[part]) for part in loss.parts)
            if not (again and loss.divisible and micro.halve(loss.samples)):
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
    part = max(LEAST, round(recipe.sam.part * loss.samples))
    climb = loss.of_first(part) if part < loss.samples else None
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
