"""Inner folds: rows combined as if their patients had not been fitted on.

What many parameters were fitted on looks better calibrated than it is: a temperature of those very
rows would make the stack overconfident.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold

from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.rows import Array, MetaRows

FOLDS, FEWEST_PATIENTS, MOST_ROWS = 5, 10, 20_000


def some_patients(rows: MetaRows, seed: int, most: int = MOST_ROWS) -> MetaRows:
    """Draw patients with about `most` rows, all of them where there are fewer."""
    everyone = np.unique(rows.patients)
    count = max(int(most / len(rows.labels) * len(everyone)), FEWEST_PATIENTS)
    if count >= len(everyone):
        return rows
    drawn = np.random.default_rng(seed).choice(everyone, count, replace=False)
    return rows.take(np.isin(rows.patients, drawn))


def inner_folds(rows: MetaRows, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Give the rows that each inner fold holds out, bool [rows]; none with too few patients."""
    if len(np.unique(rows.patients)) < FEWEST_PATIENTS:
        return
    splitter = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for _, outside in splitter.split(rows.patients, None, rows.patients):
        held = np.zeros(len(rows.patients), dtype=bool)
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
        scores[held] = some.take(held).combined(partial(combine, fit(some.take(~held))))
    return Fit(fit(rows), scores, some)
