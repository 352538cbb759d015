"""On the real slices: the leak is as large as it was measured, and the whole way runs."""

import json
import runpy
from pathlib import Path

import pytest

from raymed.config import parse_experiment
from raymed.pipeline.build import build

GATES = Path(__file__).parents[2] / "benchmarks" / "configurations.py"
CLASSES = ["Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented"]


@pytest.mark.slow
def test_the_alzheimer_set_builds_shows_its_leak_and_holds_every_gate(
    shared_data: Path, tmp_path: Path
) -> None:
    """A probe of MobileNetV2 at 64 px; reference at 64 px: nearest neighbour .99 against .50."""
    weights = shared_data.parent / "weights" / "mobilenetv2_100_features.pth"
    if not weights.is_file():
        pytest.skip(f"no {weights}")
    folder = shared_data / "alzheimer"
    subjects = {"file": str(folder / "subjects_recovered.csv"), "column": "subject"}
    experiment = parse_experiment(
        {
            "name": "real",
            "data": {
                "source": str(folder / "images"),
                "patients": subjects,
                "classes": CLASSES,
                "ordinal": True,
                "folds": 5,
            },
            "defaults": {"pretrained": {"file": str(weights)}, "size": 64},
            "recipes": {
                "probe": {
                    "model": "mobilenetv2_100",
                    "phases": [{"train": "head", "epochs": 5, "lr": 3e-3}],
                },
                "tuned": {
                    "model": "mobilenetv2_100",
                    "samples_per_patient": 2,
                    "phases": [{"train": "all", "epochs": 1, "lr": 1e-4}],
                },
                "useless": {
                    "model": "test_resnet",
                    "pretrained": "none",
                    "samples_per_patient": 1,
                    "phases": [{"epochs": 1, "lr": 1e-9}],
                },
            },
            "evaluate": {"draws": 200},
        },
        tmp_path,
        "real.yaml",
    )

    built = build(experiment, tmp_path / "run")

    leak = json.loads(built.run.audit_file.read_text())["leak_sentinel"]
    assert leak["image_level"]["accuracy"] > 0.95
    assert leak["patient_grouped"]["accuracy"] < 0.60
    findings = json.loads(built.run.audit_file.read_text())["findings"]
    assert any("Moderate_Demented has 2 patients for 5 folds" in f["what"] for f in findings)
    prior, probe = built.metrics["rows"][:2]
    figures = probe["oof"]["patient"]["metrics"]
    assert figures["auroc"]["low"] > 0.5
    assert prior["oof"]["patient"]["metrics"]["log_loss"]["value"] == pytest.approx(1.035, abs=0.01)
    left_out = [text for text in probe["oof"]["patient"]["warnings"] if "Moderate" in text]
    assert left_out  # two people: named, not hidden
    useless = built.metrics["rows"][3]
    assert (useless["name"], useless["left_out"]) == ("useless", "no better than the class prior")
    gates = runpy.run_path(str(GATES))["gates"](built)
    assert [gate for gate in gates if not gate.held] == []
