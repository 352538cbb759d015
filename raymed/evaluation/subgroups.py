"""Subgroups: how a prediction does in each group of samples, and beside all others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from raymed.errors import InputError
from raymed.evaluation.bootstrap import bootstrap
from raymed.evaluation.comparison import Difference, holm
from raymed.evaluation.estimates import estimate
from raymed.evaluation.figures import Figure, classes_with_patients
from raymed.evaluation.headline import Headline, Terms
from raymed.evaluation.metrics import WeightedMetric
from raymed.evaluation.permutation import membership_p_value
from raymed.evaluation.rows import FloatArray, IntArray, Rows

COMPARED = ("log_loss", "auroc")


@dataclass(frozen=True)
class Contrast(Difference):
    """A group's figure less that of all others; `p_holm` allows for the groups of the column."""

    p_holm: float | None = None


@dataclass(frozen=True)
class GroupScores:
    """The figures of one group and, where there are others, its contrasts by metric."""

    group: str
    scores: Headline
    contrasts: dict[str, Contrast]


def score_subgroups(
    probabilities: FloatArray,
    labels: IntArray,
    patients: npt.NDArray[np.object_],
    groups: npt.NDArray[np.object_],
    order: Sequence[str],
    terms: Terms,
) -> list[GroupScores]:
    """Score the samples of each group [samples], in `order`; a group without any is left out.

    Rows are made of the group's samples alone. AUROC is the mean over the classes that at least
    `terms.folds` patients have both inside the group and outside. Intervals come from resamples of
    all patients: in a draw the group and all others are of the same patients, so that one who is in
    both moves both. p is that of a permutation of who is in the group, adjusted for the groups
    (Holm); it is left out where a patient is in several. Raises `InputError` as `score` does.
    """
    if len(groups) != len(labels):
        raise InputError("groups", f"{len(groups)} of them for {len(labels)} samples")
    everyone = terms.rows(probabilities, labels, patients)
    found = []
    for group in order:
        inside = groups == group
        if inside.any():
            parts = [
                terms.rows(probabilities[own], labels[own], patients[own])
                for own in (inside, ~inside)
                if own.any()
            ]
            found.append(_Group.of(group, parts, everyone, terms).score())
    return _adjusted(found)


@dataclass(frozen=True)
class _Side:
    """A group's rows, or all others', and where their patients stand among everyone."""

    rows: Rows
    figures: dict[str, Figure]
    place: IntArray

    def metric(self, name: str) -> WeightedMetric:
        """Compute a figure of this side from the weights of everyone."""
        value = self.figures[name].metric
        return lambda weights: value(np.ascontiguousarray(weights[:, self.place]))


@dataclass(frozen=True)
class _Group:
    """A group with its sides: its own first, then all others if there are any."""

    name: str
    sides: Sequence[_Side]
    everyone: Rows
    among: Sequence[int]
    terms: Terms

    @classmethod
    def of(cls, name: str, parts: Sequence[Rows], everyone: Rows, terms: Terms) -> "_Group":
        enough = [set(classes_with_patients(rows, terms.folds)) for rows in parts]
        among = sorted(set.intersection(*enough))
        sides = [
            _Side(
                rows,
                terms.figures(rows, among),
                np.searchsorted(everyone.patient_ids, rows.patient_ids).astype(np.int64),
            )
            for rows in parts
        ]
        return cls(name, sides, everyone, among, terms)

    def score(self) -> GroupScores:
        """Estimate the group's figures, and how far it stands from all others."""
        own, compared = self.sides[0], COMPARED if len(self.sides) > 1 else ()
        metrics = {("own", name): own.metric(name) for name in own.figures}
        metrics |= {("others", name): self.sides[-1].metric(name) for name in compared}
        values = bootstrap(metrics, self.everyone, self.terms.draws, self.terms.seed)
        warnings: list[str | None] = list(self._cautions())
        estimates, contrasts = {}, {}
        for name, figure in own.figures.items():
            estimates[name], warning = estimate(name, values["own", name], figure.supports)
            warnings.append(warning)
        for name in compared:
            supports = [each for side in self.sides for each in side.figures[name].supports]
            apart = np.subtract(values["own", name], values["others", name])
            found, warning = estimate(f"difference in {name}", apart, supports)
            p = self._p_value(name) if found.low is not None else None
            contrasts[name] = Contrast(**vars(found), p=p)
            warnings.append(warning)
        told = [warning for warning in warnings if warning is not None]
        scores = Headline(len(own.rows.labels), own.rows.patients, estimates, told)
        return GroupScores(self.name, scores, contrasts)

    @property
    def _torn(self) -> int:
        """How many patients are in the group and outside."""
        return sum(side.rows.patients for side in self.sides) - self.everyone.patients

    def _cautions(self) -> list[str]:
        where = " in the group or outside" if len(self.sides) > 1 else ""
        cautions = self.terms.left_out_of_auroc(self.among, where)
        if self._torn:
            cautions.append(f"{self._torn} of its patients are in other groups too: no p is given")
        return cautions

    def _p_value(self, name: str) -> float | None:
        if self._torn:
            return None
        inside = np.zeros(self.everyone.patients, dtype=bool)
        inside[self.sides[0].place] = True
        metric = self.terms.figures(self.everyone, self.among)[name].metric
        rows = len(self.everyone.labels)
        return membership_p_value(metric, inside, rows, self.terms.draws, self.terms.seed)


def _adjusted(groups: list[GroupScores]) -> list[GroupScores]:
    """Adjust each metric's p for the groups; two groups are one comparison, seen twice."""
    adjusted = [dict(group.contrasts) for group in groups]
    for name in COMPARED:
        ps = [each[name].p if name in each else None for each in adjusted]
        for each, p in zip(adjusted, holm(ps) if len(groups) > 2 else ps, strict=True):
            if name in each:
                each[name] = replace(each[name], p_holm=p)
    return [replace(group, contrasts=each) for group, each in zip(groups, adjusted, strict=True)]
