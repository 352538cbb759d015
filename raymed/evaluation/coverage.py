"""How often sets of classes hold the true one, and how large they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.errors import InputError
from raymed.evaluation import metrics
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import Estimate, Support, estimate
from raymed.evaluation.rows import read_rows


@dataclass(frozen=True)
class SetScores:
    """Of rows: the share whose set holds the true class, mean size, shares of sets of 0 and of 1.

    `by_class` is the coverage of the rows of each class.
    """

    coverage: Estimate
    size: float
    empty: float
    single: float
    by_class: dict[str, Estimate]
    warnings: list[str]


def score_sets(
    sets: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.int64],
    patients: Iterable[object],
    classes: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> SetScores:
    """Score sets, bool [rows, classes], with 95 % intervals from resamples of the patients."""
    names = [str(patient) for patient in patients]
    if sets.shape != (len(labels), len(classes)) or len(names) != len(labels):
        raise InputError(
            "sets", f"shape {sets.shape} for {len(labels)} rows of {len(classes)} classes"
        )
    held, warnings = sets[np.arange(len(labels)), labels], []

    def share(chosen: npt.NDArray[np.bool_], figure: str, who: str) -> Estimate:
        flags = held[chosen].astype(np.float64)
        rows = read_rows(
            np.stack([1 - flags, flags], axis=1),
            np.ones(len(flags), dtype=np.int64),
            [name for name, keep in zip(names, chosen, strict=True) if keep],
        )
        values = bootstrap({figure: metrics.accuracy(rows)}, rows, draws, seed)[figure]
        found, warning = estimate(figure, values, [Support(who, rows.patients)])
        warnings.extend([warning] if warning else [])
        return found

    every = np.ones(len(labels), dtype=bool)
    by_class = {
        name: share(labels == index, f"coverage of class {name!r}", f"of class {name!r}")
        for index, name in enumerate(classes)
        if (labels == index).any()
    }
    sizes = sets.sum(axis=1)
    return SetScores(
        share(every, "coverage", ""),
        float(sizes.mean()),
        float((sizes == 0).mean()),
        float((sizes == 1).mean()),
        by_class,
        warnings,
    )
