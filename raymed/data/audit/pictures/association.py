"""How closely a class goes along with something else, a person counting once."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

_DRAWS = 1999

Codes = npt.NDArray[np.int64]


def cramers_v(counts: npt.NDArray[np.int64]) -> float:
    """Give Cramér's V of a table of counts [rows, columns], corrected for its bias, 0 to 1.

    Bergsma (2013): independent variables have it near 0, whatever the size of the table.
    """
    counts = _occupied(counts)
    rows, columns = counts.shape
    total = counts.sum()
    if min(rows, columns) < 2 or total < 2:
        return 0.0
    squared = _chi_squared(counts[None])[0] / total
    squared = max(0.0, squared - (rows - 1) * (columns - 1) / (total - 1))
    sides = [side - (side - 1) ** 2 / (total - 1) for side in (rows, columns)]
    room = min(sides) - 1
    return float(min(1.0, np.sqrt(squared / room))) if room > 0 else 0.0


def chance_of_table(counts: npt.NDArray[np.int64], seed: int = 0) -> float:
    """Give the p of a permutation test of independence: people exchange their classes.

    Tables of the same margins are drawn at once, which is the same; p is 1/2000 at the least.
    """
    counts = _occupied(counts)
    if min(counts.shape) < 2:
        return 1.0
    drawn = stats.random_table(counts.sum(1), counts.sum(0)).rvs(
        _DRAWS, random_state=np.random.default_rng(seed)
    )
    found = _chi_squared(counts[None])[0]
    return float((1 + (_chi_squared(np.asarray(drawn)) >= found - 1e-9).sum()) / (1 + _DRAWS))


def associate(values: pd.Series, classes: Codes) -> dict[str, Any] | None:
    """Tell how far values of people, numbers or names, go along with their classes.

    Names by Cramér's V; numbers by the share of the variance of their ranks that classes explain
    (eta squared of Kruskal and Wallis), with its p. None where all values are equal.
    """
    if values.nunique() < 2 or len(np.unique(classes)) < 2:
        return None
    if not pd.api.types.is_numeric_dtype(values):
        counts = pd.crosstab(values, classes).to_numpy(dtype=np.int64)
        return {"measure": "cramers_v", "effect": cramers_v(counts), "p": chance_of_table(counts)}
    groups = [own.to_numpy(dtype=np.float64) for _, own in values.groupby(classes)]
    found = stats.kruskal(*groups)
    free = len(values) - len(groups)
    effect = max(0.0, (found.statistic - len(groups) + 1) / free) if free > 0 else 0.0
    return {"measure": "eta_squared", "effect": float(effect), "p": float(found.pvalue)}


def _occupied(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return counts[counts.any(axis=1)][:, counts.any(axis=0)]


def _chi_squared(tables: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Give Pearson's statistic of tables [tables, rows, columns] of the same margins."""
    total = tables[0].sum()
    expected = tables[0].sum(1)[:, None] * tables[0].sum(0)[None] / total
    return np.asarray(((tables - expected) ** 2 / expected).sum((1, 2)))
