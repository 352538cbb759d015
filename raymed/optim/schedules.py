"""How a learning rate moves within a phase."""

import math

from raymed.config import Phase


def rate_factor(phase: Phase, step: int, steps: int) -> float:
    """Return what step `step` (from 0) of a phase's `steps` multiplies every rate with, in 0..1.

    Linear warm-up over the phase's first share, then constant or half a cosine to zero.
    """
    warmup = round(phase.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if phase.schedule == "constant":
        return 1.0
    progress = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))
