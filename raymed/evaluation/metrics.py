"""Metrics as functions of patient weights: one code for the point estimate and the bootstrap.

Each function here prepares what does not depend on the weights and returns a WeightedMetric.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from raymed.evaluation.rows import FloatArray, IntArray, Rows

WeightedMetric = Callable[[FloatArray], FloatArray]
"""Patient weights [draws, patients] to values [draws]; NaN where a draw leaves it undefined."""

BINS = 15
SMALLEST_PROBABILITY = 1e-15


def log_loss(rows: Rows) -> WeightedMetric:
    """Mean of -ln p(label), p renormalised to sum 1 and clipped at 1e-15; 0 and up, in nats."""
    own = rows.probabilities[np.arange(len(rows.labels)), rows.labels]
    normalised = own / rows.probabilities.sum(axis=1)
    losses = -np.log(np.clip(normalised, SMALLEST_PROBABILITY, 1.0))
    return _share(rows, losses, np.ones(len(losses)))


def accuracy(rows: Rows) -> WeightedMetric:
    """Share of rows whose most probable class is their label."""
    return _share(rows, rows.predicted == rows.labels, np.ones(len(rows.labels)))


def recall(rows: Rows, of: int) -> WeightedMetric:
    """Share of the rows of class `of` that are predicted as such (sensitivity)."""
    own = rows.labels == of
    return _share(rows, own & (rows.predicted == of), own)


def specificity(rows: Rows, of: int) -> WeightedMetric:
    """Share of the rows of other classes that are not predicted as class `of`."""
    others = rows.labels != of
    return _share(rows, others & (rows.predicted != of), others)


def predictive_values(rows: Rows, prevalence: float) -> dict[str, WeightedMetric]:
    """Positive and negative predictive value (`ppv`, `npv`) of class 1 at a stated prevalence.

    ppv = sens * prev / (sens * prev + (1 - spec) (1 - prev)), npv likewise; undefined where nothing
    is called so.
    """
    sensitivity, specificity_of = recall(rows, 1), specificity(rows, 1)

    def ppv(weights: FloatArray) -> FloatArray:
        true = sensitivity(weights) * prevalence
        return _divide(true, true + (1 - specificity_of(weights)) * (1 - prevalence))

    def npv(weights: FloatArray) -> FloatArray:
        true = specificity_of(weights) * (1 - prevalence)
        return _divide(true, true + (1 - sensitivity(weights)) * prevalence)

    return {"ppv": ppv, "npv": npv}


def balanced_accuracy(rows: Rows) -> WeightedMetric:
    """Mean recall over the classes present in labels."""
    confusions, present = weighted_confusions(rows), np.unique(rows.labels)

    def value(weights: FloatArray) -> FloatArray:
        tables = confusions(weights)
        hits, own = _diagonal(tables)[:, present], tables.sum(axis=2)[:, present]
        return _mean_over_classes(_divide(hits, own))

    return value


def macro_f1(rows: Rows) -> WeightedMetric:
    """Mean over the classes present in labels of F1 = 2 TP / (2 TP + FP + FN)."""
    confusions, present = weighted_confusions(rows), np.unique(rows.labels)

    def value(weights: FloatArray) -> FloatArray:
        tables = confusions(weights)
        own = tables.sum(axis=2)[:, present]
        either = own + tables.sum(axis=1)[:, present]
        f1 = _divide(2 * _diagonal(tables)[:, present], either)
        # A draw without the class says nothing about it, even if the class is predicted there.
        return _mean_over_classes(np.where(own > 0, f1, np.nan))

    return value


def kappa(rows: Rows) -> WeightedMetric:
    """Cohen's kappa with quadratic weights, for ordered classes; -1 to 1, chance is 0.

    1 - sum(d * observed) / sum(d * expected), d = (true - predicted)^2 (Cohen 1968). It is
    undefined where all rows have the same label and prediction.
    """
    confusions = weighted_confusions(rows)
    distance = np.subtract.outer(np.arange(rows.classes), np.arange(rows.classes)) ** 2.0

    def value(weights: FloatArray) -> FloatArray:
        tables = confusions(weights)
        true, predicted = tables.sum(axis=2), tables.sum(axis=1)
        observed = np.einsum("dtp,tp->d", tables, distance)
        expected = np.einsum("dt,dp,tp->d", true, predicted, distance)
        return 1 - _divide(observed * tables.sum(axis=(1, 2)), expected)

    return value


def stage_error(rows: Rows) -> WeightedMetric:
    """Mean absolute stage error |true - predicted|, for ordered classes; 0 and up, in stages."""
    return _share(rows, np.abs(rows.labels - rows.predicted), np.ones(len(rows.labels)))


def off_by_one(rows: Rows) -> WeightedMetric:
    """Share of rows predicted as their class or a neighbouring one, for ordered classes."""
    near = np.abs(rows.labels - rows.predicted) <= 1
    return _share(rows, near, np.ones(len(rows.labels)))


def expected_cost(rows: Rows, power: int = 1) -> WeightedMetric:
    """Mean of sum_j p_j |j - label|^power, for ordered classes; 0 and up, in stages^power.

    What the probabilities, not the decision, are expected to be wrong by: the cost that targets
    smoothed by the distance between classes go with (Diaz and Marathe 2019).
    """
    apart = np.abs(np.arange(rows.classes)[None, :] - rows.labels[:, None]).astype(float) ** power
    normalised = rows.probabilities / rows.probabilities.sum(axis=1, keepdims=True)
    return _share(rows, (normalised * apart).sum(axis=1), np.ones(len(rows.labels)))


def ece(rows: Rows) -> WeightedMetric:
    """Expected calibration error of the top class in 15 equal-width bins (Guo et al. 2017).

    Resampling adds noise within bins, which this figure counts as miscalibration: its bootstrap
    draws lie high, the more so the fewer the rows.
    """
    bins, confidence = confidence_bins(rows)
    gap = (rows.predicted == rows.labels) - confidence
    by_bin = np.stack([rows.per_patient(gap * (bins == b)) for b in range(BINS)], axis=1)
    sizes = rows.per_patient(np.ones(len(gap)))
    return lambda weights: _divide(np.abs(weights @ by_bin).sum(axis=1), weights @ sizes)


def auroc(rows: Rows, positive: Sequence[int]) -> WeightedMetric:
    """Area under the ROC curve of the classes in `positive` together against all others.

    The weighted Mann-Whitney statistic: the share of (positive, other) pairs of rows in which the
    positive one has the higher summed probability, ties counting half.
    """
    scores = rows.probabilities[:, list(positive)].sum(axis=1)
    is_positive = np.isin(rows.labels, list(positive))
    others = np.flatnonzero(~is_positive)
    others = others[np.argsort(scores[others], kind="stable")]
    below = np.searchsorted(scores[others], scores[is_positive], side="left")
    up_to = np.searchsorted(scores[others], scores[is_positive], side="right")
    positive_patient, other_patient = rows.patient[is_positive], rows.patient[others]

    def value(weights: FloatArray) -> FloatArray:
        by_patient = np.ascontiguousarray(weights.T)
        passed = np.zeros((len(others) + 1, len(weights)))
        np.cumsum(by_patient[other_patient], axis=0, out=passed[1:])
        own = by_patient[positive_patient]
        wins = np.einsum("rd,rd->d", own, passed[below]) + np.einsum("rd,rd->d", own, passed[up_to])
        return _divide(wins, 2 * own.sum(axis=0) * passed[-1])

    return value


def macro_auroc(rows: Rows, among: Sequence[int]) -> WeightedMetric:
    """Mean one-versus-rest AUROC over the classes in `among`; undefined where there is none."""
    areas = [auroc(rows, [each]) for each in among]
    if not areas:
        return lambda weights: np.full(len(weights), np.nan)
    return lambda weights: np.mean([area(weights) for area in areas], axis=0)


def weighted_confusions(rows: Rows) -> Callable[[FloatArray], FloatArray]:
    """Patient weights [draws, patients] to confusion tables [draws, true, predicted]."""
    cells = rows.classes**2
    cell = rows.labels * rows.classes + rows.predicted
    counts = np.bincount(rows.patient * cells + cell, minlength=rows.patients * cells)
    by_patient = counts.reshape(rows.patients, cells).astype(np.float64)
    return lambda weights: (weights @ by_patient).reshape(-1, rows.classes, rows.classes)


def confidence_bins(rows: Rows) -> tuple[IntArray, FloatArray]:
    """Each row's bin [rows], 0..14, and the probability of its most probable class [rows].

    A bin holds its upper edge, not its lower.
    """
    confidence = np.minimum(rows.probabilities.max(axis=1), 1.0)
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1), confidence, side="left") - 1
    return bins.astype(np.int64), confidence


def _share(rows: Rows, part: ArrayLike, whole: ArrayLike) -> WeightedMetric:
    parts, wholes = rows.per_patient(part), rows.per_patient(whole)
    return lambda weights: _divide(weights @ parts, weights @ wholes)


def _mean_over_classes(values: FloatArray) -> FloatArray:
    return np.asarray(values.mean(axis=1), dtype=np.float64)


def _diagonal(tables: FloatArray) -> FloatArray:
    return np.diagonal(tables, axis1=1, axis2=2)


def _divide(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
