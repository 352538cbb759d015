"""Two predictions of the same samples, compared patient by patient."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from raymed.data.predictions import Level
from raymed.errors import InputError, did_you_mean, some
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import Estimate, estimate
from raymed.evaluation.figures import Figure, classes_with_patients, headline_figures
from raymed.evaluation.permutation import permutation_p_value
from raymed.evaluation.rows import Rows
from raymed.evaluation.scoring import rows_at_level

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Difference(Estimate):
    """A difference with its interval and the two-sided p of a permutation test by patient."""

    p: float | None = None


def paired_difference(
    a_probabilities: ArrayLike,
    b_probabilities: ArrayLike,
    labels: ArrayLike,
    patients: Iterable[object],
    metric: str = "log_loss",
    *,
    level: Level = "image",
    folds: int = 1,
    draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Estimate metric(a) - metric(b) of two [samples, classes], with its 95 % interval and a p.

    Each draw resamples the patients once for both, so that what makes a patient hard for both
    cancels; as many draws exchange the two models patient by patient for the p. `metric` is
    log_loss, auroc (over classes with at least `folds` patients), accuracy, balanced_accuracy,
    macro_f1, ece, kappa, stage_error, off_by_one, expected_cost or expected_squared_cost. Where too
    few patients bear an interval, interval and p are left out and the reason logged. Raises
    InputError as `score` does.
    """
    names = list(patients)
    a = rows_at_level(a_probabilities, labels, names, level)
    b = rows_at_level(b_probabilities, labels, names, level)
    if a.classes != b.classes:
        raise InputError(
            "b_probabilities", f"{b.classes} classes where a_probabilities have {a.classes}"
        )
    difference, warning = difference_of_rows(a, b, metric, folds, draws, seed)
    if warning:
        logger.warning(warning)
    return difference


def difference_of_rows(
    a: Rows, b: Rows, metric: str, folds: int, draws: int, seed: int
) -> tuple[Difference, str | None]:
    """As `paired_difference`, of rows at their level; with it why there is no interval, if so."""
    among = classes_with_patients(a, folds)
    figure_a, figure_b = _figure(a, metric, among), _figure(b, metric, among)
    values_a = bootstrap({metric: figure_a.metric}, a, draws, seed)[metric]
    values_b = bootstrap({metric: figure_b.metric}, b, draws, seed)[metric]
    difference, warning = estimate(
        f"difference in {metric}", np.subtract(values_a, values_b), figure_a.supports
    )
    p = permutation_p_value(a, b, lambda rows: _figure(rows, metric, among).metric, draws, seed)
    found = Difference(**vars(difference), p=p if difference.low is not None else None)
    return found, warning


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values for being several (Holm 1979): the chance of any false claim stays at 5 %."""
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = largest
    return adjusted


def _figure(rows: Rows, metric: str, among: Sequence[int]) -> Figure:
    classes: Sequence[str] = [str(index) for index in range(rows.classes)]
    figures = headline_figures(rows, classes, among, ordinal=True, positive=None)
    if metric not in figures:
        remedy = did_you_mean(metric, figures) or f"choose among {some(list(figures), 9)}"
        raise InputError("metric", f"unknown metric {metric!r}", remedy)
    return figures[metric]
