"""The loss of one batch, or of this process's share of it, called anew in each pass of a step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from raymed.losses import Mix, Pull, move_centers, pull_of
from raymed.models import Classifier, Outputs
from raymed.training.inputs import Inputs
from raymed.training.micro_batch import MicroBatch
from raymed.training.objective import Objective
from raymed.training.ranks import Ranks


@dataclass(frozen=True)
class Outcome:
    """What a step did: the whole batch's mean loss, in nats, and how many of it were right."""

    loss: float
    correct: int
    stepped: bool


@dataclass(frozen=True)
class Batch:
    """Samples to learn from: images or features, labels and patients int64 [b], how they mix."""

    values: torch.Tensor
    labels: torch.Tensor
    patients: torch.Tensor
    mix: Mix | None = None


@dataclass
class BatchLoss:
    """The loss of this process's share of a batch; called anew in each pass of a step.

    `size` counts the samples of the whole batch, over all processes, `epoch` from 0. The share may
    go through the model in `parts`: the mean of their losses is the loss of all of it.
    """

    model: nn.Module
    inputs: Inputs
    batch: Batch
    objective: Objective
    ranks: Ranks
    size: int
    epoch: int = 0
    parts: Sequence[slice] = (slice(None),)
    _correct: list[torch.Tensor] = field(default_factory=list, init=False)
    _pulls: list[Pull] = field(default_factory=list, init=False)

    @property
    def samples(self) -> int:
        """How many samples this process's share has."""
        return len(self.batch.labels)

    @property
    def divisible(self) -> bool:
        """Whether it may go in parts; an episode is one."""
        return self.objective.recipe.head.kind != "prototypical"

    def cut(self, micro: MicroBatch) -> None:
        """Begin a step anew, with so much at once."""
        self.parts = micro.cut(self.samples) if self.divisible else (slice(0, self.samples),)
        self._correct.clear()
        self._pulls.clear()

    def __call__(self, part: int = 0) -> torch.Tensor:
        """Compute it, of one of the parts."""
        rows = self.parts[part]
        labels, own = self.batch.labels[rows], self.samples
        loss, outputs = self._loss(rows, labels)
        right = (outputs.logits.detach().argmax(1) == outputs.labels).sum()
        self._correct.append(right * (len(labels) / len(outputs.labels)))
        if len(self.parts) > 1:
            loss = loss * (len(labels) * len(self.parts) / own)
        return self.ranks.weigh(loss, own, self.size)

    def of_first(self, samples: int) -> "BatchLoss":
        """Take the loss of the first so many samples, in parts that are no larger."""
        largest = max(len(self.batch.labels[part]) for part in self.parts)
        parts, rows = MicroBatch(largest).cut(samples), slice(samples)
        first = replace(
            self.batch,
            values=self.batch.values[rows],
            labels=self.batch.labels[rows],
            patients=self.batch.patients[rows],
            mix=None if self.batch.mix is None else self.batch.mix.of(rows),
        )
        return replace(self, batch=first, parts=parts)

    def outcome(self, loss: torch.Tensor, *, skipped: bool = False) -> Outcome:
        """Add up over the processes; of several passes the first one over all samples counts."""
        mine = float(loss.detach()) / self.ranks.world
        hits = sum(float(part) for part in self._correct[: len(self.parts)])
        value, correct = self.ranks.total(mine, hits)
        return Outcome(value, round(correct), math.isfinite(value) and not skipped)

    def settle(self) -> None:
        """Move the centres of classes, where there are any, once the step is taken."""
        asked, centers = self.objective.recipe.center, self._classifier.centers
        if asked is None or centers is None:
            return
        pulls = self._pulls[: len(self.parts)]
        offsets = torch.stack([pull.offsets for pull in pulls]).sum(0)
        counts = torch.stack([pull.counts for pull in pulls]).sum(0)
        both = Pull(self.ranks.added(offsets), self.ranks.added(counts))
        move_centers(centers, both, asked.lr)

    def _loss(self, rows: slice, labels: torch.Tensor) -> tuple[torch.Tensor, Outputs]:
        values, mix = self.batch.values[rows], self.batch.mix
        if mix is not None:
            return self._mixed(mix, rows, values, labels)
        outputs = self.inputs.outputs(self.model, values, labels)
        loss = self.objective.of_logits(outputs.logits, outputs.labels, self.epoch)
        centers = self._classifier.centers
        asked = self.objective.of_features(outputs, labels, self.batch.patients[rows], centers)
        if centers is not None:
            self._pulls.append(pull_of(outputs.features, labels, centers))
        return loss if asked is None else loss + asked, outputs

    def _mixed(
        self, mix: Mix, rows: slice, values: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, Outputs]:
        partners = mix.partners(rows)
        if mix.at_input:
            values = mix.mixed(values, partners)
        with mix.within(self._classifier, partners):
            outputs = self.inputs.outputs(self.model, values, labels)
        own = self.objective.of_logits(outputs.logits, labels, self.epoch)
        other = self.objective.of_logits(outputs.logits, labels[partners], self.epoch)
        return mix.share * own + (1 - mix.share) * other, outputs

    @property
    def _classifier(self) -> Classifier:
        """The model itself, where DDP shares it."""
        model = getattr(self.model, "module", self.model)
        assert isinstance(model, Classifier)
        return model
