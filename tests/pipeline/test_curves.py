"""A run's curves are those of its scores, and thin enough to store."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raymed.config import parse_experiment
from raymed.data import Folds, Manifest
from raymed.ensemble import OofTable
from raymed.pipeline.analysis import Analysis
from raymed.pipeline.build import Built
from raymed.pipeline.curves import POINTS, curve_facts
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Scorer, alike
from raymed.runs import RunFolder

CLASSES = ("well", "early", "late")
PATIENTS = 150


def _row(metrics: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next(row for row in metrics["rows"] if (row["kind"], row["name"]) == (kind, name))


def test_the_areas_are_those_that_the_run_scored(built: Built) -> None:
    metrics = built.metrics
    curves = metrics["curves"]
    stack = _row(metrics, "meta-learner", metrics["chosen"])
    member = _row(metrics, "member", curves["member"])
    losses = {
        row["name"]: row["oof"]["patient"]["metrics"]["log_loss"]["value"]
        for row in metrics["rows"]
        if row["kind"] == "member"
    }

    assert curves["level"] == "patient"
    assert curves["member"] == min(losses, key=losses.__getitem__)
    assert [question["title"] for question in curves["questions"]] == metrics["classes"]
    for question in curves["questions"]:
        for split in ("oof", "test"):
            roc = question[split]["roc"]
            for area, row in ((roc["area"]["value"], stack), (roc["member"]["area"], member)):
                scored = row[split]["patient"]["per_class"][question["title"]]["auroc"]["value"]
                assert area == (scored if scored is None else pytest.approx(scored))


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    """150 patients of one sample each in three folds, and a stack that knows a little of them."""
    ids = tuple(f"s{number:03d}" for number in range(PATIENTS))
    labels = np.arange(PATIENTS) % 3
    table = pd.DataFrame({"sample_id": ids, "label": labels, "patient": ids, "split": "train"})
    fold = (np.arange(PATIENTS) // 3 % 3).astype(np.int16)
    content = {
        "name": "toy",
        "data": {
            "source": "x",
            "patients": {"column": "patient"},
            "binary": {"positive": ["early", "late"]},
        },
        "recipes": {"cnn": {"model": "test_resnet"}},
        "evaluate": {"draws": 100},
    }
    experiment = parse_experiment(content, tmp_path, "toy.yaml")
    manifest = Manifest(table, CLASSES, True, 1)
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=PATIENTS) + np.eye(3)[labels]
    stacked = shares / shares.sum(axis=1, keepdims=True)
    oof = OofTable(
        members=("cnn",),
        logits=np.log(stacked)[:, np.newaxis].astype(np.float32),
        labels=manifest.labels,
        patients=manifest.patients,
        fold=fold,
    )
    scorer = Scorer(experiment, Prepared(manifest, Folds(ids, ids, fold)))
    return Analysis(scorer, oof, alike(stacked), None)


@pytest.fixture
def members(analysis: Analysis, tmp_path: Path) -> list[Member]:
    recipe = analysis.scorer.experiment.recipes["cnn"]
    return [Member("cnn", recipe, RunFolder.at(tmp_path).member("c1"))]


def test_a_binary_question_comes_first_with_its_threshold_on_the_curve(
    analysis: Analysis, members: list[Member]
) -> None:
    binary, *others = curve_facts(analysis, members)["questions"]

    assert (binary["title"], binary["binary"]) == ("early or late", True)
    assert [other["title"] for other in others] == list(CLASSES)
    scores = analysis.stacked["patient"][:, 1:].sum(axis=1)
    said, truth = scores >= binary["threshold"], analysis.oof.labels > 0
    assert binary["oof"]["point"]["sensitivity"] == pytest.approx(said[truth].mean())
    assert binary["oof"]["point"]["false_positive_rate"] == pytest.approx(said[~truth].mean())
    assert all(other["threshold"] is None and other["oof"]["point"] is None for other in others)
    assert binary["test"] is None


def test_no_curve_has_more_points_than_a_figure_shows(
    analysis: Analysis, members: list[Member]
) -> None:
    for question in curve_facts(analysis, members)["questions"]:
        for kind in ("roc", "precision_recall"):
            curve = question["oof"][kind]
            assert 2 <= len(curve["x"]) == len(curve["y"]) <= POINTS
            assert (curve["x"][0], curve["x"][-1]) == (0, 1)  # the ends are never thinned away
            assert len(curve["low"]) == len(curve["high"]) == 101
