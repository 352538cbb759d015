"""The stack's own score: meta-learners fitted on the other folds' patients, and chosen by that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.ensemble.meta_learners import Array, fit_meta_learner
from raymed.ensemble.oof import OofTable


@dataclass(frozen=True)
class Candidate:
    """A kind of meta-learner with its cross-fitted probabilities [samples, classes]."""

    kind: str
    probabilities: Array


def cross_fit(kind: str, oof: OofTable, penalty: float = 1.0) -> Candidate:
    """Predict each fold's rows by a meta-learner fitted on the rows of all other folds.

    A patient is in one fold, so no meta-learner saw the patients it is scored on. (The members
    that made the other folds' rows did: they were trained on this fold's patients.)
    """
    probabilities = np.empty((len(oof.labels), oof.classes))
    for fold in np.unique(oof.fold):
        inside = oof.fold == fold
        fitted = fit_meta_learner(
            kind, oof.logits[~inside], oof.labels[~inside], oof.patients[~inside], penalty
        )
        probabilities[inside] = fitted.probabilities(oof.logits[inside])
    return Candidate(kind, probabilities)


def choose(candidates: Sequence[Candidate], oof: OofTable) -> Candidate:
    """Choose by log loss over patients; a later candidate must win by one standard error.

    Candidates come simplest first, so ties go to the simpler one.
    """
    best = candidates[0]
    for rival in candidates[1:]:
        gain = _patient_losses(best, oof) - _patient_losses(rival, oof)
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
        if gain.mean() > error:
            best = rival
    return best


def _patient_losses(candidate: Candidate, oof: OofTable) -> npt.NDArray[np.float64]:
    """Return each patient's mean log loss, in nats."""
    rows = np.arange(len(oof.labels))
    losses = -np.log(np.clip(candidate.probabilities[rows, oof.labels], 1e-15, None))
    _, inverse, counts = np.unique(
        oof.patients.astype(str), return_inverse=True, return_counts=True
    )
    return np.asarray(np.bincount(inverse, losses) / counts)
