"""The training loop: a generator that yields after each step and each epoch.

The caller reports, saves or stops. Every epoch seeds its own draws, so an epoch comes out the
same whether the ones before it ran in this process or were restored.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import nn

from raymed.config import Phase, Recipe
from raymed.data.batches import Indices, epoch_samples, split_batches
from raymed.data.episodes import episodes
from raymed.data.samples import SampleColumns
from raymed.errors import TrainingError
from raymed.losses import balanced_weights
from raymed.models import Classifier, mixing_points
from raymed.optim import rate_factor
from raymed.training.batch_loss import BatchLoss
from raymed.training.draws import Draws
from raymed.training.inputs import Inputs
from raymed.training.loader import Loader
from raymed.training.micro_batch import LEAST, MicroBatch
from raymed.training.objective import Objective
from raymed.training.optimizer_state import TensorState, restore_optimizer
from raymed.training.phases import begin_phase, enter_phase
from raymed.training.ranks import ALONE, Ranks
from raymed.training.seeds import SAMPLES
from raymed.training.steps import rehearse, take_fitting_step
from raymed.training.tally import Tally

_PATIENCE = 5
"""Steps of SAM in a row that may be skipped because a gradient was not finite."""


@dataclass(frozen=True)
class StepEnd:
    """One optimizer step is done; `step` counts the whole recipe from 1."""

    step: int
    loss: float
    images: int


@dataclass(frozen=True)
class EpochEnd:
    """One epoch is done: its means, rates and the optimizer to save. Epochs count from 1.

    `skipped` steps of SAM had gradients that were not finite; means leave them out.
    """

    phase: int
    epoch: int
    loss: float
    accuracy: float
    lr_head: float
    lr_stem: float
    seconds: float
    images: int
    skipped: int
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class Trainer:
    """What stays the same over a fold's training: data, seeds, the recipe.

    Only `micro` learns, where a batch is more than the device's memory holds; `points`, where
    hidden layers can be mixed, are found when the first model trains.
    """

    recipe: Recipe
    inputs: Inputs
    samples: SampleColumns
    fold: int
    seed: int
    ranks: Ranks = ALONE
    micro: MicroBatch = field(default_factory=MicroBatch)
    points: list[str] = field(default_factory=list, init=False)

    @cached_property
    def rows(self) -> Indices:
        """The rows that this fold's model learns from."""
        return self.samples.training_rows(self.fold)

    def epoch_batches(self, epoch: int) -> list[Indices]:
        """Draw the batches of one epoch; they do not depend on how many processes share them."""
        rng = np.random.default_rng([self.seed, self.fold, SAMPLES, epoch])
        patients = self.samples.patients[self.rows]
        drawn = epoch_samples(self.rows, patients, self.recipe.samples_per_patient, rng)
        if self.recipe.head.kind == "prototypical":
            labels, patients = self.samples.labels[drawn], self.samples.patients[drawn]
            return episodes(drawn, labels, patients, self.recipe.batch_size, rng)
        return split_batches(drawn, self.recipe.batch_size, LEAST * self.recipe.workers)

    @cached_property
    def objective(self) -> Objective:
        """What is minimised."""
        labels, classes, weights = self.samples.labels[self.rows], self.samples.classes, None
        if self.recipe.class_weights is not None:
            weights = balanced_weights(labels, classes).to(self.inputs.device)
        return Objective(self.recipe, classes, weights)

    @property
    def steps_per_epoch(self) -> int:
        """How many optimizer steps an epoch takes; the same in every epoch."""
        return len(self.epoch_batches(0))

    @property
    def epochs(self) -> int:
        """How many epochs all phases take."""
        return sum(phase.epochs for phase in self.recipe.phases)

    def train(
        self, model: Classifier, done: int = 0, state: TensorState | None = None
    ) -> Iterator[StepEnd | EpochEnd]:
        """Train through all phases, skipping the first `done` epochs.

        `state` is the optimizer's state after them (`optimizer_state`). Raises `TrainingError`
        when a loss is not finite.
        """
        first = 0
        for index, phase in enumerate(self.recipe.phases):
            start = max(done - first, 0)
            if start < phase.epochs:
                optimizer = self.enter(model, phase)
                if self.ranks.world > 1 and may_run_out(self.inputs.device):
                    largest = max(self.epoch_batches(first + start), key=len)
                    rehearse(self.batch_loss(model, largest, self.draws(first)), self.micro)
                shared = self.ranks.wrap(model)
                if start and state is not None:
                    restore_optimizer(optimizer, state)
                for epoch in range(start, phase.epochs):
                    yield from self._epoch(model, shared, optimizer, index, first, epoch)
            first += phase.epochs

    def enter(self, model: Classifier, phase: Phase) -> torch.optim.Optimizer:
        """Set what a phase trains, and build its fresh optimizer."""
        mixup = self.recipe.mixup
        hidden = mixup is not None and mixup.kind == "manifold" and not self.inputs.features
        if hidden and not self.points:
            self.points.extend(mixing_points(model, self.recipe.size))
        return begin_phase(self.recipe, model, phase)

    def draws(self, epoch: int) -> Draws:
        """Begin the draws of an epoch, counted from 0 over all phases."""
        return Draws.begin(self.seed, self.fold, epoch, *self.ranks.seed_keys())

    def _epoch(
        self,
        model: Classifier,
        shared: nn.Module,
        optimizer: torch.optim.Optimizer,
        index: int,
        first: int,
        epoch: int,
    ) -> Iterator[StepEnd | EpochEnd]:
        phase, number = self.recipe.phases[index], first + epoch
        enter_phase(model, phase, freeze_batchnorm=self.recipe.freeze_batchnorm, epoch=epoch)
        batches, draws = self.epoch_batches(number), self.draws(number)
        started, tally = time.monotonic(), Tally()
        for step, loss in enumerate(self.batch_losses(shared, batches, draws, number)):
            factor = rate_factor(phase, epoch * len(batches) + step, phase.epochs * len(batches))
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * factor
            behind = (number * len(batches) + step) / (self.epochs * len(batches))
            outcome = take_fitting_step(optimizer, loss, self.recipe, behind, self.micro)
            tally.count(outcome, loss.size)
            if tally.refused > self._patience or tally.refused == len(batches):
                place = f"phase {index + 1}, epoch {number + 1}, step {step + 1}"
                raise _not_finite(outcome.loss, place, phase)
            yield StepEnd(number * len(batches) + step + 1, tally.loss, loss.size)
        rates = [group["base_lr"] for group in optimizer.param_groups]
        yield EpochEnd(
            index + 1,
            number + 1,
            tally.loss,
            tally.accuracy,
            max(rates),
            min(rates),
            time.monotonic() - started,
            tally.images,
            tally.skipped,
            optimizer,
        )

    @property
    def _patience(self) -> int:
        """How many steps in a row may be skipped; without SAM none is."""
        return 0 if self.recipe.sam is None else _PATIENCE

    def batch_loss(
        self, model: nn.Module, batch_rows: Indices, draws: Draws, epoch: int = 0
    ) -> BatchLoss:
        """Load this process's share of a batch."""
        return next(self.batch_losses(model, [batch_rows], draws, epoch))

    def batch_losses(
        self, model: nn.Module, batches: Sequence[Indices], draws: Draws, epoch: int
    ) -> Iterator[BatchLoss]:
        """Load this process's share of batches, in turn."""
        for size, batch in self._loader.load(batches, draws):
            yield BatchLoss(model, self.inputs, batch, self.objective, self.ranks, size, epoch)

    @cached_property
    def _loader(self) -> Loader:
        return Loader(self.recipe, self.inputs, self.samples, self.ranks, self.points)


def may_run_out(device: torch.device) -> bool:
    """Tell whether a device says that its memory runs out; on a CPU the system ends the process."""
    return device.type == "cuda"


def _not_finite(loss: float, place: str, phase: Phase) -> TrainingError:
    return TrainingError(
        f"the loss became {loss} in {place} at lr {phase.lr:g}; lower the rate, or clip"
    )
