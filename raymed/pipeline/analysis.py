"""What a run's predictions show beyond scores: conformal sets, when to refer, how members err."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from raymed.data.predictions import Level
from raymed.ensemble import OofTable
from raymed.ensemble.conformal import Conformal, cross_fitted_sets, fit_conformal
from raymed.evaluation import (
    RiskCoverage,
    pairs,
    patterns,
    repairs,
    risk_coverage,
    score_sets,
    to_patient_level,
)
from raymed.evaluation.diversity import MOST_PATTERNS
from raymed.pipeline.cases import choose_cases
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import (
    ByLevel,
    Labels,
    Patients,
    Probabilities,
    Scorer,
    alike,
)

POINTS = 200
"""Of an abstention curve, at most."""


@dataclass(frozen=True)
class Leveled:
    """Rows of one level: probabilities [rows, classes], labels, patients and folds [rows]."""

    probabilities: Probabilities
    labels: Labels
    patients: Patients
    fold: npt.NDArray[np.int16]

    @classmethod
    def of(
        cls,
        level: Level,
        probabilities: ByLevel,
        labels: Labels,
        patients: Patients,
        folds: Mapping[str, int],
    ) -> "Leveled":
        """Take images as they are, or average those of a patient."""
        rows = probabilities[level]
        if level == "patient":
            people = to_patient_level(rows, labels, patients)
            rows, labels = people.probabilities, people.labels
            patients = people.patients.astype(object)
        fold = np.array([folds.get(str(each), -1) for each in patients], dtype=np.int16)
        return cls(rows, labels, patients, fold)


@dataclass(frozen=True)
class Analysis:
    """Looks at the stack's cross-fitted rows, and at those of the test split if there is one."""

    scorer: Scorer
    oof: OofTable
    stacked: ByLevel
    on_test: ByLevel | None

    def conformal(self) -> dict[str, Conformal]:
        """Calibrate the sets of each level on all cross-fitted rows: what predicts uses these."""
        wish = self.scorer.experiment.evaluate.conformal
        found: dict[str, Conformal] = {}
        for level in self.scorer.levels:
            rows = self._out_of_fold(level)
            found[level] = fit_conformal(
                rows.probabilities, rows.labels, rows.patients, **wish.model_dump()
            )
        return found

    def facts(
        self, members: Sequence[Member], conformal: Mapping[str, Conformal]
    ) -> dict[str, Any]:
        """Gather everything, JSON-ready."""
        levels = self.scorer.levels
        return {
            "conformal": {level: self._coverage(level, conformal[level]) for level in levels},
            "abstention": {level: self._abstention(level) for level in levels},
            "diversity": self._diversity(levels[-1], members),
            "gallery": choose_cases(self.scorer, members, self.oof, self.stacked, self.on_test),
        }

    def _coverage(self, level: Level, conformal: Conformal) -> dict[str, Any]:
        """Score the sets: on out-of-fold rows by thresholds of the other folds, on the test."""
        wish = self.scorer.experiment.evaluate.conformal
        rows = self._out_of_fold(level)
        cross = cross_fitted_sets(
            rows.probabilities, rows.labels, rows.patients, rows.fold, **wish.model_dump()
        )
        scored = {"oof": score_coverage(self.scorer, rows, cross), "test": None}
        test = self._test(level)
        if test is not None:
            sets = conformal.sets(test.probabilities)
            scored["test"] = score_coverage(self.scorer, test, sets)
        finite = [float(t) if np.isfinite(t) else None for t in conformal.thresholds]
        return {**wish.model_dump(), "thresholds": finite, **scored}

    def _abstention(self, level: Level) -> dict[str, Any]:
        rows, test = self._out_of_fold(level), self._test(level)
        curves = {"oof": _thinned(risk_coverage(rows.probabilities, rows.labels)), "test": None}
        if test is not None:
            curves["test"] = _thinned(risk_coverage(test.probabilities, test.labels))
        return curves

    def _diversity(self, level: Level, members: Sequence[Member]) -> dict[str, Any]:
        names = [member.name for member in members]
        own = softmax(self.oof.logits.astype(np.float64), axis=2)
        each = [self._at(level, alike(own[:, place])) for place in range(len(names))]
        labels = each[0].labels
        predicted = np.stack([rows.probabilities.argmax(axis=1) for rows in each], axis=1)
        stack = self._out_of_fold(level).probabilities.argmax(axis=1)
        told = patterns(names, predicted, labels) if len(names) <= MOST_PATTERNS else None
        return {
            "level": level,
            "rows": len(labels),
            "pairs": [asdict(pair) for pair in pairs(names, predicted, labels)],
            "patterns": None if told is None else [asdict(pattern) for pattern in told],
            "repairs": {
                name: asdict(repairs(predicted[:, place], stack, labels))
                for place, name in enumerate(names)
            },
        }

    def _out_of_fold(self, level: Level) -> Leveled:
        return self._at(level, self.stacked)

    def _at(self, level: Level, probabilities: ByLevel) -> Leveled:
        patients = self.oof.patients
        folds = dict(zip(patients.astype(str), self.oof.fold.tolist(), strict=True))
        return Leveled.of(level, probabilities, self.oof.labels, patients, folds)

    def _test(self, level: Level) -> Leveled | None:
        if self.on_test is None:
            return None
        manifest = self.scorer.prepared.manifest
        test = manifest.is_test
        return Leveled.of(level, self.on_test, manifest.labels[test], manifest.patients[test], {})


def score_coverage(scorer: Scorer, rows: Leveled, sets: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Score sets of classes, bool [rows, classes]; JSON-ready."""
    found = score_sets(
        sets,
        rows.labels,
        rows.patients,
        scorer.prepared.manifest.classes,
        draws=scorer.experiment.evaluate.draws,
        seed=scorer.experiment.seed,
    )
    return asdict(found)


def _thinned(curve: RiskCoverage) -> dict[str, Any]:
    """Keep so many points that a figure shows no less."""
    last = len(curve.coverage) - 1
    kept = np.unique(np.linspace(0, last, min(POINTS, last + 1)).round().astype(int))
    points = {name: getattr(curve, name)[kept].tolist() for name in ("coverage", "risk")}
    return {**points, "confidence": curve.confidence[kept].tolist(), "area": curve.area}
