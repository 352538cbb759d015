"""ROC and precision-recall curves of a two-way question, with bands from resampled patients."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import LEVELS, Estimate, Support, estimate
from raymed.evaluation.metrics import WeightedMetric
from raymed.evaluation.rows import FloatArray, Rows
from raymed.evaluation.thresholds import Question

GRID: FloatArray = np.linspace(0.0, 1.0, 101)
"""Where bands are told: false-positive rates of a ROC curve, recalls of the other."""
ROUNDING = 1e-9  # shares are fractions of patients: none lies closer to a grid point but on it


@dataclass(frozen=True, eq=False)
class Curve:
    """Points with x from 0 to 1, the area under them, and their band on `GRID`.

    A point has none where one side has no rows. `low` and `high` [101] are the 2.5th and 97.5th
    percentiles of the resamples, point by point, widened where they would leave the curve out;
    None where `area` has no interval, for the reason in `warning`.
    """

    x: FloatArray
    y: FloatArray
    area: Estimate
    low: FloatArray | None
    high: FloatArray | None
    warning: str | None


@dataclass(frozen=True)
class Curves:
    """Both curves of one question.

    Between two points a ROC curve is a line (its area is the AUROC); a precision-recall curve holds
    the precision of the later one (its area is the average precision).
    """

    roc: Curve
    precision_recall: Curve


@dataclass(frozen=True)
class OperatingPoint:
    """Where a threshold lies on both curves; a share of nothing is None."""

    sensitivity: float | None
    false_positive_rate: float | None
    precision: float | None


def draw_curves(
    question: Question,
    positive: str = "of the positive classes",
    others: str = "of the other classes",
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Curves:
    """Draw both curves; `positive` and `others` name the two sides' patients in warnings.

    Each draw resamples the patients and draws its own curves. With 0 draws there are no bands.
    """
    rows = _rows(question)
    counts = _counts(rows)
    sides = [
        Support(positive, rows.patients_with(rows.labels == 1)),
        Support(others, rows.patients_with(rows.labels == 0)),
    ]
    kinds = {"AUROC": _roc, "average precision": _precision_recall}
    metrics = {name: _metric(counts, points) for name, points in kinds.items()}
    values = bootstrap(metrics, rows, draws, seed)
    false, true = counts(np.ones((1, rows.patients)))
    roc, precision_recall = (
        _curve(name, points(false[0], true[0]), values[name], sides)
        for name, points in kinds.items()
    )
    return Curves(roc, precision_recall)


def operating_point(question: Question, threshold: float) -> OperatingPoint:
    """Find where `scores >= threshold` lies."""
    said, truth = question.scores >= threshold, question.is_positive

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    hits = int((said & truth).sum())
    return OperatingPoint(
        share(hits, int(truth.sum())),
        share(int(said.sum()) - hits, int((~truth).sum())),
        share(hits, int(said.sum())),
    )


@dataclass(frozen=True, eq=False)
class _Points:
    """A curve's points, its area, and its heights on the grid."""

    x: FloatArray
    y: FloatArray
    area: float
    heights: FloatArray


def _rows(question: Question) -> Rows:
    names, patient = np.unique(question.patients, return_inverse=True)
    return Rows(
        np.stack([1 - question.scores, question.scores], axis=1),
        question.is_positive.astype(np.int64),
        patient.astype(np.int64),
        names,
    )


_Counts = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
_Draw = Callable[[FloatArray, FloatArray], _Points]


def _counts(rows: Rows) -> _Counts:
    """Patient weights [draws, patients] to what lies at or above each score, from the highest on.

    False and true positives [draws, 1 + distinct scores]: rows of one score come together.
    """
    scores = rows.probabilities[:, 1]
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    patient, label = rows.patient[order], rows.labels[order]

    def counts(weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        each = weights[:, patient]
        above = (np.cumsum(each * (label == side), axis=1)[:, last] for side in (0, 1))
        false, true = (np.pad(side, ((0, 0), (1, 0))) for side in above)
        return false, true

    return counts


def _metric(counts: _Counts, points: _Draw) -> WeightedMetric:
    """Each draw's area, then its heights: [draws, 1 + 101]."""

    def values(weights: FloatArray) -> FloatArray:
        drawn = [points(*each) for each in zip(*counts(weights), strict=True)]
        return np.stack([np.append(each.area, each.heights) for each in drawn])

    return values


def _roc(false: FloatArray, true: FloatArray) -> _Points:
    if not false[-1] or not true[-1]:
        return _undefined()
    x, y = false / false[-1], true / true[-1]
    left = np.searchsorted(x, GRID + ROUNDING, side="right") - 1  # above a step, not below it
    right = np.minimum(left + 1, len(x) - 1)
    run = x[right] - x[left]
    share = np.divide(GRID - x[left], run, out=np.zeros_like(GRID), where=run > 0)
    heights = y[left] + np.clip(share, 0, 1) * (y[right] - y[left])
    return _Points(x, y, float(np.trapezoid(y, x)), heights)


def _precision_recall(false: FloatArray, true: FloatArray) -> _Points:
    if not false[-1] or not true[-1]:
        return _undefined()
    more = np.flatnonzero(np.diff(true) > 0) + 1  # where recall grows: elsewhere precision falls
    recall, precision = true[more] / true[-1], true[more] / (true[more] + false[more])
    area = float(np.diff(recall, prepend=0.0) @ precision)
    heights = precision[np.searchsorted(recall, GRID - ROUNDING)]
    return _Points(np.append(0.0, recall), np.append(precision[0], precision), area, heights)


def _undefined() -> _Points:
    return _Points(np.empty(0), np.empty(0), float("nan"), np.full_like(GRID, np.nan))


def _curve(name: str, points: _Points, values: FloatArray, sides: list[Support]) -> Curve:
    area, warning = estimate(name, values[:, 0], sides)
    if area.low is None:
        return Curve(points.x, points.y, area, None, None, warning)
    low, high = np.nanpercentile(values[1:, 1:], LEVELS, axis=0)
    low, high = np.minimum(low, points.heights), np.maximum(high, points.heights)
    return Curve(points.x, points.y, area, low, high, warning)
