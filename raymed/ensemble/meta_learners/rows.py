"""What meta-learners are fitted on: out-of-fold rows in which each patient weighs the same."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from raymed.errors import InputError

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Patients = npt.NDArray[np.object_]
FLOOR = 1e-6
"""No probability that enters a logarithm is taken for less."""


@dataclass(frozen=True)
class MetaRows:
    """Members' log-probabilities [rows, members, classes], labels, patients, weights [rows].

    Weights make every patient count 1 in all, however many rows each has.
    """

    logs: Array
    labels: Labels
    patients: Patients
    weights: Array

    @classmethod
    def of(cls, logits: npt.NDArray[np.floating[Any]], labels: Labels, patients: Patients) -> Self:
        """Take logits [rows, members, classes]; refuses none of a row, and classes not there."""
        logs = log_probabilities(logits)
        if not len(labels) or len(labels) != len(logs) or len(patients) != len(logs):
            raise InputError(
                "meta-learner",
                f"{len(logs)} rows of logits, {len(labels)} labels, {len(patients)} patients",
                "give one of each for a row, and at least one row",
            )
        if labels.min() < 0 or labels.max() >= logs.shape[2]:
            raise InputError(
                "meta-learner",
                f"labels {labels.min()} to {labels.max()} for {logs.shape[2]} classes",
                "number classes from 0",
            )
        return cls(logs, labels, patients, patient_weights(patients))

    @property
    def members(self) -> int:
        """How many members there are."""
        return int(self.logs.shape[1])

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.logs.shape[2])

    def loss(self, log_scores: Array) -> float:
        """Give the weighted log loss, in nats, of log-probabilities [rows, classes]."""
        own = log_scores[np.arange(len(self.labels)), self.labels]
        return float(-(self.weights * own).sum() / self.weights.sum())

    def take(self, chosen: npt.NDArray[np.bool_]) -> "MetaRows":
        """Keep the rows that are chosen [rows]."""
        return MetaRows(
            self.logs[chosen], self.labels[chosen], self.patients[chosen], self.weights[chosen]
        )


def log_probabilities(
    values: npt.NDArray[np.floating[Any]], of: Literal["logits", "probabilities"] = "logits"
) -> Array:
    """Turn logits or probabilities [..., classes] into log-probabilities, float64."""
    given = np.asarray(values, dtype=np.float64)
    logs = np.log(np.maximum(given, FLOOR)) if of == "probabilities" else given
    return np.asarray(log_softmax(logs, axis=-1))


def patient_weights(patients: Patients) -> Array:
    """Weigh rows so that each patient counts 1 in all."""
    _, inverse, counts = np.unique(patients.astype(str), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse])
