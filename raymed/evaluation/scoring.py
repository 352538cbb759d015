"""Score a table of predictions."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from raymed.data.intake.classes import check_positive
from raymed.data.predictions import Level
from raymed.errors import InputError
from raymed.evaluation import metrics
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import Estimate, Support, estimate
from raymed.evaluation.figures import Figure, class_figures, classes_with_patients, headline_figures
from raymed.evaluation.levels import average_by_patient
from raymed.evaluation.metrics import BINS
from raymed.evaluation.rows import Rows, read_rows
from raymed.evaluation.scores import ClassScores, ReliabilityBin, Scores


def score(
    probabilities: ArrayLike,
    labels: ArrayLike,
    patients: Iterable[object],
    classes: Sequence[str],
    *,
    level: Level,
    folds: int,
    ordinal: bool = False,
    positive: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> Scores:
    """Score probabilities [samples, classes] against labels [samples], indices into `classes`.

    Each figure has a 95 % interval from `draws` resamples of the patients (none with 0 draws), or a
    warning where too few patients bear one. `level="patient"` first averages the samples of a
    patient. AUROC is the mean over classes with at least `folds` patients; a warning names the
    others. `ordinal` adds kappa and the errors in stages, `positive` the AUROC of those classes
    against the rest. Raises InputError where the table or an option is not usable.
    """
    rows = rows_at_level(probabilities, labels, patients, level)
    _check_options(rows, classes, folds, draws, positive)
    among = classes_with_patients(rows, folds)
    figures = headline_figures(rows, classes, among, ordinal=ordinal, positive=positive)
    headline = list(figures)
    for index, name in enumerate(classes):
        figures |= class_figures(rows, classes, index, name)
    estimates, warnings = estimate_figures(figures, rows, draws, seed)
    return Scores(
        level=level,
        rows=len(rows.labels),
        patients=rows.patients,
        metrics={name: estimates[name] for name in headline},
        per_class={
            name: _class_scores(rows, index, name, estimates) for index, name in enumerate(classes)
        },
        confusion=_confusion(rows),
        reliability=reliability(rows),
        warnings=_left_out_of_auroc(rows, classes, among, folds) + warnings,
    )


def rows_at_level(
    probabilities: ArrayLike, labels: ArrayLike, patients: Iterable[object], level: Level
) -> Rows:
    """Check the samples; average them by patient if `level` says so."""
    if level not in ("image", "patient"):
        raise InputError("level", f"unknown level {level!r}", "choose 'image' or 'patient'")
    rows = read_rows(probabilities, labels, patients)
    if level == "image":
        return rows
    averaged = average_by_patient(rows)
    return read_rows(averaged.probabilities, averaged.labels, averaged.patients)


def reliability(rows: Rows) -> list[ReliabilityBin]:
    """The reliability diagram's bars: 15 equal-width bins of top-class confidence, less empty."""
    bins, confidence = metrics.confidence_bins(rows)
    hits = rows.predicted == rows.labels
    return [
        ReliabilityBin(
            confidence=float(confidence[bins == b].mean()),
            accuracy=float(hits[bins == b].mean()),
            rows=int((bins == b).sum()),
        )
        for b in range(BINS)
        if (bins == b).any()
    ]


def estimate_figures(
    figures: dict[str, Figure], rows: Rows, draws: int, seed: int
) -> tuple[dict[str, Estimate], list[str]]:
    """Estimate each figure of the rows on the same resamples; with them come their warnings."""
    values = bootstrap({name: each.metric for name, each in figures.items()}, rows, draws, seed)
    found = {name: estimate(name, values[name], each.supports) for name, each in figures.items()}
    warnings = [warning for _, warning in found.values() if warning]
    return {name: each for name, (each, _) in found.items()}, warnings


def _class_scores(rows: Rows, index: int, name: str, estimates: dict[str, Estimate]) -> ClassScores:
    own = rows.labels == index
    return ClassScores(
        recall=estimates[f"recall of class {name!r}"],
        specificity=estimates[f"specificity of class {name!r}"],
        auroc=estimates[f"auroc of class {name!r}"],
        rows=int(own.sum()),
        patients=rows.patients_with(own),
    )


def _confusion(rows: Rows) -> list[list[int]]:
    table = metrics.weighted_confusions(rows)(np.ones((1, rows.patients)))[0]
    return [[int(count) for count in row] for row in table]


def _left_out_of_auroc(
    rows: Rows, classes: Sequence[str], among: Sequence[int], folds: int
) -> list[str]:
    def count(index: int) -> Support:
        return Support("", rows.patients_with(rows.labels == index))

    return [
        f"auroc leaves out class {name!r}: {count(index)}, fewer than the {folds} folds"
        for index, name in enumerate(classes)
        if index not in among
    ]


def _check_options(
    rows: Rows, classes: Sequence[str], folds: int, draws: int, positive: Sequence[str] | None
) -> None:
    if len(classes) != rows.classes:
        raise InputError(
            "classes", f"{len(classes)} names where probabilities have {rows.classes} columns"
        )
    if len(set(classes)) < len(classes):
        raise InputError(
            "classes", f"a name comes twice in {list(classes)}", "name each class once"
        )
    if folds < 1:
        raise InputError("folds", f"{folds} is not a number of folds", "give 1 or more")
    if draws < 0:
        raise InputError("draws", f"{draws} is negative", "give 1000, or 0 for no intervals")
    if positive is not None:
        check_positive(classes, positive)
