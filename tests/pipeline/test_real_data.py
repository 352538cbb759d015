"""On the real slices: the leak is as large as it was measured, and the whole way runs."""

import json
from pathlib import Path

import pytest

from raymed.config import parse_experiment
from raymed.pipeline.build import build

CLASSES = ["Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented"]


@pytest.mark.slow
def test_the_alzheimer_set_builds_and_shows_its_leak(shared_data: Path, tmp_path: Path) -> None:
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
            "recipes": {
                "probe": {
                    "model": "mobilenetv2_100",
                    "pretrained": {"file": str(weights)},
                    "size": 64,
                    "phases": [{"train": "head", "epochs": 5, "lr": 3e-3}],
                }
            },
            "evaluate": {"draws": 200},
        },
        tmp_path,
        "real.yaml",
    )

    built = build(experiment, tmp_path / "run")

    leak = json.loads(built.run.audit_file.read_text())["leak"]
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
