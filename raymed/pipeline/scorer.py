"""How one row of probabilities is scored, at the levels that exist."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.config import Experiment
from raymed.data.predictions import LEVELS, Level
from raymed.ensemble import OofTable
from raymed.evaluation import (
    Difference,
    Question,
    Scores,
    Terms,
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
ByLevel = Mapping[Level, Probabilities]
"""Probabilities [images, classes]: for `image` each by itself, for `patient` to be averaged."""


OPERATING_POINT = "thresholds"
"""The key that a row's thresholds have; those of further operating points add a suffix."""

Thresholds = Mapping[str, Mapping[Level, npt.ArrayLike]]
"""By the suffix of their figures and by level: one threshold, or one a row."""


def alike(probabilities: Probabilities) -> ByLevel:
    """Take the same for both levels: only a stack is calibrated for each."""
    return dict.fromkeys(LEVELS, probabilities)


def thresholds_of(row: Mapping[str, Any]) -> Thresholds:
    """Take the thresholds, chosen on out-of-fold rows alone, of what `Scorer.row` gave."""
    return {
        key.removeprefix(OPERATING_POINT): by_level
        for key, by_level in row.items()
        if key.startswith(OPERATING_POINT)
    }


@dataclass(frozen=True)
class Scorer:
    """Scores rows of probabilities at image and, where patients are known, patient level."""

    experiment: Experiment
    prepared: Prepared

    @property
    def levels(self) -> tuple[Level, ...]:
        """Patient level exists only where patients are declared."""
        return ("image", "patient") if self.prepared.manifest.patients_declared else ("image",)

    @property
    def highest(self) -> Level:
        """The level that headline figures are of."""
        return self.levels[-1]

    def row(self, oof: OofTable, on_oof: ByLevel, on_test: ByLevel | None) -> dict[str, Any]:
        """Score one row of the summary, a `Scores` a split and level, JSON-ready.

        With a binary question comes the threshold of each level, chosen on the OOF rows alone:
        on all of them for the test split, on the other folds' for each fold of theirs.
        """
        manifest = self.prepared.manifest
        test = manifest.is_test
        chosen, cross_fitted = self._operating_points(on_oof, oof)
        scored: dict[str, Any] = {
            "oof": self.by_level(on_oof, oof.labels, oof.patients, cross_fitted),
            "test": None,
        }
        if on_test is not None:
            labels, patients = manifest.labels[test], manifest.patients[test]
            scored["test"] = self.by_level(on_test, labels, patients, chosen)
        return scored | {f"{OPERATING_POINT}{suffix}": each for suffix, each in chosen.items()}

    def by_level(
        self,
        probabilities: ByLevel,
        labels: Labels,
        patients: Patients,
        thresholds: Thresholds,
    ) -> dict[str, Any]:
        """Score rows at every level, JSON-ready; the binary question at the given thresholds."""
        found: dict[str, Any] = {}
        for level in self.levels:
            scores = self._scores(probabilities[level], labels, patients, level)
            asked = self._ask(probabilities[level], labels, patients, level)
            if asked is not None:
                at = {suffix: each[level] for suffix, each in thresholds.items() if level in each}
                scores = self._at(scores, asked, at)
            found[level] = scores.as_dict()
        return found

    def _operating_points(
        self, on_oof: ByLevel, oof: OofTable
    ) -> tuple[dict[str, dict[Level, float]], dict[str, dict[Level, Probabilities]]]:
        """Choose thresholds on all OOF rows, and for each fold on the other folds' rows."""
        folds = dict(zip(oof.patients.astype(str), oof.fold.tolist(), strict=True))
        choosers: dict[str, Chooser] = {"": choose_threshold}
        specificity = self.experiment.evaluate.binary.specificity
        if specificity is not None:
            at = partial(threshold_at_specificity, specificity=specificity)
            choosers["_at_fixed_specificity"] = at
        chosen: dict[str, dict[Level, float]] = {}
        cross_fitted: dict[str, dict[Level, Probabilities]] = {}
        for level in self.levels:
            asked = self._ask(on_oof[level], oof.labels, oof.patients, level)
            if asked is None:
                continue
            for suffix, choose in choosers.items():
                own = choose(asked.scores, asked.is_positive)
                chosen.setdefault(suffix, {})[level] = own
                others = cross_fit_thresholds(asked, folds, choose)
                cross_fitted.setdefault(suffix, {})[level] = others
        return chosen, cross_fitted

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
        self, scores: Scores, asked: Question, thresholds: Mapping[str, npt.ArrayLike]
    ) -> Scores:
        """Add the figures at thresholds to the others."""
        metrics, warnings = dict(scores.metrics), list(scores.warnings)
        for suffix, each in thresholds.items():
            found, cautions = score_at_threshold(
                asked,
                each,
                prevalence=None if suffix else self.experiment.evaluate.binary.prevalence,
                draws=self.experiment.evaluate.draws,
                seed=self.experiment.seed,
            )
            if suffix:
                del found["binary_balanced_accuracy"]
            metrics |= {f"{name}{suffix}": figure for name, figure in found.items()}
            warnings += [warning for warning in cautions if warning not in warnings]
        return replace(scores, metrics=metrics, warnings=warnings)

    @property
    def terms(self) -> Terms:
        """How sites and subgroups are scored, at the highest level."""
        data = self.experiment.data
        return Terms(
            self.prepared.manifest.classes,
            level=self.highest,
            folds=self.prepared.folds.count,
            positive=data.binary.positive if data.binary else None,
            draws=self.experiment.evaluate.draws,
            seed=self.experiment.seed,
        )

    def log_loss(self, probabilities: Probabilities, labels: Labels, patients: Patients) -> float:
        """Give the log loss at the highest level, without an interval."""
        scored = score(
            probabilities,
            labels,
            patients,
            self.prepared.manifest.classes,
            level=self.highest,
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
            level=self.highest,
            folds=self.prepared.folds.count,
            draws=self.experiment.evaluate.draws,
            seed=self.experiment.seed,
        )
