"""DeLong's test of two AUROCs of the same patients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, rankdata

from raymed.errors import InputError
from raymed.evaluation.rows import FloatArray


@dataclass(frozen=True)
class DeLong:
    """Two areas, their difference with a 95 % interval, and a two-sided p."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float | None


def delong(a: ArrayLike, b: ArrayLike, is_positive: ArrayLike) -> DeLong:
    """Compare the areas under the ROC curves of scores a and b [patients].

    One row a patient: the test takes rows as independent (DeLong et al. 1988; computed by ranks as
    Sun and Xu 2014). `p` is None where the scores order the pairs all alike. Raises `InputError`
    for shapes that differ or fewer than two patients on a side.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    positive = np.asarray(is_positive, dtype=bool)
    if not first.shape == second.shape == positive.shape or positive.ndim != 1:
        raise InputError(
            "scores", f"shapes {first.shape}, {second.shape}, {positive.shape} differ", "one a row"
        )
    if min(positive.sum(), (~positive).sum()) < 2:
        raise InputError(
            "scores",
            f"{positive.sum()} positive and {(~positive).sum()} other patients",
            "give at least two on each side",
        )
    parts = [_components(scores, positive) for scores in (first, second)]
    areas = [float(over.mean()) for over, _ in parts]
    above, below = np.cov([over for over, _ in parts]), np.cov([under for _, under in parts])
    covariance = above / positive.sum() + below / (~positive).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    difference = areas[0] - areas[1]
    error = float(np.sqrt(max(variance, 0)))
    p = float(2 * norm.sf(abs(difference) / error)) if error > 1e-12 else None
    wide = float(norm.ppf(0.975)) * error
    return DeLong(areas[0], areas[1], difference, difference - wide, difference + wide, p)


def _components(scores: FloatArray, positive: np.ndarray) -> tuple[FloatArray, FloatArray]:
    """Give each positive one's share of others below it, each other's share of positives above."""
    over, under = scores[positive], scores[~positive]
    ranks = rankdata(np.concatenate([over, under]))
    above = (ranks[: len(over)] - rankdata(over)) / len(under)
    below = 1 - (ranks[len(over) :] - rankdata(under)) / len(over)
    return above, below
