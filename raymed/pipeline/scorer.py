"""How one row of probabilities is scored, at the levels that exist."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.config import Experiment
from raymed.data.predictions import Level
from raymed.ensemble import OofTable
from raymed.evaluation import (
    Difference,
    Question,
    Scores,
    ask,
    choose_threshold,
    cross_fit_thresholds,
    paired_difference,
    score,
    score_at_threshold,
    threshold_at_specificity,
)
from raymed.evaluation.thresholds import Chooser
from raymed.pipeline.prepare import Prepared

Labels = npt.NDArray[np.int64]
Patients = npt.NDArray[np.object_]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Point:
    """An operating point: a threshold chosen on all OOF rows, and one for each row."""

    suffix: str
    threshold: float
    cross_fitted: Probabilities


@dataclass(frozen=True)
class Scorer:
    """Scores rows of probabilities at image and, where patients are known, patient level."""

    experiment: Experiment
    prepared: Prepared

    @property
    def levels(self) -> tuple[Level, ...]:
        """Patient level exists only where patients are declared."""
        return ("image", "patient") if self.prepared.manifest.patients_declared else ("image",)

    def row(
        self, oof: OofTable, on_oof: Probabilities, on_test: Probabilities | None
    ) -> dict[str, Any]:
        """Score one row of the summary, a `Scores` a split and level, JSON-ready.

        With a binary question comes the threshold of each level, chosen on the OOF rows alone:
        on all of them for the test split, on the other folds' for each fold of theirs.
        """
        manifest = self.prepared.manifest
        test = manifest.is_test
        scored: dict[str, Any] = {"oof": {}, "test": None if on_test is None else {}}
        thresholds: dict[str, float] = {}
        for level in self.levels:
            own = self._scores(on_oof, oof.labels, oof.patients, level)
            asked = self._ask(on_oof, oof.labels, oof.patients, level)
            points = self._operating_points(asked, oof)
            if asked is not None:
                thresholds[level] = points[0].threshold
                own = self._at(own, asked, [(p, p.cross_fitted) for p in points])
            scored["oof"][level] = own.as_dict()
            if on_test is not None:
                labels, patients = manifest.labels[test], manifest.patients[test]
                own = self._scores(on_test, labels, patients, level)
                asked = self._ask(on_test, labels, patients, level)
                if asked is not None:
                    own = self._at(own, asked, [(p, p.threshold) for p in points])
                scored["test"][level] = own.as_dict()
        return scored | ({"thresholds": thresholds} if thresholds else {})

    def _operating_points(self, asked: Question | None, oof: OofTable) -> list["_Point"]:
        """Choose thresholds on all OOF rows, and for each fold on the other folds' rows."""
        if asked is None:
            return []
        folds = dict(zip(oof.patients.astype(str), oof.fold.tolist(), strict=True))
        choosers: dict[str, Chooser] = {"": choose_threshold}
        specificity = self.experiment.evaluate.binary.specificity
        if specificity is not None:
            at = partial(threshold_at_specificity, specificity=specificity)
            choosers["_at_fixed_specificity"] = at
        return [
            _Point(
                suffix,
                choose(asked.scores, asked.is_positive),
                cross_fit_thresholds(asked, folds, choose),
            )
            for suffix, choose in choosers.items()
        ]

    def _scores(
        self, probabilities: Probabilities, labels: Labels, patients: Patients, level: Level
    ) -> Scores:
        data = self.experiment.data
        return score(
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
        )

    def _ask(
        self, probabilities: Probabilities, labels: Labels, patients: Patients, level: Level
    ) -> Question | None:
        """Put the experiment's binary question, if it has one."""
        binary = self.experiment.data.binary
        if binary is None:
            return None
        classes = list(self.prepared.manifest.classes)
        positive = [classes.index(name) for name in binary.positive]
        return ask(probabilities, labels, patients, positive, level=level)

    def _at(
        self, scores: Scores, asked: Question, points: Sequence[tuple["_Point", npt.ArrayLike]]
    ) -> Scores:
        """Add the figures at thresholds to the others."""
        metrics, warnings = dict(scores.metrics), list(scores.warnings)
        for point, thresholds in points:
            found, cautions = score_at_threshold(
                asked,
                thresholds,
                prevalence=self.experiment.evaluate.binary.prevalence if not point.suffix else None,
                draws=self.experiment.evaluate.draws,
                seed=self.experiment.seed,
            )
            if point.suffix:
                del found["binary_balanced_accuracy"]
            metrics |= {f"{name}{point.suffix}": each for name, each in found.items()}
            warnings += [each for each in cautions if each not in warnings]
        return replace(scores, metrics=metrics, warnings=warnings)

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
    ) -> Difference:
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
