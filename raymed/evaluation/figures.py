"""Which figures are computed, and which patients each rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raymed.evaluation import metrics
from raymed.evaluation.estimates import Support, everyone, of_class, of_others
from raymed.evaluation.metrics import WeightedMetric
from raymed.evaluation.rows import Rows


@dataclass(frozen=True)
class Figure:
    """A metric on given rows, and the groups of patients that it rests on."""

    metric: WeightedMetric
    supports: list[Support]


def classes_with_patients(rows: Rows, at_least: int) -> list[int]:
    """The classes that at least so many patients have."""
    return [c for c in range(rows.classes) if rows.patients_with(rows.labels == c) >= at_least]


def headline_figures(
    rows: Rows,
    classes: Sequence[str],
    among: Sequence[int],
    *,
    ordinal: bool,
    positive: Sequence[str] | None,
) -> dict[str, Figure]:
    """The figures over all classes, in the order in which reports show them."""
    everybody = [everyone(rows)]
    each_present = [of_class(rows, classes, int(index)) for index in np.unique(rows.labels)]
    ranked = [side(rows, classes, index) for index in among for side in (of_class, of_others)]
    figures = {
        "log_loss": Figure(metrics.log_loss(rows), everybody),
        "auroc": Figure(metrics.macro_auroc(rows, among), ranked),
        "accuracy": Figure(metrics.accuracy(rows), everybody),
        "balanced_accuracy": Figure(metrics.balanced_accuracy(rows), each_present),
        "macro_f1": Figure(metrics.macro_f1(rows), each_present),
        "ece": Figure(metrics.ece(rows), everybody),
    }
    if ordinal:
        figures["kappa"] = Figure(metrics.kappa(rows), everybody)
        figures["stage_error"] = Figure(metrics.stage_error(rows), everybody)
        figures["off_by_one"] = Figure(metrics.off_by_one(rows), everybody)
        figures["expected_cost"] = Figure(metrics.expected_cost(rows), everybody)
        figures["expected_squared_cost"] = Figure(metrics.expected_cost(rows, 2), everybody)
    if positive is not None:
        chosen = [index for index, name in enumerate(classes) if name in positive]
        is_positive = np.isin(rows.labels, chosen)
        sides = [
            Support("of the positive classes", rows.patients_with(is_positive)),
            Support("of the other classes", rows.patients_with(~is_positive)),
        ]
        figures["binary_auroc"] = Figure(metrics.auroc(rows, chosen), sides)
    return figures


def class_figures(rows: Rows, classes: Sequence[str], index: int, name: str) -> dict[str, Figure]:
    """The figures of class `index` against all others, each under the name that warnings use."""
    own, others = of_class(rows, classes, index), of_others(rows, classes, index)
    return {
        f"recall of class {name!r}": Figure(metrics.recall(rows, index), [own]),
        f"specificity of class {name!r}": Figure(metrics.specificity(rows, index), [others]),
        f"auroc of class {name!r}": Figure(metrics.auroc(rows, [index]), [own, others]),
    }
