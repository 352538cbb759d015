"""The cases that a table of predictions is surest about, rightly and wrongly."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raymed.evaluation.levels import to_patient_level
from raymed.evaluation.rows import IntArray, StrArray


@dataclass(frozen=True, eq=False)
class Case:
    """A patient with one label, as the mean of his samples says."""

    rows: IntArray  # his samples with that label
    shown: int  # the one of them that gives `predicted` the most
    label: int
    predicted: int
    probability: float  # of `predicted`

    @property
    def right(self) -> bool:
        """Whether the prediction is the label."""
        return self.predicted == self.label


def surest_cases(
    probabilities: ArrayLike, labels: ArrayLike, patients: Iterable[object], most: int
) -> list[Case]:
    """Choose at most `most` of the surest mistakes, then as many of the surest right answers.

    Takes probabilities [samples, classes], labels [samples] and patients [samples], and averages a
    patient's samples. A patient comes once, as a mistake where he gives one that is chosen. Right
    answers are spread over classes: the surest of each class, then the second of each, and so on.
    Raises InputError as `read_rows` does.
    """
    names = np.array([str(patient) for patient in patients], dtype=np.str_)
    samples, own = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    people = to_patient_level(samples, own, names)
    predicted = people.probabilities.argmax(axis=1)
    surest = np.argsort(-people.probabilities.max(axis=1), kind="stable")
    right = predicted == people.labels
    mistakes = _once(surest[~right[surest]], people.patients)[:most]
    others = ~np.isin(people.patients, people.patients[mistakes])
    hits = _once(surest[(right & others)[surest]], people.patients)
    cases = []
    for row in (*mistakes, *_in_turns(hits, people.labels)[:most]):
        rows = np.flatnonzero((names == people.patients[row]) & (own == people.labels[row]))
        cases.append(
            Case(
                rows,
                int(rows[samples[rows, predicted[row]].argmax()]),
                int(people.labels[row]),
                int(predicted[row]),
                float(people.probabilities[row, predicted[row]]),
            )
        )
    return cases


def _once(rows: NDArray[np.intp], patients: StrArray) -> NDArray[np.intp]:
    """Keep each patient's first row, in order."""
    _, first = np.unique(patients[rows], return_index=True)
    return rows[np.sort(first)]


def _in_turns(rows: NDArray[np.intp], labels: IntArray) -> NDArray[np.intp]:
    """Take the first row of each label, then the second of each, and so on."""
    turn = np.zeros(len(rows), dtype=np.int64)
    for label in np.unique(labels[rows]):
        own = labels[rows] == label
        turn[own] = np.arange(own.sum())
    return rows[np.argsort(turn, kind="stable")]
