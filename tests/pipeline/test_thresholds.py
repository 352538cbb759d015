"""The threshold of a binary question is the out-of-fold rows' own, whatever the test labels say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raymed.config import parse_experiment
from raymed.config.experiment import BinaryFigures
from raymed.data import Folds, Manifest
from raymed.ensemble import OofTable
from raymed.evaluation import ask, choose_threshold
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Scorer, alike, thresholds_of

SAMPLES, TRAINING = 90, 60


@pytest.fixture
def scorer(tmp_path: Path) -> Scorer:
    """60 samples in three folds and 30 of a test split, two each of a patient, two classes."""
    number = np.arange(SAMPLES)
    ids = [f"s{i:02d}" for i in number]
    patients = [f"p{i // 2:02d}" for i in number]
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "label": number // 2 % 2,
            "patient": patients,
            "split": np.where(number < TRAINING, "train", "test"),
        }
    )
    fold = np.where(number < TRAINING, number // 2 % 3, -1).astype(np.int16)
    content = {
        "name": "toy",
        "data": {"source": "x", "patients": {"column": "patient"}, "binary": {"positive": ["ill"]}},
        "recipes": {"cnn": {"model": "test_resnet"}},
        "evaluate": {"draws": 100},
    }
    return Scorer(
        parse_experiment(content, tmp_path, "toy.yaml"),
        Prepared(
            Manifest(table, ("well", "ill"), True, 1), Folds(tuple(ids), tuple(patients), fold)
        ),
    )


def _probabilities(labels: np.ndarray, seed: int) -> np.ndarray:
    ill = np.clip(
        0.4 + 0.2 * labels + 0.15 * np.random.default_rng(seed).normal(size=len(labels)), 0, 1
    )
    return np.stack([1 - ill, ill], axis=1)


def _oof(scorer: Scorer) -> OofTable:
    manifest, folds = scorer.prepared.manifest, scorer.prepared.folds
    return OofTable(
        members=("cnn",),
        logits=np.zeros((TRAINING, 1, 2), np.float32),
        labels=manifest.labels[:TRAINING],
        patients=manifest.patients[:TRAINING],
        fold=folds.fold[:TRAINING],
    )


def _row(scorer: Scorer) -> dict[str, Any]:
    labels = np.arange(SAMPLES) // 2 % 2  # the predictions do not follow what a test changes
    probabilities = _probabilities(labels, 0)
    return scorer.row(
        _oof(scorer), alike(probabilities[:TRAINING]), alike(probabilities[TRAINING:])
    )


def test_no_test_label_influences_a_threshold_or_an_oof_figure(scorer: Scorer) -> None:
    manifest = scorer.prepared.manifest
    table = manifest.table.copy()
    table.loc[manifest.is_test, "label"] = 1 - table.loc[manifest.is_test, "label"]
    turned = replace(
        scorer, prepared=replace(scorer.prepared, manifest=replace(manifest, table=table))
    )

    row, other = _row(scorer), _row(turned)

    assert row["thresholds"] == other["thresholds"]
    assert row["oof"] == other["oof"]
    own, against = (
        each["test"]["patient"]["metrics"]["binary_balanced_accuracy"]["value"]
        for each in (row, other)
    )
    assert own + against == pytest.approx(1)  # every label turned: right is wrong


def test_the_test_split_is_called_at_the_threshold_of_all_oof_rows(scorer: Scorer) -> None:
    row = _row(scorer)
    oof, manifest = _oof(scorer), scorer.prepared.manifest
    probabilities = _probabilities(manifest.labels, 0)

    for level in scorer.levels:
        asked = ask(probabilities[:TRAINING], oof.labels, oof.patients, [1], level=level)
        assert row["thresholds"][level] == choose_threshold(asked.scores, asked.is_positive)
    said = probabilities[TRAINING:, 1] >= row["thresholds"]["image"]
    is_ill = manifest.labels[TRAINING:] == 1
    by_hand = (said[is_ill].mean() + (~said)[~is_ill].mean()) / 2
    found = row["test"]["image"]["metrics"]["binary_balanced_accuracy"]["value"]
    assert found == pytest.approx(by_hand)


def test_rows_of_elsewhere_are_scored_at_the_thresholds_of_the_run(scorer: Scorer) -> None:
    """One function scores the test split and external rows: the same rows, the same figures."""
    wish = BinaryFigures(specificity=0.9)
    evaluate = scorer.experiment.evaluate.model_copy(update={"binary": wish})
    scorer = replace(scorer, experiment=scorer.experiment.model_copy(update={"evaluate": evaluate}))
    row, manifest = _row(scorer), scorer.prepared.manifest
    probabilities = alike(_probabilities(manifest.labels, 0)[TRAINING:])

    found = scorer.by_level(
        probabilities,
        manifest.labels[TRAINING:],
        manifest.patients[TRAINING:],
        thresholds_of(row),
    )

    assert set(row["thresholds_at_fixed_specificity"]) == {"image", "patient"}
    assert found == row["test"]
    assert (
        scorer.by_level(
            probabilities, manifest.labels[TRAINING:], manifest.patients[TRAINING:], {}
        )["image"]["metrics"].keys()
        < found["image"]["metrics"].keys()
    )


def test_without_a_binary_question_there_is_no_threshold(scorer: Scorer) -> None:
    data = scorer.experiment.data.model_copy(update={"binary": None})
    plain = replace(scorer, experiment=scorer.experiment.model_copy(update={"data": data}))

    row = _row(plain)

    assert "thresholds" not in row
    assert "binary_balanced_accuracy" not in row["oof"]["image"]["metrics"]


def test_a_fixed_specificity_and_a_prevalence_add_their_figures(scorer: Scorer) -> None:
    wish = BinaryFigures(specificity=0.9, prevalence=0.2)
    evaluate = scorer.experiment.evaluate.model_copy(update={"binary": wish})
    asked = scorer.experiment.model_copy(update={"evaluate": evaluate})

    before, row = _row(scorer), _row(replace(scorer, experiment=asked))

    for split in ("oof", "test"):
        plain, told = (each[split]["patient"]["metrics"] for each in (before, row))
        assert {name: told[name] for name in plain} == plain  # nothing else changes
        assert set(told) - set(plain) == {
            "binary_ppv",
            "binary_npv",
            "binary_sensitivity_at_fixed_specificity",
            "binary_specificity_at_fixed_specificity",
        }
    reached = row["oof"]["image"]["metrics"]["binary_specificity_at_fixed_specificity"]["value"]
    assert reached == pytest.approx(0.9, abs=0.1)
