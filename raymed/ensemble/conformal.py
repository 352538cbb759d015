"""Conformal sets: the classes that cannot be ruled out, with a promised coverage.

A set holds the true class of a new patient's sample with probability 1 - alpha at least, if new
patients are like those it was calibrated on, whatever the model. A patient counts once, however
many samples he has: the quantile weighs each by one over their number, and one more patient stands
at infinity (hierarchical conformal prediction: Lee, Barber, Willett 2023, arXiv 2306.06342; with a
sample a patient it is split conformal prediction, Vovk et al. 2005).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from raymed.ensemble.meta_learners.rows import Array, Labels, Patients
from raymed.errors import InputError

Method = Literal["lac", "aps"]
Sets = npt.NDArray[np.bool_]
"""Whether a class is in a row's set [rows, classes]."""


@dataclass(frozen=True)
class Conformal:
    """Calibrated sets: a class is in where its score is at most its threshold [classes].

    `lac`: the score is 1 - p (Sadinle et al. 2019), the smallest sets on average; it may leave a
    set empty, which says that no class fits. `aps`: the score is the probability of all classes
    down to this one, itself included (Romano et al. 2020, without randomisation, so that coverage
    is rather more than promised), never empty.
    """

    method: Method
    alpha: float
    thresholds: Array

    def sets(self, probabilities: Array) -> Sets:
        """Give each row's set, bool [rows, classes]."""
        inside = class_scores(self.method, probabilities) <= self.thresholds
        if self.method == "aps":
            inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return np.asarray(inside)


def fit_conformal(
    probabilities: Array,
    labels: Labels,
    patients: Patients,
    *,
    method: Method = "lac",
    alpha: float = 0.1,
    by_class: bool = False,
) -> Conformal:
    """Calibrate on rows that the stack did not learn from: cross-fitted [n, classes], labels [n].

    With `by_class` each class has a threshold of its own (Mondrian), so that the promise holds for
    rare ones too; a class with fewer patients than 1 / alpha - 1 is in every set. Raises
    `InputError` for an alpha outside (0, 1).
    """
    if not 0 < alpha < 1:
        raise InputError("alpha", f"{alpha} is not between 0 and 1", "0.1 promises 90 %")
    own = class_scores(method, probabilities)[np.arange(len(labels)), labels]
    classes = probabilities.shape[1]
    if not by_class:
        thresholds = np.full(classes, _threshold(own, patients, alpha))
    else:
        thresholds = np.array(
            [_threshold(own[labels == c], patients[labels == c], alpha) for c in range(classes)]
        )
    return Conformal(method, alpha, thresholds)


def cross_fitted_sets(
    probabilities: Array,
    labels: Labels,
    patients: Patients,
    fold: npt.NDArray[np.integer[Any]],
    *,
    method: Method = "lac",
    alpha: float = 0.1,
    by_class: bool = False,
) -> Sets:
    """Give the sets of each fold's rows by thresholds that the other folds' rows set."""
    sets = np.zeros(probabilities.shape, dtype=bool)
    for each in np.unique(fold):
        inside = fold == each
        fitted = fit_conformal(
            probabilities[~inside],
            labels[~inside],
            patients[~inside],
            method=method,
            alpha=alpha,
            by_class=by_class,
        )
        sets[inside] = fitted.sets(probabilities[inside])
    return sets


def class_scores(method: Method, probabilities: Array) -> Array:
    """How badly each class fits [rows, classes], from 0."""
    if method == "lac":
        return np.asarray(1 - probabilities)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    down_to = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    scores = np.empty_like(probabilities)
    np.put_along_axis(scores, order, down_to, axis=1)
    return scores


def _threshold(scores: Array, patients: Patients, alpha: float) -> float:
    """The 1 - alpha quantile of the scores, a patient weighing 1 of n + 1; else infinity."""
    if not len(scores):
        return np.inf
    _, inverse, counts = np.unique(patients.astype(str), return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(1 / counts[inverse][order]) / (len(counts) + 1)
    enough = np.flatnonzero(reached >= 1 - alpha - 1e-12)
    return float(scores[order[enough[0]]]) if len(enough) else np.inf
