"""Inner folds: rows combined as if their patients had not been fitted on.

What many parameters were fitted on looks better calibrated than it is: a temperature of those very
rows would make the stack overconfident.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.rows import Array, MetaRows

FOLDS, FEWEST_PATIENTS, MOST_ROWS = 5, 10, 20_000


def some_patients(rows: MetaRows, seed: int) -> MetaRows:
    """Draw patients with about `MOST_ROWS` rows, all of them where there are fewer."""
    groups = rows.patients.astype(str)
    names = np.unique(groups)
    most = int(MOST_ROWS / len(groups) * len(names))
    if most >= len(names):
        return rows
    drawn = np.random.default_rng(seed).choice(names, max(most, FEWEST_PATIENTS), replace=False)
    return rows.take(np.isin(groups, drawn))


def inner_folds(rows: MetaRows, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Give the rows that each inner fold holds out, bool [rows]; none with too few patients."""
    groups = rows.patients.astype(str)
    if len(np.unique(groups)) < FEWEST_PATIENTS:
        return
    for _, outside in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(
        groups, None, groups
    ):
        held = np.zeros(len(groups), dtype=bool)
        held[outside] = True
        yield held


def calibrated_on_unseen(
    fit: Callable[[MetaRows], Arrays],
    combine: Callable[[Arrays, Array], Array],
    rows: MetaRows,
    settings: Settings,
) -> Fit:
    """Fit on all rows; beside it stand the scores of rows that inner folds held out."""
    some = some_patients(rows, settings.seed)
    scores = np.empty((0, rows.classes))
    folds = [] if settings.calibration == "none" else list(inner_folds(some, settings.seed))
    if folds:
        scores = np.empty((len(some.labels), rows.classes))
    for held in folds:
        scores[held] = combine(fit(some.take(~held)), some.logs[held])
    return Fit(fit(rows), scores, some)
