"""A build leaves what the design says, and holds its invariants, on a real embedded Ray."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from raymed.data import Folds, Manifest
from raymed.ensemble import cross_fit, read_oof, read_stack
from raymed.evaluation import score
from raymed.files import complete
from raymed.pipeline.build import Built, build, build_events
from raymed.pipeline.events import MemberFailed
from raymed.runs import FOLD_FILES


def test_the_run_folder_holds_every_artifact_of_the_design(built: Built) -> None:
    run = built.run.path
    for name in (
        "experiment.yaml",
        "manifest.parquet",
        "folds.parquet",
        "audit.json",
        "oof.arrow",
        "stack/stack.json",
        "metrics.json",
        "report.html",
    ):
        assert (run / name).is_file(), name
    members = sorted((run / "members").iterdir())
    assert len(members) == 2
    for member in members:
        assert complete(member) is not None
        for name in ("recipe.yaml", "oof.parquet", "test.parquet"):
            assert (member / name).is_file()
        for fold in (0, 1):
            attempt = member / f"fold-{fold}" / complete(member / f"fold-{fold}")["attempt"]
            assert sorted(path.name for path in attempt.iterdir()) == sorted(FOLD_FILES)


def test_each_folds_marker_tells_how_far_its_layer_groups_moved(built: Built) -> None:
    for row in built.metrics["rows"]:
        if row["kind"] == "member":
            for fold in (0, 1):
                *body, head = built.run.member(row["id"]).fold_facts(fold)["moved"]
                assert (head["group"], head["relative"]) == ("head", None)
                assert head["absolute"] > 0
                moved = [group["relative"] for group in body]
                assert moved == [0] if row["probe"] else min(moved) > 0
    assert 'id="movement"' in built.run.report_file.read_text()


def test_no_patient_is_in_two_folds_or_in_training_and_test(built: Built) -> None:
    folds = Folds.read(built.run.folds_file)
    sides = pd.Series(folds.fold).groupby(np.array(folds.patients)).nunique()

    assert (sides == 1).all()
    assert set(folds.fold) == {-1, 0, 1}


def test_every_training_sample_is_predicted_once_by_each_member_and_no_test_sample(
    built: Built,
) -> None:
    folds = Folds.read(built.run.folds_file)
    inside = [s for s, fold in zip(folds.sample_ids, folds.fold, strict=True) if fold >= 0]

    rows = feather.read_feather(built.run.oof_file)
    for _, own in rows.groupby("member", observed=True):
        assert sorted(own["sample_id"]) == sorted(inside)


def test_every_row_comes_from_the_model_of_its_own_fold(built: Built) -> None:
    folds = Folds.read(built.run.folds_file)
    fold_of = dict(zip(folds.sample_ids, folds.fold, strict=True))

    rows = feather.read_feather(built.run.oof_file)

    assert (rows["sample_id"].map(fold_of) == rows["fold"]).all()


def test_every_fold_model_predicts_every_test_sample(built: Built) -> None:
    folds = Folds.read(built.run.folds_file)
    test = [s for s, fold in zip(folds.sample_ids, folds.fold, strict=True) if fold < 0]
    for member in (built.run.path / "members").iterdir():
        rows = pq.read_table(member / "test.parquet").to_pandas()
        for fold in (0, 1):
            assert sorted(rows["sample_id"][rows["fold"] == fold]) == sorted(test)


def test_the_stacks_own_figures_are_cross_fitted(built: Built, make: Any) -> None:
    """The reported log loss is that of cross-fitted rows, computed again from the OOF file."""
    oof = read_oof(built.run.oof_file)
    manifest = Manifest.read(built.run.manifest_file)
    for row in built.metrics["rows"]:
        if row["kind"] == "meta-learner":
            candidate = cross_fit(row["name"], oof)
            again = score(
                candidate.probabilities["patient"],
                oof.labels,
                oof.patients,
                manifest.classes,
                level="patient",
                folds=2,
                draws=0,
            )
            reported = row["oof"]["patient"]["metrics"]["log_loss"]["value"]
            assert reported == pytest.approx(again.metrics["log_loss"].value)


def test_headline_figures_carry_intervals_at_both_levels(built: Built) -> None:
    kinds = {row["kind"] for row in built.metrics["rows"]}
    assert kinds == {"prior", "member", "meta-learner"}
    for row in built.metrics["rows"]:
        for part in ("oof", "test"):
            for level in ("image", "patient"):
                figures = row[part][level]["metrics"]
                assert {
                    "log_loss",
                    "auroc",
                    "accuracy",
                    "balanced_accuracy",
                    "macro_f1",
                    "ece",
                    "kappa",
                } <= set(figures)
        figure = row["oof"]["patient"]["metrics"]["log_loss"]
        if row["kind"] != "prior":
            assert figure["low"] < figure["value"] < figure["high"]


def test_metrics_are_plain_json_without_nan(built: Built) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    json.loads(built.run.metrics_file.read_text(), parse_constant=refuse)


def test_the_stack_names_its_members_and_its_folds(built: Built) -> None:
    stack = read_stack(built.run.stack_folder)

    assert sorted(stack.members.values()) == ["cnn", "probe"]
    assert stack.folds == 2
    assert stack.meta_learner.kind == built.metrics["chosen"]


@pytest.mark.slow
def test_ray_train_gives_the_bits_and_artifacts_of_the_embedded_workers_in_another_order(
    built: Built, make: Any, tmp_path: Path, backwards: list[Any]
) -> None:
    trained = build(make("cluster.engine=train"), tmp_path / "run")

    assert len(set(backwards)) == 4
    assert trained.run.oof_file.read_bytes() == built.run.oof_file.read_bytes()
    for member in (built.run.path / "members").iterdir():
        for fold in (0, 1):
            attempt = trained.run.member(member.name).completed_fold(fold)
            assert attempt is not None
            assert sorted(path.name for path in attempt.iterdir()) == sorted(FOLD_FILES)


@pytest.mark.slow
def test_ray_train_gives_the_bits_one_unit_at_a_time_too(
    built_cnn: Built, make: Any, only_cnn: str, tmp_path: Path
) -> None:
    trained = build(make(only_cnn, "cluster.engine=train", "cluster.workers=1"), tmp_path / "run")

    assert trained.run.oof_file.read_bytes() == built_cnn.run.oof_file.read_bytes()


def test_a_second_build_does_nothing_twice(built: Built, make: Any) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in built.run.path.rglob("members/**/*")}
    metrics = built.run.metrics_file.stat().st_mtime_ns

    again = build(make(), built.run.path)

    assert {p: p.stat().st_mtime_ns for p in built.run.path.rglob("members/**/*")} == stamps
    assert built.run.metrics_file.stat().st_mtime_ns == metrics
    assert again.metrics == built.metrics


@pytest.fixture(scope="module")
def altered(
    built: Built, make: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Built, list[MemberFailed]]:
    """A copy of the run, built again: the probe's recipe changed, and a member's loss overflows."""
    changed = "recipes.probe.phases=[{train: head, epochs: 2, lr: 1e-2}]"
    bad = "recipes.bad={model: test_vit, optimizer: {clip: null}, phases: [{epochs: 2, lr: 1e30}]}"
    copy = tmp_path_factory.mktemp("altered") / "run"
    shutil.copytree(built.run.path, copy)
    failures: list[MemberFailed] = []

    events = build_events(make(changed, bad), copy)
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value, failures
        if isinstance(event, MemberFailed):
            failures.append(event)


def test_a_changed_recipe_trains_that_member_only(
    built: Built, altered: tuple[Built, list[MemberFailed]]
) -> None:
    result, _ = altered
    before, after = (
        {path.parent.name: path.stat().st_mtime_ns for path in run.path.glob("members/*/DONE.json")}
        for run in (built.run, result.run)
    )

    assert before.items() < after.items()
    assert len(after) == 3
    assert len(read_stack(result.run.stack_folder).members) == 2


def test_a_nan_loss_fails_that_member_only(altered: tuple[Built, list[MemberFailed]]) -> None:
    result, failures = altered

    assert {event.member for event in failures} == {"bad"}
    assert list(result.failed) == ["bad"]
    assert "the loss became" in result.failed["bad"]
    members = [row["name"] for row in result.metrics["rows"] if row["kind"] == "member"]
    assert members == ["cnn", "probe"]
    assert result.metrics["failed"][0]["name"] == "bad"
