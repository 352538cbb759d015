"""`raymed check`: the audit alone, its verdicts, and the exit code for scripts."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image, ImageDraw, ImageFont
from sklearn.metrics import adjusted_rand_score

from raymed.data.phantom import STAGES, draw_phantoms, write_phantoms

Call = Callable[..., Any]


def configure(folder: Path, **data: Any) -> Path:
    """Write a configuration of the phantoms in a folder, patients unknown unless said."""
    source = {"source": "manifest.csv", "patients": "none", "classes": list(STAGES), "folds": 3}
    recipe = {"model": "no_such_model", "size": 32, "phases": [{"epochs": 1, "lr": 1e-3}]}
    content = {"name": "toy", "data": {**source, **data}, "recipes": {"cnn": recipe}}
    file = folder / "toy.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty people, six neighbouring slices each."""
    folder = tmp_path_factory.mktemp("slices")
    write_phantoms(folder, patients=40, slices=6, size=64)
    return folder


def test_hidden_people_end_with_exit_code_1_and_no_model_is_needed(
    raymed: Call, slices: Path, tmp_path: Path
) -> None:
    said = raymed("check", configure(slices), "--run", tmp_path / "run")

    assert said.code == 1, said
    assert "40 people in 240 images" in said.out
    assert "hidden-people" in said.out
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert (audit["samples"], audit["patients_declared"]) == (240, False)
    hidden = audit["hidden_groups"]
    assert hidden["found"] == 40
    assert hidden["confidence"] > 0.95
    people = pd.read_csv(slices / "manifest.csv").set_index("sample_id")["patient"]
    groups = pd.Series(hidden["groups"])
    assert adjusted_rand_score(people[groups.index], groups) == 1
    leak = audit["leak_sentinel"]
    assert leak["torn"] == "configured"
    assert leak["inflation"]["accuracy"] > 0.15
    assert leak["shuffled_labels"]["image_level"]["accuracy"] > 0.6
    assert leak["shuffled_labels"]["patient_grouped"]["accuracy"] < 0.4
    assert {"exact", "near", "across_splits", "contradictory"} <= set(audit["duplicates"])
    assert all({"severity", "name", "what", "remedy"} == set(each) for each in audit["findings"])


def test_what_is_acknowledged_ends_well(raymed: Call, slices: Path, tmp_path: Path) -> None:
    config = configure(slices, acknowledge=["patients-not-declared", "hidden-people"])

    said = raymed("check", config, "-o", tmp_path / "found.json")

    assert said.code == 0, said
    assert "hidden-people (acknowledged)" in said.out
    assert json.loads((tmp_path / "found.json").read_text())["hidden_groups"]["found"] == 40


def test_recovered_patients_are_the_groups_and_the_audit_says_so(
    raymed: Call, slices: Path, tmp_path: Path
) -> None:
    config = configure(slices, patients="recovered")

    said = raymed("check", config, "--json", "-o", tmp_path / "found.json")

    assert said.code == 0, said
    audit = json.loads(said.out)
    assert audit == json.loads((tmp_path / "found.json").read_text())
    assert (audit["patients"], audit["patients_recovered"]) == (40, True)
    assert [each["name"] for each in audit["findings"]] == ["patients-recovered"]
    assert audit["leak_sentinel"]["torn"] == "image_level"


def test_declared_patients_one_slice_each_are_good(raymed: Call, tmp_path: Path) -> None:
    write_phantoms(tmp_path, patients=72, slices=1, size=64)

    said = raymed("check", configure(tmp_path, patients={"column": "patient"}), "--json")

    assert said.code == 0, said
    audit = json.loads(said.out)
    assert audit["hidden_groups"]["found"] == 0
    assert (audit["findings"], audit["leak_sentinel"]) == ([], None)


def test_copies_across_the_test_split_are_serious(raymed: Call, tmp_path: Path) -> None:
    images = draw_phantoms(72, 1).images
    np.savez(
        tmp_path / "set.npz",
        train_images=images[:60],
        train_labels=np.arange(60) % 4,
        test_images=np.concatenate([images[60:], images[:4]]),
        test_labels=np.arange(16) % 4,
    )
    config = configure(tmp_path, source="set.npz", acknowledge=["patients-not-declared"])

    said = raymed("check", config, "--json")

    assert said.code == 1, said
    audit = json.loads(said.out)
    assert (audit["duplicates"]["exact"], audit["duplicates"]["across_splits"]) == (4, 4)
    assert (audit["hidden_groups"]["found"], audit["hidden_groups"]["people"]) == (4, 0)
    again = raymed("check", config, "data.patients=recovered", "--json")
    assert again.code == 1, again
    assert json.loads(again.out)["patients_declared"] is False


def test_letters_in_one_class_stop_and_are_shown(raymed: Call, tmp_path: Path) -> None:
    write_phantoms(tmp_path, patients=60, slices=1, size=96)
    table = pd.read_csv(tmp_path / "manifest.csv")
    for row in table[table["label"] == STAGES[0]].itertuples():
        image = Image.open(tmp_path / str(row.image)).point(lambda level: level // 2)
        ImageDraw.Draw(image).text((3, 2), "R", fill=255, font=ImageFont.load_default(9))
        image.save(tmp_path / str(row.image))
    config = configure(tmp_path, patients={"column": "patient"})
    run = tmp_path / "run"

    said = raymed("check", config, "--run", run)

    assert said.code == 1, said
    audit = json.loads((run / "audit.json").read_text())
    found = {each["name"]: each["severity"] for each in audit["findings"]}
    assert found == {"burnt-in-marks": "warning", "class-told-by-origin": "serious"}
    assert "burnt-in-marks" in said.out
    assert audit["pictures"]["associations"][0]["fact"] == "marked"
    sheet = pq.read_table(run / "hidden_groups.parquet").to_pylist()
    (strip,) = [row for row in sheet if row["about"] == "marks"]
    assert strip["sample_ids"] == audit["pictures"]["marks"]["examples"]
    shown = np.asarray(Image.open(io.BytesIO(strip["images"])).convert("RGB")).astype(int)
    orange = (shown[..., 0] > 150) & (shown[..., 2] < 90)
    assert orange[:16].sum() > 60  # the outlines of eight letters
    assert not orange[20:].any()
    known = "data.acknowledge=[class-told-by-origin]"
    assert raymed("check", config, known, "--run", run).code == 0


def test_an_unknown_finding_cannot_be_acknowledged(raymed: Call, tmp_path: Path) -> None:
    write_phantoms(tmp_path, patients=8, slices=1, size=32)

    said = raymed("check", configure(tmp_path, acknowledge=["hiden-people"]))

    assert said.code == 2
    assert "data.acknowledge" in said.err
    assert "hidden-people" in said.err
