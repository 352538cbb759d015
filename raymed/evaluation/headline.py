"""The few figures by which parts of the data, sites and subgroups, are told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike

from raymed.data.predictions import Level
from raymed.evaluation.estimates import Estimate
from raymed.evaluation.figures import Figure, classes_with_patients, headline_figures
from raymed.evaluation.rows import Rows
from raymed.evaluation.scoring import estimate_figures, rows_at_level

TOLD = ("log_loss", "auroc", "accuracy", "balanced_accuracy", "binary_auroc")


@dataclass(frozen=True)
class Terms:
    """How parts of the data are scored; every field as `score` takes it."""

    classes: Sequence[str]
    level: Level
    folds: int
    positive: Sequence[str] | None = None
    draws: int = 1000
    seed: int = 0

    def rows(self, probabilities: ArrayLike, labels: ArrayLike, patients: Iterable[object]) -> Rows:
        """Check samples and bring them to the level."""
        return rows_at_level(probabilities, labels, patients, self.level)

    def figures(self, rows: Rows, among: Sequence[int]) -> dict[str, Figure]:
        """Choose those in `TOLD`, AUROC over the classes `among`; the last if there is a question.

        It is the AUROC of the positive classes.
        """
        found = headline_figures(rows, self.classes, among, ordinal=False, positive=self.positive)
        return {name: found[name] for name in TOLD if name in found}

    def left_out_of_auroc(self, among: Sequence[int], where: str = "") -> list[str]:
        """Warn of the classes that the AUROC does not count."""
        names = [name for index, name in enumerate(self.classes) if index not in among]
        few = f"fewer than {self.folds} patients{where}"
        return [f"auroc leaves out class {name!r}: {few}" for name in names]


@dataclass(frozen=True)
class Headline:
    """Figures of some rows at one level, with their intervals and warnings."""

    rows: int
    patients: int
    metrics: dict[str, Estimate]
    warnings: list[str]


def score_headline(rows: Rows, terms: Terms) -> Headline:
    """Score rows at their level, AUROC over the classes with at least `terms.folds` patients."""
    among = classes_with_patients(rows, terms.folds)
    metrics, warnings = estimate_figures(terms.figures(rows, among), rows, terms.draws, terms.seed)
    warnings = terms.left_out_of_auroc(among) + warnings
    return Headline(len(rows.labels), rows.patients, metrics, warnings)
