"""What meta-learners are fitted on: out-of-fold rows in which each patient weighs the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_softmax, logsumexp

from raymed.ensemble.calibration import averaged_loss
from raymed.errors import InputError

Array = npt.NDArray[np.float64]
Logits = npt.NDArray[np.floating[Any]]
Labels = npt.NDArray[np.int64]
Patients = npt.NDArray[np.object_]
FLOOR = 1e-6
"""No probability that enters a logarithm is taken for less."""
TINY = 1e-300
"""Nor what is divided by, or taken the logarithm of, after sums."""
PART = 8192
"""So many rows at a time become float64: what is made of all at once is small."""


@dataclass(frozen=True)
class MetaRows:
    """Members' logits [rows, members, classes], labels, patients and weights [rows].

    `norms` [rows, members] is what a logit exceeds its log-probability by. Those are made of a part
    of the rows at a time, in float64: of a million rows they would take gigabytes, which the
    logits, in the precision given, already do. Patients are numbered in the order of their names.
    Weights make every patient count 1 in all, however many rows each has.
    """

    logits: Logits
    norms: Array
    labels: Labels
    patients: npt.NDArray[np.int64]
    weights: Array

    @classmethod
    def of(cls, logits: Logits, labels: Labels, patients: Patients) -> Self:
        """Take logits [rows, members, classes]; refuses none of a row, and classes not there."""
        if not len(labels) or len(labels) != len(logits) or len(patients) != len(logits):
            raise InputError(
                "meta-learner",
                f"{len(logits)} rows of logits, {len(labels)} labels, {len(patients)} patients",
                "give one of each for a row, and at least one row",
            )
        if labels.min() < 0 or labels.max() >= logits.shape[2]:
            raise InputError(
                "meta-learner",
                f"labels {labels.min()} to {labels.max()} for {logits.shape[2]} classes",
                "number classes from 0",
            )
        norms = np.concatenate(
            [logsumexp(logits[part].astype(np.float64), axis=2) for part in spans(len(logits))]
        )
        numbers = number_patients(patients)
        return cls(logits, norms, labels, numbers, 1.0 / np.bincount(numbers)[numbers])

    @property
    def members(self) -> int:
        """How many members there are."""
        return int(self.logits.shape[1])

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.logits.shape[2])

    @property
    def logs(self) -> Array:
        """All log-probabilities at once, float64 [rows, members, classes]."""
        return log_probabilities(self.logits)

    @property
    def own(self) -> Array:
        """The log-probability that each member gives the true class [rows, members]."""
        return np.asarray(self.logits[np.arange(len(self.labels)), :, self.labels] - self.norms)

    def of_member(self, member: int) -> Array:
        """Give the log-probabilities of one member [rows, classes]."""
        return np.asarray(self.logits[:, member] - self.norms[:, [member]])

    def parts(self) -> Iterator[tuple[slice, Array]]:
        """Give span after span of the rows, with its log-probabilities."""
        for part in spans(len(self.labels)):
            yield part, self.logits[part] - self.norms[part, :, None]

    def combined(self, combine: Callable[[Array], Array]) -> Array:
        """Apply to log-probabilities, a part at a time, what makes one entry of each row."""
        return np.concatenate([combine(logs) for _, logs in self.parts()])

    def loss(self, log_scores: Array) -> float:
        """Give the weighted log loss, in nats, of log-probabilities [rows, classes]."""
        return averaged_loss(log_scores, self.labels, self.weights)[0]

    @cached_property
    def groups(self) -> npt.NDArray[np.int64]:
        """Number what counts as one: a patient's rows with the same label [rows]."""
        return number_groups(self.patients, self.labels)

    def averaged(self, values: Array) -> tuple[Array, Array]:
        """Average values [rows, k] over each group [groups, k]; with them the groups' weights."""
        sums = np.stack([np.bincount(self.groups, column) for column in values.T], axis=1)
        counts = np.bincount(self.groups)[:, None]
        return sums / counts, np.asarray(np.bincount(self.groups, self.weights), dtype=np.float64)

    @property
    def member_losses(self) -> Array:
        """The log loss of each member's mean over a patient's rows [members], in nats."""
        own, weights = self.averaged(np.exp(self.own))
        return np.asarray(-(weights @ np.log(np.maximum(own, TINY))) / weights.sum())

    def take(self, chosen: npt.NDArray[np.bool_ | np.integer[Any]]) -> "MetaRows":
        """Keep the rows that are chosen, by a mask [rows] or their numbers."""
        return MetaRows(
            self.logits[chosen],
            self.norms[chosen],
            self.labels[chosen],
            self.patients[chosen],
            self.weights[chosen],
        )


def spans(rows: int) -> Iterator[slice]:
    """Divide rows into spans of `PART`; of none there is one, empty."""
    for start in range(0, max(rows, 1), PART):
        yield slice(start, start + PART)


def log_probabilities(values: Logits, of: Literal["logits", "probabilities"] = "logits") -> Array:
    """Turn logits or probabilities [..., classes] into log-probabilities, float64."""
    given = np.asarray(values, dtype=np.float64)
    logs = np.log(np.maximum(given, FLOOR)) if of == "probabilities" else given
    return np.asarray(log_softmax(logs, axis=-1))


def flattened(logs: Array) -> Array:
    """Put members side by side [n, members * classes], no probability below `FLOOR`."""
    return np.maximum(logs, np.log(FLOOR)).reshape(len(logs), -1)


def number_groups(patients: npt.NDArray[np.int64], labels: Labels) -> npt.NDArray[np.int64]:
    """Number the pairs of patient and label from 0 [rows]: those rows are averaged."""
    pairs = patients * (int(labels.max()) + 1) + labels
    return np.asarray(np.unique(pairs, return_inverse=True)[1], dtype=np.int64)


def number_patients(patients: Patients) -> npt.NDArray[np.int64]:
    """Number patients from 0 in the order of their names [rows]."""
    return np.asarray(pd.factorize(patients, sort=True)[0], dtype=np.int64)
