"""How a learning rate moves within a phase."""

import math

from raymed.config import Phase

_START, _END = 25.0, 1e4
"""One cycle starts at lr / 25 and ends at lr / (25 * 10,000), as torch's `OneCycleLR` does."""
_SLANT = 32.0
"""A slanted triangle starts and ends at lr / 32 (Howard and Ruder 2018)."""


def rate_factor(phase: Phase, step: int, steps: int) -> float:
    """Return what step `step` (from 0) of a phase's `steps` multiplies every rate with, in 0..1.

    The rate rises over the phase's `warmup`, linearly but for one cycle, then stays (constant),
    falls in half a cosine to zero (cosine) or to a 10,000th of its start (one_cycle: Smith 2018,
    arXiv 1803.09820, rates only, momentum stays), or falls linearly (slanted).
    """
    match phase.schedule:
        case "one_cycle":
            return _one_cycle(phase.warmup, step, steps)
        case "slanted":
            return _slanted(phase.warmup, step, steps)
    warmup = round(phase.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if phase.schedule == "constant":
        return 1.0
    return _half_cosine(1.0, 0.0, (step - warmup) / max(1, steps - warmup))


def _one_cycle(warmup: float, step: int, steps: int) -> float:
    peak = warmup * steps - 1
    if step <= peak:
        return _half_cosine(1 / _START, 1.0, step / peak if peak > 0 else 1.0)
    peak = max(peak, 0.0)
    return _half_cosine(1.0, 1 / (_START * _END), (step - peak) / max(1.0, steps - 1 - peak))


def _slanted(warmup: float, step: int, steps: int) -> float:
    cut = math.floor(steps * warmup)
    share = step / cut if step < cut else 1 - (step - cut) / max(1, steps - cut)
    return (1 + share * (_SLANT - 1)) / _SLANT


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
