"""A fitted meta-learner of any kind, calibrated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from raymed.data.predictions import LEVELS, Level
from raymed.ensemble.calibration import NONE, Calibration, fit_calibration
from raymed.ensemble.meta_learners.averaging import Greedy, Mean
from raymed.ensemble.meta_learners.by_class import ByClass
from raymed.ensemble.meta_learners.contract import Arrays, Kind, Settings
from raymed.ensemble.meta_learners.logistic import Logistic
from raymed.ensemble.meta_learners.majority import Majority
from raymed.ensemble.meta_learners.mlp import Mlp
from raymed.ensemble.meta_learners.rows import (
    Array,
    Labels,
    MetaRows,
    Patients,
    log_probabilities,
    spans,
)

KINDS: Mapping[str, Kind] = {
    "mean": Mean(),
    "greedy": Greedy(),
    "by_class": ByClass(),
    "logistic": Logistic(),
    "mlp": Mlp(),
    "majority": Majority(),
}
"""By name, the simplest first; the majority vote is a reference and never chosen."""
REFERENCE = "majority"


@dataclass(frozen=True)
class MetaLearner:
    """A kind with its arrays, the trust [members, classes] it puts in whom, and its calibrations.

    That of patients is for images whose mean is taken.
    """

    kind: str
    arrays: Arrays
    trust: Array
    calibrations: Mapping[Level, Calibration] = field(
        default_factory=lambda: dict.fromkeys(LEVELS, NONE)
    )

    def log_scores(
        self,
        values: npt.NDArray[np.floating[Any]],
        of: Literal["logits", "probabilities"] = "logits",
    ) -> Array:
        """Combine [n, members, classes] to log-probabilities [n, classes], not calibrated."""
        combine = KINDS[self.kind].combine
        return np.concatenate(
            [
                combine(self.arrays, log_probabilities(values[part], of))
                for part in spans(len(values))
            ]
        )

    def probabilities(
        self,
        values: npt.NDArray[np.floating[Any]],
        of: Literal["logits", "probabilities"] = "logits",
    ) -> Array:
        """Combine members [n, members, classes] to probabilities [n, classes] of each image."""
        return self.calibrations["image"].apply(self.log_scores(values, of))

    def by_level(self, values: npt.NDArray[np.floating[Any]]) -> dict[Level, Array]:
        """Combine members' logits [n, members, classes] to calibrated probabilities [n, classes].

        Those of `image` are of each image by itself, those of `patient` are to be averaged.
        """
        scores = self.log_scores(values)
        return {level: each.apply(scores) for level, each in self.calibrations.items()}

    @property
    def temperatures(self) -> dict[Level, float]:
        """The temperature of each level; of vector scaling the geometric mean over classes."""
        return {level: each.temperature for level, each in self.calibrations.items()}

    @property
    def member_weights(self) -> Array:
        """How much each member counts over all classes [members], summing to 1."""
        return np.asarray(self.trust.mean(axis=1))


def fit_meta_learner(
    kind: str,
    logits: npt.NDArray[np.floating[Any]],
    labels: Labels,
    patients: Patients,
    settings: Settings | None = None,
) -> MetaLearner:
    """Fit one on out-of-fold rows: logits [n, members, classes], labels and patients [n]."""
    rows, settings = MetaRows.of(logits, labels, patients), settings or Settings()
    way = KINDS[kind]
    fit = way.fit(rows, settings)
    calibrations: dict[Level, Calibration] = dict.fromkeys(LEVELS, NONE)
    if len(fit.scores):
        about = fit.scores, fit.rows.labels, fit.rows.weights
        calibrations = {
            "image": fit_calibration(settings.calibration, *about),
            "patient": fit_calibration(settings.calibration, *about, fit.rows.groups),
        }
    return MetaLearner(kind, fit.arrays, way.trust(fit.arrays, rows), calibrations)
