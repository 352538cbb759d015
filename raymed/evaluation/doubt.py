"""How well doubt finds errors: whether what is wrong is doubted more than what is right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.evaluation import metrics
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.estimates import Estimate, Support, estimate
from raymed.evaluation.rows import FloatArray, read_rows


@dataclass(frozen=True)
class DoubtScores:
    """Of rows: how many are wrong, how well doubt finds them, mean doubt of wrong and right ones.

    `auroc` is the chance that a wrong row is doubted more than a right one; 0.5 says nothing. Means
    are None where there is no such row.
    """

    rows: int
    wrong: int
    auroc: Estimate
    mean_wrong: float | None
    mean_right: float | None
    warnings: list[str]


def score_doubt(
    doubt: FloatArray,
    wrong: npt.NDArray[np.bool_],
    patients: Iterable[object],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> DoubtScores:
    """Score doubt [rows], of any unit, against what was wrong [rows].

    The 95 % interval is from resamples of the patients. Raises `InputError` where shapes disagree.
    """
    _, place = np.unique(doubt, return_inverse=True)
    share = place / max(1, place.max(initial=0))  # only the order counts
    answers = np.stack([1 - share, share], axis=1)
    rows = read_rows(answers, wrong.astype(np.int64), patients)
    figure = "the AUROC"
    values = bootstrap({figure: metrics.auroc(rows, [1])}, rows, draws, seed)[figure]
    sides = [
        Support(f"with a {which} answer", rows.patients_with(rows.labels == label))
        for label, which in enumerate(("right", "wrong"))
    ]
    found, warning = estimate(figure, values, sides)
    return DoubtScores(
        len(doubt),
        int(wrong.sum()),
        found,
        float(doubt[wrong].mean()) if wrong.any() else None,
        float(doubt[~wrong].mean()) if not wrong.all() else None,
        [warning] if warning else [],
    )
