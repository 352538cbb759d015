"""What every kind of meta-learner offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from raymed.ensemble.meta_learners.rows import Array, MetaRows

Arrays = Mapping[str, Array]
"""All that a fitted meta-learner consists of: they are what is saved."""


@dataclass(frozen=True)
class Settings:
    """How meta-learners are fitted.

    `penalty` is the strength of L2 in logistic and by_class, of which each patient's row counts 1;
    `seed` draws the mlp's weights and inner split.
    """

    penalty: float = 1.0
    calibration: Literal["temperature", "vector", "none"] = "temperature"
    seed: int = 0


@dataclass(frozen=True)
class Fit:
    """Arrays, and log-probabilities [n, classes] of some rows that are fit to calibrate with."""

    arrays: Arrays
    scores: Array
    rows: MetaRows


class Kind(Protocol):
    """A way to combine members; it keeps nothing itself, what it fits are arrays."""

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Fit on out-of-fold rows."""
        ...

    def combine(self, arrays: Arrays, logs: Array) -> Array:
        """Turn log-probabilities [n, members, classes] into those of the stack [n, classes]."""
        ...

    def trust(self, arrays: Arrays, rows: MetaRows) -> Array:
        """Tell how much each member counts for each class [members, classes], in shares of 1."""
        ...
