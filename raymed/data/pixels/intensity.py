"""How values deeper than 8 bits become 8 bits: the one place that decides it."""

import numpy as np
import numpy.typing as npt

from raymed.config import Intensity
from raymed.errors import InputError

Limits = tuple[float, float]
"""The values that are shown black and white."""

PERCENTILES = (0.5, 99.5)
"""The limits where neither the file nor the configuration says any."""


def eight_bits(
    values: npt.NDArray[np.generic],
    place: str,
    rule: Intensity,
    said: Limits | None,
    *,
    inverted: bool = False,
    population: npt.NDArray[np.generic] | None = None,
) -> npt.NDArray[np.uint8]:
    """Bring values [h, w] or [h, w, 3] to uint8 on a straight line between two limits.

    The limits are the rule's, else those that the file `said`, else percentiles of `population`
    (default: of the values). What lies outside is clipped; an image of one value is black.
    """
    real = values.astype(np.float64)
    if not np.isfinite(real).all():
        count = int((~np.isfinite(real)).sum())
        raise InputError(
            place, f"{count} of {real.size} values are NaN or infinite", "replace them"
        )
    low, high = _limits(rule, said, real if population is None else population)
    shown = np.clip((real - low) / (high - low), 0, 1) if high > low else np.zeros_like(real)
    pixels = np.rint(255 * shown).astype(np.uint8)
    return 255 - pixels if inverted else pixels


def _limits(rule: Intensity, said: Limits | None, population: npt.NDArray[np.generic]) -> Limits:
    if rule.window is not None:
        centre, width = rule.window
        return centre - width / 2, centre + width / 2
    if rule.range is not None:
        return rule.range
    if rule.percentiles is None and said is not None:
        return said
    low, high = np.percentile(population.astype(np.float64), rule.percentiles or PERCENTILES)
    return float(low), float(high)


def own_limits(values: npt.NDArray[np.generic]) -> Limits | None:
    """Give the least and the greatest value; None where one of them is no number."""
    low, high = float(np.min(values)), float(np.max(values))
    return (low, high) if np.isfinite([low, high]).all() else None
