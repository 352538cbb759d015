"""Two predictions of the same samples, compared patient by patient."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from raymed.errors import InputError, did_you_mean, some
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import Estimate, estimate
from raymed.evaluation.figures import Figure, classes_with_patients, headline_figures
from raymed.evaluation.rows import Rows
from raymed.evaluation.scoring import Level, rows_at_level

logger = logging.getLogger(__name__)


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
) -> Estimate:
    """Estimate metric(a) - metric(b) of two [samples, classes], with its 95 % interval.

    Each draw resamples the patients once for both, so that what makes a patient hard for both
    cancels. `metric` is log_loss, auroc (over classes with at least `folds` patients), accuracy,
    balanced_accuracy, macro_f1, ece or kappa. Where too few patients bear an interval, it is left
    out and the reason logged. Raises InputError as `score` does.
    """
    names = list(patients)
    a = rows_at_level(a_probabilities, labels, names, level)
    b = rows_at_level(b_probabilities, labels, names, level)
    if a.classes != b.classes:
        raise InputError(
            "b_probabilities", f"{b.classes} classes where a_probabilities have {a.classes}"
        )
    figure_a, figure_b = _figure(a, metric, folds), _figure(b, metric, folds)
    values_a = bootstrap({metric: figure_a.metric}, a, draws, seed)[metric]
    values_b = bootstrap({metric: figure_b.metric}, b, draws, seed)[metric]
    difference, warning = estimate(
        f"difference in {metric}", np.subtract(values_a, values_b), figure_a.supports
    )
    if warning:
        logger.warning(warning)
    return difference


def _figure(rows: Rows, metric: str, folds: int) -> Figure:
    classes: Sequence[str] = [str(index) for index in range(rows.classes)]
    among = classes_with_patients(rows, folds)
    figures = headline_figures(rows, classes, among, ordinal=True, positive=None)
    if metric not in figures:
        remedy = did_you_mean(metric, figures) or f"choose among {some(list(figures), 9)}"
        raise InputError("metric", f"unknown metric {metric!r}", remedy)
    return figures[metric]
