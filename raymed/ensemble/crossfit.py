"""The stack's own score: meta-learners fitted on the other folds' patients, and chosen by that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.ensemble.meta_learners import REFERENCE, Settings, fit_meta_learner
from raymed.ensemble.meta_learners.rows import Array, number_patients
from raymed.ensemble.oof import OofTable
from raymed.errors import InputError

TIE = 0.01
"""Log losses, in nats, that differ by less are as good as equal."""


@dataclass(frozen=True)
class Candidate:
    """A kind of meta-learner with its cross-fitted probabilities [samples, classes]."""

    kind: str
    probabilities: Array


def cross_fit(kind: str, oof: OofTable, settings: Settings | None = None) -> Candidate:
    """Predict each fold's rows by a meta-learner fitted on the rows of all other folds.

    A patient is in one fold, so no meta-learner saw the patients it is scored on. (The members
    that made the other folds' rows did: they were trained on this fold's patients.)
    """
    _refuse_what_cannot_be_cross_fitted(oof)
    probabilities = np.empty((len(oof.labels), oof.classes))
    for fold in np.unique(oof.fold):
        inside = oof.fold == fold
        fitted = fit_meta_learner(
            kind, oof.logits[~inside], oof.labels[~inside], oof.patients[~inside], settings
        )
        probabilities[inside] = fitted.probabilities(oof.logits[inside])
    return Candidate(kind, probabilities)


def choose(candidates: Sequence[Candidate], oof: OofTable) -> Candidate:
    """Choose the simplest of those that tie with the least cross-fitted log loss over patients.

    A candidate ties when its loss is higher by at most one standard error of the difference over
    patients, and by at most `TIE`: with few patients the first alone would forgive any loss.
    Candidates come simplest first; a reference is never chosen.
    """
    able = [candidate for candidate in candidates if candidate.kind != REFERENCE]
    losses = [_patient_losses(candidate, oof) for candidate in able]
    least = losses[int(np.argmin([loss.mean() for loss in losses]))]
    for candidate, loss in zip(able, losses, strict=True):
        worse = loss - least
        error = worse.std(ddof=1) / np.sqrt(len(worse)) if len(worse) > 1 else np.inf
        if worse.mean() <= min(error, TIE):
            return candidate
    raise AssertionError("the one with the least loss ties with itself")


def _refuse_what_cannot_be_cross_fitted(oof: OofTable) -> None:
    if len(np.unique(oof.labels)) < 2:
        raise InputError(
            "OOF table", f"all rows have class {oof.labels[0]}", "a stack needs two classes"
        )
    if len(np.unique(oof.fold)) < 2:
        raise InputError(
            "OOF table", "all patients are in one fold", "cross-fitting needs two: set data.folds"
        )


def _patient_losses(candidate: Candidate, oof: OofTable) -> npt.NDArray[np.float64]:
    """Return each patient's mean log loss, in nats."""
    rows = np.arange(len(oof.labels))
    losses = -np.log(np.clip(candidate.probabilities[rows, oof.labels], 1e-15, None))
    numbers = number_patients(oof.patients)
    return np.asarray(np.bincount(numbers, losses) / np.bincount(numbers))
