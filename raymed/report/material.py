"""What a run folder holds for its report, read and typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from raymed.config import Experiment, read_experiment
from raymed.data.intake.manifest import Manifest
from raymed.data.shown_ids import PLAIN, ShownIds
from raymed.errors import InputError
from raymed.evaluation import Scores
from raymed.files import read_json
from raymed.report.audited import read_audit
from raymed.report.augmented import AugmentedRecipe, read_augmented
from raymed.report.gallery import Gallery, read_gallery
from raymed.report.hidden import Strip, read_contact_sheet
from raymed.report.sharpness import MemberSharpness, read_sharpness
from raymed.report.sites import LeftOutSites, read_sites
from raymed.report.study import StudyMaterial, read_study
from raymed.runs import RunFolder
from raymed.tables import read_parquet

SCHEMA = 1
LEVELS = ("patient", "image")  # in the order in which the report shows them


@dataclass(frozen=True)
class Row:
    """A row of the summary table: the class prior, a member or a meta-learner."""

    name: str
    kind: str  # "prior", "member" or "meta-learner"
    oof: Mapping[str, Scores]  # by level
    test: Mapping[str, Scores]  # by level, empty without a test split
    facts: Mapping[str, Any]  # id, model, probe, weights ...: what only some kinds have


@dataclass(frozen=True)
class View:
    """One way of looking at every row: a level of the out-of-fold or of the test predictions."""

    split: str  # "oof" or "test"
    level: str  # "patient" or "image"

    @property
    def title(self) -> str:
        """Name the view as headings do."""
        level = "Patient level" if self.level == "patient" else "Image level"
        return f"{level}, {'test split' if self.split == 'test' else 'out of fold'}"

    @property
    def noun(self) -> str:
        """Say what a row of this view's table is."""
        return "patients" if self.level == "patient" else "images"

    def scores(self, row: Row) -> Scores | None:
        """Give the scores of a row in this view, if it has them."""
        return (row.test if self.split == "test" else row.oof).get(self.level)


@dataclass(frozen=True)
class Curves:
    """The epochs of a member: a table for each of its complete folds."""

    member: str
    folds: Mapping[int, pd.DataFrame]


@dataclass(frozen=True)
class Moved:
    """How far training moved a member's layer groups: a row a group and fold.

    Columns `fold`, `place` (from 0, the stem), `group` and `relative`, the norm of the change over
    that of the first weights, NaN where that is zero. Empty for folds that an older raymed trained.
    """

    member: str
    groups: pd.DataFrame


@dataclass(frozen=True)
class Material:
    """Everything that the report is made of."""

    metrics: Mapping[str, Any]
    audit: Mapping[str, Any]
    experiment: Experiment
    yaml: str  # the same, as it lies in the run folder
    rows: tuple[Row, ...]
    curves: tuple[Curves, ...]
    moved: tuple[Moved, ...]
    sharpness: tuple[MemberSharpness, ...] = ()  # empty where it was not measured
    gallery: Gallery | None = None
    sites: LeftOutSites | None = None
    study: StudyMaterial | None = None
    contact_sheet: tuple[Strip, ...] = ()
    augmented: tuple[AugmentedRecipe, ...] = ()
    ids_shown: bool = False  # else codes stand for samples and patients

    @property
    def patients_declared(self) -> bool:
        """Whether folds and intervals go by patient; else leakage was not excluded."""
        return bool(self.metrics["patients_declared"])

    @property
    def chosen(self) -> Row:
        """The row of the stack."""
        return self.row("meta-learner", str(self.metrics["chosen"]))

    @property
    def prior(self) -> Row:
        """The row that every other has to beat."""
        return next(row for row in self.rows if row.kind == "prior")

    @property
    def views(self) -> list[View]:
        """The views in which the stack has scores, the most telling first."""
        every = [View(split, level) for split in ("oof", "test") for level in LEVELS]
        return [view for view in every if view.scores(self.chosen) is not None]

    def row(self, kind: str, name: str) -> Row:
        """Give one row by kind and name."""
        return next(row for row in self.rows if (row.kind, row.name) == (kind, name))


def read_material(run: RunFolder, *, ids_shown: bool = False) -> Material:
    """Read what a complete run left; raises InputError where a file is missing or not ours.

    Samples and patients have codes for names unless their ids are to be shown.
    """
    metrics = read_json(_there(run.metrics_file))
    if not isinstance(metrics, dict) or metrics.get("schema") != SCHEMA:
        raise InputError(
            f"{run.metrics_file}, schema", f"is not {SCHEMA}", "run raymed build again"
        )
    rows = tuple(_row(stored) for stored in metrics["rows"])
    if not any((row.kind, row.name) == ("meta-learner", metrics["chosen"]) for row in rows):
        raise InputError(
            f"{run.metrics_file}, chosen",
            f"no meta-learner is named {metrics['chosen']!r}",
            "run raymed build again",
        )
    members = [row for row in rows if row.kind == "member"]
    ids = PLAIN if ids_shown else _codes(run)
    return Material(
        metrics=metrics,
        audit=read_audit(_there(run.audit_file), ids),
        experiment=read_experiment(_there(run.experiment_file)),
        yaml=run.experiment_file.read_text(encoding="utf-8"),
        rows=rows,
        curves=tuple(_curves(run, row, metrics["folds"]) for row in members),
        moved=tuple(_moved(run, row, metrics["folds"]) for row in members),
        sharpness=read_sharpness(run, {row.name: str(row.facts["id"]) for row in members}),
        gallery=read_gallery(run, ids),
        sites=read_sites(run),
        study=read_study(run, metrics["folds"]),
        contact_sheet=read_contact_sheet(run, ids),
        augmented=read_augmented(run, ids),
        ids_shown=ids_shown,
    )


def _codes(run: RunFolder) -> ShownIds:
    return ShownIds.coded(Manifest.read(_there(run.manifest_file)).table["checksum"])


def _there(path: Path) -> Path:
    if not path.is_file():
        raise InputError(str(path), "no such file", "run raymed build first")
    return path


def _row(stored: Mapping[str, Any]) -> Row:
    own = ("name", "kind", "oof", "test")
    return Row(
        name=stored["name"],
        kind=stored["kind"],
        oof=scores_by_level(stored["oof"]),
        test=scores_by_level(stored.get("test")),
        facts={key: value for key, value in stored.items() if key not in own},
    )


def scores_by_level(stored: Mapping[str, Any] | None) -> dict[str, Scores]:
    """Read the scores of a row in one split; empty where it has none."""
    return {
        level: Scores.from_dict(scores)
        for level, scores in (stored or {}).items()
        if scores is not None
    }


def _curves(run: RunFolder, row: Row, folds: int) -> Curves:
    """Read the epochs of the folds that are still complete: the curves are an illustration."""
    member = run.member(str(row.facts["id"]))
    attempts = {fold: member.completed_fold(fold) for fold in range(folds)}
    return Curves(
        row.name,
        {
            fold: read_parquet(attempt / "epochs.parquet").to_pandas()
            for fold, attempt in attempts.items()
            if attempt is not None
        },
    )


def _moved(run: RunFolder, row: Row, folds: int) -> Moved:
    """Read how far the groups moved in the folds that are still complete."""
    member = run.member(str(row.facts["id"]))
    rows = [
        {"fold": fold, "place": place, "group": moved["group"], "relative": moved["relative"]}
        for fold in range(folds)
        if member.completed_fold(fold) is not None
        for place, moved in enumerate(member.fold_facts(fold).get("moved", []))
    ]
    table = pd.DataFrame(rows, columns=["fold", "place", "group", "relative"])
    return Moved(row.name, table.astype({"relative": float}))
