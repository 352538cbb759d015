"""Successive halving within a fold: which trials are not worth another epoch of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EpochCurve:
    """The values of one fold's epochs so far, of `of` epochs that the recipe has in all."""

    values: tuple[float, ...]
    of: int


@dataclass(frozen=True)
class Halving:
    """At epochs first, first * factor, ... only the best 1 / factor goes on (Li et al. 2020, ASHA).

    The same epoch of the same fold is compared, among recipes of as many epochs: another schedule
    is another budget. Never after the last epoch, which costs nothing more.
    """

    first: int = 1
    factor: int = 3

    def stops(self, own: EpochCurve, others: Sequence[EpochCurve], minimize: bool) -> bool:
        """Tell whether a fold's training stops here; asked after each epoch.

        While fewer than `factor` curves have come this far, all go on.
        """
        epoch = len(own.values)
        if epoch not in self.rungs(own.of):
            return False
        value = own.values[-1]
        if not np.isfinite(value):
            return True
        rivals = [
            curve.values[epoch - 1]
            for curve in others
            if curve.of == own.of and len(curve.values) >= epoch
        ]
        if len(rivals) + 1 < self.factor:
            return False
        better = sum(rival < value if minimize else rival > value for rival in rivals)
        return better >= (len(rivals) + 1) // self.factor

    def rungs(self, epochs: int) -> list[int]:
        """Give the epochs, counted from 1, after which is decided."""
        rungs, rung = [], self.first
        while rung < epochs:
            rungs.append(rung)
            rung *= self.factor
        return rungs
