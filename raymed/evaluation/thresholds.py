"""A threshold for a two-way question, chosen on out-of-fold rows, and figures at it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from raymed.data.predictions import Level
from raymed.evaluation import metrics
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import Estimate, Support, estimate
from raymed.evaluation.rows import FloatArray, StrArray, read_rows
from raymed.evaluation.scoring import rows_at_level

HALF = 0.5

Chooser = Callable[[FloatArray, npt.NDArray[np.bool_]], float]
"""Scores and truths [rows] to a threshold."""


@dataclass(frozen=True, eq=False)
class Question:
    """Rows of a two-way question: is it one of the positive classes?"""

    scores: FloatArray  # [rows], the summed probability of the positive classes
    is_positive: npt.NDArray[np.bool_]  # [rows], the truth
    patients: StrArray  # [rows]


def ask(
    probabilities: ArrayLike,
    labels: ArrayLike,
    patients: Iterable[object],
    positive: Sequence[int],
    *,
    level: Level,
) -> Question:
    """Put the question to probabilities [samples, classes], at image or patient level.

    `positive` holds class indices. Raises InputError as `score` does.
    """
    rows = rows_at_level(probabilities, labels, patients, level)
    return Question(
        scores=rows.probabilities[:, list(positive)].sum(axis=1),
        is_positive=np.isin(rows.labels, list(positive)),
        patients=rows.patient_ids[rows.patient],
    )


def choose_threshold(scores: FloatArray, is_positive: npt.NDArray[np.bool_]) -> float:
    """Choose the score from which on to say positive: the best balanced accuracy on these rows.

    That is Youden's index, sensitivity + specificity - 1 (Youden 1950); of equals the highest.
    A half where one side has no rows, for then there is nothing to choose by.
    """
    if is_positive.all() or not is_positive.any():
        return HALF
    false_alarms, sensitivity, thresholds = roc_curve(is_positive, scores, drop_intermediate=False)
    youden = np.round(sensitivity - false_alarms, 12)  # equals stay equal whatever the last bit
    return float(thresholds[1:][youden[1:].argmax()])  # the first one is infinite


def threshold_at_specificity(
    scores: FloatArray, is_positive: npt.NDArray[np.bool_], specificity: float
) -> float:
    """Choose the lowest score from which on at least so many of the others are left in peace.

    Where no score of these rows does, it is just above the highest of the others; a half without
    others.
    """
    others = np.sort(scores[~is_positive])
    if not len(others):
        return HALF
    spared = int(np.ceil(specificity * len(others) - 1e-9))  # others that must lie below it
    above = np.nextafter(others[spared - 1], np.inf) if spared else others[0]
    candidates = scores[scores >= above]
    return float(candidates.min()) if len(candidates) else float(above)


def cross_fit_thresholds(
    question: Question, folds: Mapping[str, int], choose: Chooser = choose_threshold
) -> FloatArray:
    """Give each row the threshold chosen on the other folds' rows: [rows].

    `folds` maps a patient to its fold, so no threshold saw the patients it is scored on.
    """
    fold = np.asarray([folds[patient] for patient in question.patients])
    thresholds = np.empty(len(fold))
    for each in np.unique(fold):
        inside = fold == each
        thresholds[inside] = choose(question.scores[~inside], question.is_positive[~inside])
    return thresholds


def score_at_threshold(
    question: Question,
    thresholds: ArrayLike,
    *,
    prevalence: float | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, Estimate], list[str]]:
    """Estimate balanced accuracy, sensitivity and specificity of `scores >= thresholds`.

    One threshold, or one a row. With a `prevalence` in (0, 1) come the predictive values where so
    many are positive, whatever their share here (Bayes). Resamples draw patients and leave the
    thresholds as they are. With the estimates come the warnings that `score` would give.
    """
    said = (question.scores >= np.asarray(thresholds)).astype(np.float64)
    answers = np.stack([1 - said, said], axis=1)
    rows = read_rows(answers, question.is_positive.astype(np.int64), question.patients)
    sides = [
        Support("of the other classes", rows.patients_with(rows.labels == 0)),
        Support("of the positive classes", rows.patients_with(rows.labels == 1)),
    ]
    figures = {
        "binary_balanced_accuracy": (metrics.balanced_accuracy(rows), sides),
        "binary_sensitivity": (metrics.recall(rows, 1), sides[1:]),
        "binary_specificity": (metrics.specificity(rows, 1), sides[:1]),
    }
    if prevalence is not None:
        values_of = metrics.predictive_values(rows, prevalence)
        figures |= {f"binary_{name}": (metric, sides) for name, metric in values_of.items()}
    values = bootstrap({name: metric for name, (metric, _) in figures.items()}, rows, draws, seed)
    found = {name: estimate(name, values[name], who) for name, (_, who) in figures.items()}
    warnings = [warning for _, warning in found.values() if warning]
    return {name: figure for name, (figure, _) in found.items()}, warnings
