"""The verbs, as a user runs them: build, report, predict, schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import raymed as package

Call = Callable[..., Any]


def test_build_ends_with_a_summary_and_the_path_of_the_report(finished: Any) -> None:
    run, said = finished

    assert said.code == 0, said
    assert said.err == ""
    assert "class prior" in said.out
    assert f"report: {run / 'report.html'}" in said.out


def test_predict_writes_a_row_an_image_and_a_row_a_patient(
    raymed: Call, run: Path, scans: Path, tmp_path: Path
) -> None:
    for name in ("p.parquet", "p.csv"):
        said = raymed("predict", run, scans, "-o", tmp_path / name, "--patient-pattern", "(p.)_")
        assert said.code == 0, said
        assert "12 images, 6 patients" in said.out
    table = pd.read_csv(tmp_path / "p.csv")

    assert (table["level"] == "image").sum() == 12
    assert (table["level"] == "patient").sum() == 6
    probabilities = table[["probability_healthy", "probability_sick"]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    words = np.array(["healthy", "sick"])
    assert (words[probabilities.argmax(axis=1)] == table["predicted"]).all()
    again = pd.read_parquet(tmp_path / "p.parquet")
    np.testing.assert_allclose(again["probability_sick"], table["probability_sick"])
    first = table[table["patient"] == "p0"]
    mean = first[first["level"] == "image"]["probability_sick"].mean()
    assert first[first["level"] == "patient"]["probability_sick"].item() == pytest.approx(mean)


def test_predictions_from_python_equal_those_of_the_command(
    raymed: Call, run: Path, scans: Path, tmp_path: Path
) -> None:
    raymed("predict", run, scans, "-o", tmp_path / "p.parquet")
    said = pd.read_parquet(tmp_path / "p.parquet")

    table = package.load_stack(run).predict(scans)

    pd.testing.assert_frame_equal(table.reset_index(drop=True), said)


def test_without_evidential_members_the_table_has_no_columns_of_evidence(
    run: Path, scans: Path
) -> None:
    assert list(package.load_stack(run).predict(scans)) == [
        "level",
        "image",
        "predicted",
        "probability_healthy",
        "probability_sick",
        "set",
        "uncertainty",
        "expected_entropy",
        "disagreement",
    ]


def test_averaged_views_say_what_they_are_and_that_calibration_was_fitted_without(
    raymed: Call, run: Path, scans: Path, tmp_path: Path
) -> None:
    for name in ("t.parquet", "t.csv", "again.parquet", "plain.parquet"):
        options = () if name == "plain.parquet" else ("--tta", 4)
        said = raymed("predict", run, scans, "-o", tmp_path / name, *options)
        assert said.code == 0, said
        assert ("means over 4 views by cnn; temperatures" in said.err) == bool(options)
    table, plain = (pd.read_parquet(tmp_path / name) for name in ("t.parquet", "plain.parquet"))

    assert (table["views"] == 4).all()
    assert (pd.read_csv(tmp_path / "t.csv")["views"] == 4).all()
    assert table.attrs["tta"]["members"] == ["cnn"]
    assert "was not measured" in table.attrs["tta"]["calibration"]
    pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "again.parquet"))
    assert "views" not in plain
    assert plain.attrs == {}
    assert not np.allclose(plain["probability_sick"], table["probability_sick"], atol=1e-7)


def test_one_image_and_a_table_of_images_can_be_predicted(run: Path, scans: Path) -> None:
    image = scans / "sick" / "p1_0.jpg"
    (scans / "new.csv").write_text("image,patient\nsick/p1_0.jpg,A\nsick/p3_0.jpg,A\n")
    stack = package.load_stack(run)

    one, two = stack.predict(image), stack.predict(scans / "new.csv")

    assert len(one) == 1
    assert two["level"].tolist() == ["image", "image", "patient"]
    assert one["probability_sick"][0] == pytest.approx(two["probability_sick"][0], abs=1e-6)


def test_a_broken_image_to_predict_is_refused_and_nothing_is_written(
    raymed: Call, run: Path, scans: Path, tmp_path: Path
) -> None:
    (scans / "sick" / "p1_0.jpg").write_bytes(b"")

    said = raymed("predict", run, scans, "-o", tmp_path / "p.csv")

    assert said.code == 2
    assert "p1_0.jpg: the file is empty" in said.err
    assert not (tmp_path / "p.csv").exists()
    assert raymed("predict", run, scans / "healthy", "-o", tmp_path / "p.txt").code == 2


def test_what_is_harmed_is_named_and_mended_by_building_again(
    raymed: Call, finished: Any, run: Path, scans: Path, tmp_path: Path
) -> None:
    checkpoint = next(run.glob("members/*/fold-0/*/checkpoint.safetensors"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:100])

    said = raymed("predict", run, scans, "-o", tmp_path / "p.csv")

    assert said.code == 2
    assert "fold 0: is missing or harmed; run raymed build again" in said.err
    weights = run / "stack" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:10])
    said = raymed("predict", run, scans, "-o", tmp_path / "p.csv")
    assert "holds no complete stack; run raymed build again" in said.err
    oof = (run / "oof.arrow").read_bytes()

    assert raymed("build", finished[0].parent / "scans.yaml", "--run", run).code == 0

    assert raymed("predict", run, scans, "-o", tmp_path / "p.csv").code == 0
    assert (run / "oof.arrow").read_bytes() == oof


def test_report_writes_the_report_again(raymed: Call, run: Path) -> None:
    (run / "report.html").unlink()

    said = raymed("report", run)

    assert said.code == 0
    assert Path(said.out.strip()) == (run / "report.html").resolve()
    assert (run / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize("verb", ["build", "tune", "compare"])
def test_serious_findings_end_with_code_2_and_the_line_to_add(
    raymed: Call, config: Path, verb: str
) -> None:
    run = config.parent / "run"

    said = raymed(verb, config, "data.patients=none", "--run", run)

    assert said.code == 2, said
    assert "patients-not-declared: Patients are not declared" in said.err
    assert "Give data.patients a column" in said.err
    assert "data: {acknowledge: [patients-not-declared]}" in said.err
    assert (run / "audit.json").exists()
    assert not (run / "folds.parquet").exists()
    assert not (run / "members").exists()


def test_undeclared_patients_are_said_in_the_terminal_and_the_report(
    raymed: Call, config: Path
) -> None:
    run = config.parent / "run"

    known = "data.acknowledge=[patients-not-declared]"
    said = raymed("build", config, "data.patients=none", known, "--run", run)

    assert said.code == 0, said
    assert "leakage was not excluded" in said.out
    assert "leakage was not excluded" in (run / "report.html").read_text().lower()


def test_a_failed_member_ends_with_code_3_and_its_name(raymed: Call, config: Path) -> None:
    bad = (
        "recipes.bad={model: test_vit, pretrained: none, size: 32, optimizer: {clip: null}, "
        "phases: [{epochs: 2, lr: 1e30}]}"
    )

    said = raymed("build", config, bad, "--run", config.parent / "run")

    assert said.code == 3, said
    assert "member bad failed" in said.out
    assert "the loss became" in said.out
    assert "logs:" in said.out


def test_schema_prints_json_schema_with_defaults(raymed: Call) -> None:
    schema = json.loads(raymed("schema").out)

    assert schema["type"] == "object"
    assert {"data", "recipes", "defaults"} <= set(schema["properties"])
