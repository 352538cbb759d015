"""Sites are left out one at a time, and subgroups scored, beside a build that stays as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as oracle

from raymed.config import Experiment
from raymed.data import Folds, Manifest
from raymed.data.samples import SampleColumns
from raymed.data.sites import site_names
from raymed.ensemble import Settings, cross_fit, fit_meta_learner, read_oof
from raymed.errors import InputError
from raymed.evaluation import class_prior, to_patient_level
from raymed.files import read_json
from raymed.pipeline.build import Built, build, build_events
from raymed.pipeline.events import Stage, Training
from raymed.pipeline.members import Scheme, plan_members
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.sites import SUFFIX, plan_left_out_sites, score_left_out_sites
from raymed.pipeline.status import read_status
from raymed.runs import RunFolder

Make = Callable[..., Experiment]
SITES = "evaluate.sites=leave-one-out"
GROUPS = "evaluate.subgroups=[site, {column: age, bands: [50, 70], file: people.csv}]"


@pytest.fixture(scope="module")
def people(phantoms: Path) -> dict[str, str]:
    """Each patient's age, in a table beside the manifest; that of one is missing."""
    patients = sorted(set(pd.read_csv(phantoms / "phantom" / "manifest.csv")["patient"]))
    ages = {name: str(40 + 2 * at) for at, name in enumerate(patients)} | {patients[3]: ""}
    rows = [f"{name},{age}" for name, age in ages.items()]
    (phantoms / "people.csv").write_text("\n".join(["patient,age", *rows]))
    return ages


@pytest.fixture(scope="module")
def evaluated(
    built: Built, make: Make, people: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """The tiny experiment, built without sites, then built again with them and with subgroups.

    It is stopped once, in the middle of the left-out sites.
    """
    copy = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(built.run.path, copy)
    events = build_events(make(SITES, GROUPS, "cluster.workers=1"), copy)
    for event in events:
        if isinstance(event, Training) and event.ended and event.part == "fold 0":
            events.close()
    stopped = markers(copy)
    assert 0 < len(stopped) < 6
    again = build(make(SITES, GROUPS), copy)
    assert stopped.items() <= markers(copy).items()  # nothing finished is done twice
    return again


def markers(run: Path) -> dict[Path, int]:
    """When each fold of a left-out site was finished."""
    found = run.glob("evaluations/sites/members/*/fold-*/DONE.json")
    return {path: path.stat().st_mtime_ns for path in found}


def columns(run: RunFolder) -> SampleColumns:
    inner = run.left_out_sites
    return SampleColumns.of(Manifest.read(inner.manifest_file), Folds.read(inner.folds_file))


def scores_at(evaluated: Built, site: str | None, name: str) -> dict[str, Any]:
    """The row of a name at one site, as it was written."""
    stored = read_json(evaluated.run.left_out_sites.metrics_file)
    place = next(each for each in stored["scores"] if each["site"] == site)
    row: dict[str, Any] = next(each for each in place["rows"] if each["name"] == name)
    return row


def loss_of_patients(probabilities: Any, labels: Any, patients: Any) -> float:
    """scikit-learn's log loss of the patients' mean probabilities."""
    people = to_patient_level(probabilities, labels, patients)
    classes = range(people.probabilities.shape[1])
    return float(oracle.log_loss(people.labels, people.probabilities, labels=list(classes)))


def test_the_build_stays_as_it_was_and_no_member_of_it_is_trained_again(
    built: Built, evaluated: Built
) -> None:
    for name in ("oof.arrow", "folds.parquet", "stack/stack.json"):
        assert (evaluated.run.path / name).read_bytes() == (built.run.path / name).read_bytes()
    assert evaluated.metrics["rows"] == built.metrics["rows"]
    before, after = (
        {path.relative_to(run.path) for path in run.path.glob("members/*/fold-*/*")}
        for run in (built.run, evaluated.run)
    )
    assert before == after


def test_no_model_saw_the_site_that_it_predicts(evaluated: Built) -> None:
    """Its training rows hold no sample of the site, and its rows in the table are all of it."""
    samples, inner = columns(evaluated.run), evaluated.run.left_out_sites
    names = site_names(Manifest.read(inner.manifest_file))
    assert names == ("site_a", "site_b", "site_c")
    for fold, site in enumerate(names):
        seen = samples.training_rows(fold)
        assert site not in samples.sites[seen]
        assert set(samples.sites[samples.held_out_rows(fold)]) == {site}
        assert not set(samples.patients[seen]) & set(samples.patients[samples.test_rows()])

    members = sorted(inner.path.glob("members/*"))
    assert len(members) == 2
    for member in members:
        rows = pq.read_table(member / "oof.parquet").to_pandas()
        assert [names[fold] for fold in rows["fold"]] == rows["site"].tolist()
        assert sorted(rows["sample_id"]) == sorted(samples.sample_ids[samples.fold >= 0])


def test_no_meta_learner_and_no_prior_saw_the_site_that_it_is_scored_on(
    evaluated: Built, make: Make
) -> None:
    """Fitted here by hand on the other sites' rows, both give the reported log loss."""
    samples, chosen = columns(evaluated.run), evaluated.metrics["chosen"]
    oof = read_oof(evaluated.run.left_out_sites.oof_file)
    sites = samples.sites[samples.fold >= 0]  # rows come in the manifest's order
    for site in ("site_a", "site_b", "site_c"):
        own = sites == site
        rows = oof.logits[~own], oof.labels[~own], oof.patients[~own]
        learner = fit_meta_learner(chosen, *rows, Settings(seed=0))
        stack = learner.by_level(oof.logits[own])["patient"]
        prior = class_prior(rows[1], oof.classes, rows[2])
        for name, found in ((chosen, stack), ("class prior", np.tile(prior, (own.sum(), 1)))):
            told = scores_at(evaluated, site, name)["left_out"]["metrics"]["log_loss"]["value"]
            again = loss_of_patients(found, oof.labels[own], oof.patients[own])
            assert told == pytest.approx(again)


def test_beside_it_stand_the_same_samples_out_of_the_patient_grouped_folds(
    evaluated: Built,
) -> None:
    chosen = evaluated.metrics["chosen"]
    names = {row["name"] for row in evaluated.metrics["rows"] if row["kind"] == "member"}
    for row in evaluated.metrics["rows"]:
        if row["name"] in names | {chosen, "class prior"}:
            told = scores_at(evaluated, None, row["name"])
            pooled = row["oof"]["patient"]["metrics"]
            for metric, found in told["grouped"]["metrics"].items():
                assert found == pooled[metric]
            apart = [told[way]["metrics"]["log_loss"]["value"] for way in ("left_out", "grouped")]
            assert told["cost"]["value"] == pytest.approx(apart[0] - apart[1])


def test_figures_of_a_group_are_scikit_learns_on_its_samples(
    evaluated: Built, people: dict[str, str]
) -> None:
    oof = read_oof(evaluated.run.oof_file)
    stack = cross_fit(evaluated.metrics["chosen"], oof, Settings(seed=0)).probabilities["patient"]
    site, age = evaluated.metrics["subgroups"]
    assert (site["column"], age["column"], age["level"]) == ("site", "age", "patient")
    assert [each["group"] for each in age["oof"]] == ["< 50", "50 to < 70", "≥ 70", "unknown"]
    for each in age["oof"]:
        ages = [people[patient] for patient in oof.patients]
        own = np.array([_band(value) == each["group"] for value in ages])
        again = loss_of_patients(stack[own], oof.labels[own], oof.patients[own])
        assert each["scores"]["metrics"]["log_loss"]["value"] == pytest.approx(again)
        assert each["scores"]["patients"] == len(set(oof.patients[own]))
    tested = sum(each["scores"]["patients"] for each in age["test"])
    assert tested == evaluated.metrics["test_patients"]


def _band(age: str) -> str:
    if not age:
        return "unknown"
    return "< 50" if int(age) < 50 else "50 to < 70" if int(age) < 70 else "≥ 70"


def test_a_second_build_does_nothing_twice_and_a_changed_group_trains_nothing(
    evaluated: Built, make: Make
) -> None:
    before = markers(evaluated.run.path)
    scored = evaluated.run.left_out_sites.metrics_file.stat().st_mtime_ns

    stages = _stages(make(SITES, GROUPS), evaluated)
    assert not {"scoring left-out sites", "scoring the stack"} & set(stages)
    stages = _stages(make(SITES, GROUPS.replace("70", "60")), evaluated)

    assert "scoring the stack" in stages
    assert markers(evaluated.run.path) == before
    assert evaluated.run.left_out_sites.metrics_file.stat().st_mtime_ns == scored
    build(make(SITES, GROUPS), evaluated.run.path)


def _stages(experiment: Experiment, built: Built) -> list[str]:
    events = build_events(experiment, built.run.path)
    return [event.name for event in events if isinstance(event, Stage)]


def test_status_tells_of_the_left_out_sites_too(evaluated: Built) -> None:
    status = read_status(evaluated.run.path)

    folds = {row.name: len(row.cells) for row in status.board.members}
    assert folds == {"cnn": 2, "probe": 2, f"cnn{SUFFIX}": 3, f"probe{SUFFIX}": 3}
    assert (status.state, status.board.count("done"), status.left) == ("complete", 10, 0)
    twin = status.board.row(f"cnn{SUFFIX}")
    marker = evaluated.run.left_out_sites.member(twin.id).fold(1) / "DONE.json"
    aside = marker.with_suffix(".aside")
    marker.rename(aside)
    try:
        cells = read_status(evaluated.run.path).board.row(twin.name).cells
    finally:
        aside.rename(marker)
    assert [cell.state for cell in cells.values()] == ["done", "waiting", "done"]


def test_a_member_that_fails_without_a_site_is_missing_there_and_named(
    evaluated: Built, make: Make, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    shutil.copytree(evaluated.run.path, run.path)
    experiment = make(SITES, GROUPS)
    manifest = Manifest.read(run.manifest_file)
    by_site = Folds.read(run.left_out_sites.folds_file)
    prepared = Prepared(manifest, Folds.read(run.folds_file), by_site)
    grouped = Scheme(run, prepared, plan_members(experiment, run, prepared))
    left_out = plan_left_out_sites(experiment, run, prepared)
    assert left_out is not None

    failed = {f"cnn{SUFFIX}": "fold 1: ValueError: no"}
    for _ in score_left_out_sites(experiment, grouped, left_out, grouped.members, failed):
        pass

    stored = read_json(run.left_out_sites.metrics_file)
    assert stored["failed"] == [{"name": "cnn, by site", "reason": "fold 1: ValueError: no"}]
    rows = {row["name"] for row in stored["scores"][0]["rows"]}
    assert rows == {"class prior", "probe", "mean", evaluated.metrics["chosen"]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.drop(columns="site"), "evaluate.sites: no sample has a site"),
        (lambda table: table.assign(site="one"), "all training samples are of one site, 'one'"),
        (
            lambda table: table.assign(site=["x", "y"] * (len(table) // 2)),
            "patients were seen at several sites: p",
        ),
    ],
)
def test_sites_that_cannot_be_left_out_are_refused_before_anything_is_trained(
    phantoms: Path, make: Make, tmp_path: Path, change: Any, said: str
) -> None:
    source = phantoms / "phantom" / "changed.csv"
    change(pd.read_csv(phantoms / "phantom" / "manifest.csv")).to_csv(source, index=False)

    with pytest.raises(InputError, match=said):
        build(make(SITES, f"data.source={source}"), tmp_path / "run")

    assert not (tmp_path / "run" / "folds.parquet").exists()


def test_the_report_shows_both_and_nothing_of_them_unasked(built: Built, evaluated: Built) -> None:
    shown, plain = (each.run.report_file.read_text() for each in (evaluated, built))

    assert '<section id="sites">' in shown
    assert 'id="site-cost"' in shown
    assert 'id="subgroup-loss"' in shown
    assert 'id="sites"' not in plain
