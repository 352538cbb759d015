"""How one row of probabilities is scored, at the levels that exist."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from raymed.config import Experiment
from raymed.evaluation import Estimate, paired_difference, score
from raymed.pipeline.prepare import Prepared

Level = Literal["image", "patient"]
Labels = npt.NDArray[np.int64]
Patients = npt.NDArray[np.object_]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scorer:
    """Scores rows of probabilities at image and, where patients are known, patient level."""

    experiment: Experiment
    prepared: Prepared

    @property
    def levels(self) -> tuple[Level, ...]:
        """Patient level exists only where patients are declared."""
        return ("image", "patient") if self.prepared.manifest.patients_declared else ("image",)

    def scores(
        self,
        probabilities: Probabilities,
        labels: npt.NDArray[np.int64],
        patients: npt.NDArray[np.object_],
    ) -> dict[str, Any]:
        """Score one row of the summary, a `Scores` a level, JSON-ready."""
        data = self.experiment.data
        return {
            level: score(
                probabilities,
                labels,
                patients,
                self.prepared.manifest.classes,
                level=level,
                folds=self.prepared.folds.count,
                ordinal=data.ordinal,
                positive=data.binary.positive if data.binary else None,
                draws=self.experiment.evaluate.draws,
                seed=self.experiment.seed,
            ).as_dict()
            for level in self.levels
        }

    def log_loss(self, probabilities: Probabilities, labels: Labels, patients: Patients) -> float:
        """Give the log loss at the highest level, without an interval."""
        scored = score(
            probabilities,
            labels,
            patients,
            self.prepared.manifest.classes,
            level=self.levels[-1],
            folds=self.prepared.folds.count,
            draws=0,
        )
        return float(scored.metrics["log_loss"].value or 0.0)

    def difference(
        self, a: Probabilities, b: Probabilities, labels: Labels, patients: Patients
    ) -> Estimate:
        """Compare the log loss of a with that of b, resampled together, at the highest level."""
        return paired_difference(
            a,
            b,
            labels,
            patients,
            "log_loss",
            level=self.levels[-1],
            folds=self.prepared.folds.count,
            draws=self.experiment.evaluate.draws,
            seed=self.experiment.seed,
        )
