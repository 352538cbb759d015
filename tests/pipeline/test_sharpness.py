"""Sharpness is measured once for each member, shown in the report, and selects nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import feather

from raymed.config import Experiment
from raymed.data import Folds, Manifest
from raymed.data.samples import SampleColumns
from raymed.files import read_json
from raymed.pipeline.build import Built, build, build_events
from raymed.pipeline.events import Stage
from raymed.pipeline.sharpness import sample_rows

Make = Callable[..., Experiment]
ON = "evaluate.sharpness=true"


@pytest.fixture(scope="module")
def measured(built: Built, make: Make, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The tiny experiment, built without sharpness, then built again with it."""
    copy = tmp_path_factory.mktemp("measured") / "run"
    shutil.copytree(built.run.path, copy)
    return build(make(ON), copy)


def _files(built: Built) -> dict[str, Path]:
    """A member's name: its file."""
    return {
        row["name"]: built.run.member(row["id"]).sharpness_file
        for row in built.metrics["rows"]
        if row["kind"] == "member"
    }


def _again(built: Built, make: Make, *overrides: str) -> list[str]:
    """Build again; the stages that the build went through."""
    events = build_events(make(ON, *overrides), built.run.path)
    return [event.name for event in events if isinstance(event, Stage)]


def _numbers(value: Any) -> list[float]:
    """Every number in a JSON value."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [number for each in inner for number in _numbers(each)]
    return [value] if isinstance(value, int | float) else []


def test_every_member_has_finite_figures_a_line_and_the_shown_one_a_plane(measured: Built) -> None:
    found = {name: read_json(path) for name, path in _files(measured).items()}

    assert set(found) == {"cnn", "probe"}
    for each in found.values():
        figures = each["figures"]
        assert len(figures) == 18
        assert None not in figures.values()
        assert np.isfinite(_numbers(figures)).all()
        assert 0 <= figures["one_step"] <= figures["several_steps"]
        assert len(each["line"]["losses"]) == 21
        assert each["line"]["losses"][10] == pytest.approx(figures["loss"], rel=1e-6)
    plane = found["cnn"]["plane"]["losses"]
    assert plane[5][5] == pytest.approx(found["cnn"]["figures"]["loss"], rel=1e-6)
    assert found["probe"]["plane"] is None  # by default only what is no probe is shown


def test_of_a_probe_the_head_alone_is_measured(measured: Built) -> None:
    found = {name: read_json(path) for name, path in _files(measured).items()}

    assert (found["cnn"]["trained"], found["probe"]["trained"]) == ("all", "head")
    classes = len(measured.metrics["classes"])
    assert found["probe"]["figures"]["parameters"] % classes == 0
    assert found["probe"]["figures"]["parameters"] < 2000 < found["cnn"]["figures"]["parameters"]


def test_the_loss_on_the_sample_is_that_of_the_out_of_fold_rows(measured: Built) -> None:
    """So the right model met the right images: its rows in the table give the same loss."""
    rows = feather.read_feather(measured.run.oof_file).astype({"member": str})
    for row in measured.metrics["rows"]:
        if row["kind"] == "member":
            found = read_json(measured.run.member(row["id"]).sharpness_file)
            own = rows[(rows["member"] == row["id"]) & rows["sample_id"].isin(found["sample_ids"])]
            logits = np.stack(own["logits"].to_list()).astype(np.float64)
            shifted = logits - logits.max(axis=1, keepdims=True)
            chosen = shifted[np.arange(len(own)), own["label"]]
            loss = np.mean(np.log(np.exp(shifted).sum(axis=1)) - chosen)
            assert len(own) == len(found["sample_ids"])
            assert set(own["fold"]) == {0}
            assert found["figures"]["loss"] == pytest.approx(loss, rel=1e-4)
            accuracy = np.mean(logits.argmax(axis=1) == own["label"])
            assert found["figures"]["accuracy"] == pytest.approx(accuracy)


def test_it_selects_nothing(built: Built, measured: Built, make: Make, tmp_path: Path) -> None:
    """Neither does asking for it fit the stack anew, nor does a stack fitted beside it differ."""
    assert measured.metrics == built.metrics
    copy = tmp_path / "run"
    shutil.copytree(measured.run.path, copy)
    shutil.rmtree(copy / "stack")
    (copy / "metrics.json").unlink()

    anew = build(make(ON), copy)

    for key in ("chosen", "rows", "comparisons", "failed"):
        assert anew.metrics[key] == built.metrics[key]
    for run in (measured.run, anew.run):
        for name in ("oof.arrow", "stack/stack.json", "stack/DONE.json"):
            assert (run.path / name).read_bytes() == (built.run.path / name).read_bytes()


def test_the_report_shows_it_only_where_it_was_asked_for(built: Built, measured: Built) -> None:
    shown, plain = (each.run.report_file.read_text() for each in (measured, built))

    assert '<section id="sharpness">' in shown
    assert 'id="surface-0"' in shown
    assert "never selects" in shown
    assert "sharpness" not in plain.partition("Configuration (experiment.yaml)")[0].lower()


def test_a_second_build_measures_nothing_again(measured: Built, make: Make) -> None:
    before = {path: path.stat().st_mtime_ns for path in _files(measured).values()}

    stages = _again(measured, make)

    assert "measuring sharpness" not in stages
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_only_what_is_missing_broken_or_of_other_weights_is_measured(
    measured: Built, make: Make, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(measured.run.path, copy)
    folders = {name: path.parent.name for name, path in _files(measured).items()}
    files = {name: copy / "members" / id_ / "sharpness.json" for name, id_ in folders.items()}
    whole = {name: path.read_bytes() for name, path in files.items()}
    files["cnn"].write_text("{")
    files["probe"].write_text(json.dumps({**json.loads(whole["probe"]), "about": "other"}))

    again = build(make(ON), copy)

    assert again.metrics == measured.metrics
    for name, path in files.items():
        now, was = (json.loads(text) | {"seconds": 0} for text in (path.read_bytes(), whole[name]))
        assert now == was  # and measuring again gives the same bits


def test_surfaces_that_are_asked_for_later_are_added(
    measured: Built, make: Make, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(measured.run.path, copy)

    again = build(make(ON, "evaluate.surfaces=[probe, cnn]"), copy)

    for name, path in _files(again).items():
        now, was = read_json(path), read_json(_files(measured)[name])
        assert now["plane"] is not None
        assert {**now, "plane": 0, "seconds": 0} == {**was, "plane": 0, "seconds": 0}
    report = again.run.report_file.read_text()
    assert 'id="surface-0"' in report
    assert 'id="surface-1"' in report
    assert again.metrics == measured.metrics


def test_the_sample_is_held_out_and_takes_each_patient_before_a_second_of_any(
    built: Built,
) -> None:
    samples = SampleColumns.of(
        Manifest.read(built.run.manifest_file), Folds.read(built.run.folds_file)
    )
    held_out = samples.held_out_rows(0)
    patients = len(set(samples.patients[held_out]))

    rows = sample_rows(samples, 0, seed=3, most=patients)

    assert set(rows) <= set(held_out)
    assert len(set(samples.patients[rows])) == patients == len(rows)
    assert rows.tolist() == sample_rows(samples, 0, seed=3, most=patients).tolist()
    assert rows.tolist() != sample_rows(samples, 0, seed=4, most=patients).tolist()
    assert sorted(sample_rows(samples, 0, seed=3)) == held_out.tolist()
