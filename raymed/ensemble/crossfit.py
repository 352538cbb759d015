"""The stack's own score: meta-learners fitted on the other folds' patients, and chosen by that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.data.predictions import LEVELS, Level
from raymed.ensemble.meta_learners import REFERENCE, MetaRows, Settings, fit_meta_learner
from raymed.ensemble.meta_learners.rows import Array, number_groups, number_patients
from raymed.ensemble.meta_learners.threads import side_by_side
from raymed.ensemble.oof import OofTable
from raymed.errors import InputError

TIE = 0.01
"""Log losses, in nats, that differ by less are as good as equal."""

MOST_AT_ONCE = 10_000_000
"""Logits of a table whose folds are fitted at once: each takes several times their memory."""

SINGLE = "single"
"""The kind of a candidate that is one member, whichever is best."""


@dataclass(frozen=True)
class Candidate:
    """A kind of meta-learner with its cross-fitted probabilities [samples, classes].

    Those of `image` are of each image by itself, those of `patient` are to be averaged.
    """

    kind: str
    probabilities: Mapping[Level, Array]


def cross_fit(kind: str, oof: OofTable, settings: Settings | None = None) -> Candidate:
    """Predict each fold's rows by a meta-learner fitted on the rows of all other folds.

    A patient is in one fold, so no meta-learner saw the patients it is scored on. (The members
    that made the other folds' rows did: they were trained on this fold's patients.)
    """
    _refuse_what_cannot_be_cross_fitted(oof)
    probabilities = {level: np.empty((len(oof.labels), oof.classes)) for level in LEVELS}

    def predicted(inside: npt.NDArray[np.bool_]) -> dict[Level, Array]:
        others = oof.logits[~inside], oof.labels[~inside], oof.patients[~inside]
        return fit_meta_learner(kind, *others, settings).by_level(oof.logits[inside])

    folds = [oof.fold == fold for fold in np.unique(oof.fold)]
    run = side_by_side if oof.logits.size <= MOST_AT_ONCE else map
    for inside, by_level in zip(folds, run(predicted, folds), strict=True):
        for level, found in by_level.items():
            probabilities[level][inside] = found
    return Candidate(kind, probabilities)


def cross_fit_single(oof: OofTable) -> Candidate:
    """Predict each fold's rows by the member with the least log loss over other folds' patients.

    So the best single member is chosen as honestly as a meta-learner is fitted.
    """
    _refuse_what_cannot_be_cross_fitted(oof)
    rows = MetaRows.of(oof.logits, oof.labels, oof.patients)
    probabilities = np.empty((len(oof.labels), oof.classes))
    for fold in np.unique(oof.fold):
        inside = oof.fold == fold
        best = int(np.argmin(rows.take(~inside).member_losses))
        probabilities[inside] = np.exp(rows.take(inside).of_member(best))
    return Candidate(SINGLE, dict.fromkeys(LEVELS, probabilities))


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
    """Return the log loss, in nats, of each patient's mean over his images [patients]."""
    rows, numbers = np.arange(len(oof.labels)), number_patients(oof.patients)
    groups = number_groups(numbers, oof.labels)
    own = np.bincount(groups, candidate.probabilities["patient"][rows, oof.labels])
    losses = -np.log(np.clip(own / np.bincount(groups), 1e-15, None))[groups]
    return np.asarray(np.bincount(numbers, losses) / np.bincount(numbers))
