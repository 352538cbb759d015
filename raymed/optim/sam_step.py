"""One SAM step over a model and a loss: the only place that knows what both passes need."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from raymed.errors import InputError
from raymed.optim.memory import one_pass
from raymed.optim.sam import SAM
from raymed.optim.two_passes import TwoPasses


class Loss(Protocol):
    """Computes the mean loss of one part of the batch with the model's present weights."""

    def __call__(self, part: int, /) -> torch.Tensor:
        """`part` counts from 0; a batch that is not accumulated has one part."""
        ...


class Scaler(Protocol):
    """What is used of `torch.amp.GradScaler`."""

    def scale(self, outputs: torch.Tensor, /) -> torch.Tensor:
        """Multiply a loss by the scale."""
        ...

    def step(self, optimizer: torch.optim.Optimizer, /, *, clip: float | None) -> object:
        """Look for infinities, tell the optimizer the scale and let it step."""
        ...

    def update(self) -> None:
        """Adapt the scale."""
        ...


@dataclass(frozen=True)
class SamStep:
    """What a step did: the loss at the weights, the passes it took, whether it was skipped.

    `loss` is a mean over the parts, detached, on the model's device. A momentum climb never
    computes a loss at the weights: there it is the loss at w + e.
    """

    loss: torch.Tensor
    passes: int
    skipped: bool


def sam_step(
    model: nn.Module,
    optimizer: SAM,
    loss_fn: Callable[[], torch.Tensor] | Loss,
    *,
    scaler: Scaler | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    climb_fn: Callable[[], torch.Tensor] | Loss | None = None,
    climb_accumulate: int = 1,
) -> SamStep:
    """Take one step; `model` is the module that is called: DDP, compiled or plain.

    `loss_fn()` computes a mean loss; with `accumulate` > 1 `loss_fn(part)` does, for parts
    0..accumulate-1 of the batch, and the step climbs once from their mean. `climb_fn()` computes
    the loss that the climb follows where that is another, such as that of a part of the batch;
    with `climb_accumulate` > 1 `climb_fn(part)` does, for parts of its own.
    `scaler` is a GradScaler: the climb does not depend on its scale, gradients are unscaled once.
    `clip` > 0 bounds the gradient's norm after the second pass, never before the climb. Dropout
    masks are the same in both passes, BatchNorm statistics come from the first, and DDP averages
    gradients in the second only. Where a gradient is not finite in either pass the weights stay
    as they are, bit for bit; so do they where memory runs out in a pass (`PassTooLargeError`, a
    `torch.OutOfMemoryError`): the same step may be tried again in smaller parts.
    """
    for name, parts in (("accumulate", accumulate), ("climb_accumulate", climb_accumulate)):
        if parts < 1:
            raise InputError(name, f"{parts} is below 1", "1 takes the batch as a whole")
    work = _Passes(optimizer, optimizer.follow(model), loss_fn, scaler, accumulate)
    skipped = optimizer.skipped
    optimizer.zero_grad()
    try:
        if optimizer.needs_first_pass:
            loss, count = work.climb(climb_fn, climb_accumulate), 2
            optimizer.first_step()
            if not optimizer.failed:
                optimizer.zero_grad()
                again = work.run(last_shares=True)
                loss = loss if climb_fn is None else again
        else:
            optimizer.begin()
            loss, count = work.run(last_shares=True), 1
        if scaler is None:
            optimizer.second_step(clip=clip)
        else:
            scaler.step(optimizer, clip=clip)
            scaler.update()
    finally:
        optimizer.give_up()
    return SamStep(loss, count, optimizer.skipped > skipped)


@dataclass(frozen=True)
class _Passes:
    """Runs a whole batch forward and backward."""

    optimizer: SAM
    passes: TwoPasses
    loss_fn: Callable[..., torch.Tensor]
    scaler: Scaler | None
    accumulate: int

    def climb(self, climb_fn: Callable[..., torch.Tensor] | None, accumulate: int) -> torch.Tensor:
        """Run the first pass."""
        share = self.optimizer.synchronised
        if climb_fn is None:
            return self.run(last_shares=share)
        return self._run(climb_fn, accumulate, last_shares=share)

    def run(self, *, last_shares: bool) -> torch.Tensor:
        """Run all parts; under DDP only the last may average gradients over the processes."""
        return self._run(self.loss_fn, self.accumulate, last_shares=last_shares)

    def _run(
        self, loss_fn: Callable[..., torch.Tensor], parts: int, *, last_shares: bool
    ) -> torch.Tensor:
        losses = []
        for part in range(parts):
            with one_pass(), self.passes.forward(share=last_shares and part == parts - 1):
                loss = loss_fn() if parts == 1 else loss_fn(part)
                losses.append(self._backward(loss, parts))
        return torch.stack(losses).mean()

    def _backward(self, loss: torch.Tensor, parts: int) -> torch.Tensor:
        share = loss if parts == 1 else loss / parts
        (share if self.scaler is None else self.scaler.scale(share)).backward()  # type: ignore[no-untyped-call]
        return loss.detach()
