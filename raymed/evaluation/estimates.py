"""An estimate with its interval, or the reason why it has none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raymed.evaluation.rows import FloatArray, Rows

MIN_PATIENTS_FOR_INTERVAL = 5
MAX_UNDEFINED_SHARE = 0.05
LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval by patient bootstrap (percentiles of the draws).

    `value` is None where the figure is undefined; `low` and `high` are None where too few patients
    bear an interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Support:
    """A group of patients that a figure rests on."""

    who: str  # "of class 'glioma'"; empty for all patients
    patients: int

    def __str__(self) -> str:
        """Say it as in `3 patients of class 'glioma'`."""
        noun = "patient" if self.patients == 1 else "patients"
        return f"{self.patients} {noun} {self.who}".rstrip()


def everyone(rows: Rows) -> Support:
    """All patients."""
    return Support("", rows.patients)


def of_class(rows: Rows, names: Sequence[str], of: int) -> Support:
    """The patients with a row of class `of`."""
    return Support(f"of class {names[of]!r}", rows.patients_with(rows.labels == of))


def of_others(rows: Rows, names: Sequence[str], of: int) -> Support:
    """The patients with a row of another class than `of`."""
    return Support(f"of classes other than {names[of]!r}", rows.patients_with(rows.labels != of))


def estimate(
    figure: str, values: FloatArray, supports: Sequence[Support]
) -> tuple[Estimate, str | None]:
    """Turn a figure's point value and bootstrap draws [1 + draws] into an estimate.

    With it comes the warning, if there is cause for one: the figure is undefined, or its interval
    is left out because a support has fewer than MIN_PATIENTS_FOR_INTERVAL patients or more than
    5 % of the draws are undefined, or resampling has pushed the interval off the value.
    """
    point, draws = values[0], values[1:]
    weak = [support for support in supports if support.patients < MIN_PATIENTS_FOR_INTERVAL]
    among = " and ".join(map(str, weak))
    if np.isnan(point):
        cause = f"it rests on {among}" if weak else "these rows leave nothing to compare"
        return Estimate(None), f"{figure} is undefined: {cause}"
    value = float(point)
    if len(draws) == 0:
        return Estimate(value), None
    if weak:
        return Estimate(value), (
            f"{figure} rests on {among}, fewer than {MIN_PATIENTS_FOR_INTERVAL}: "
            "no interval is given"
        )
    undefined = int(np.isnan(draws).sum())
    if undefined > MAX_UNDEFINED_SHARE * len(draws):
        return Estimate(value), (
            f"{figure} is undefined in {undefined} of {len(draws)} resamples of the patients: "
            "no interval is given"
        )
    low, high = (float(edge) for edge in np.nanpercentile(draws, LEVELS))
    return Estimate(value, low, high), _off_centre(figure, value, low, high)


def _off_centre(figure: str, value: float, low: float, high: float) -> str | None:
    rounding = 1e-9 * max(1.0, abs(value))
    if low - rounding <= value <= high + rounding:
        return None
    return (
        f"{figure} {value:.4g} lies outside its interval {low:.4g} to {high:.4g}: "
        "resampling shifts this figure, so read its interval as a rough range"
    )
