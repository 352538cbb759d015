"""Evidential doubt stands beside plainer ones in what a build reports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score

import raymed
from raymed.config import Recipe
from raymed.ensemble import OofTable
from raymed.pipeline.doubt import cross_calibrated, doubt_facts
from raymed.pipeline.members import Member
from raymed.runs import MemberFolder

ROWS, CLASSES = 60, 3
BUILT = (
    "recipes={cnn: {model: test_resnet, phases: [{epochs: 2, lr: 2e-3}]}, doubter: {model: "
    "test_resnet, evidential: {}, phases: [{epochs: 2, lr: 2e-3}]}}"
)


def member(name: str, **options: Any) -> Member:
    recipe = Recipe.model_validate({"model": "test_resnet", "pretrained": "none", **options})
    return Member(name, recipe, MemberFolder(Path(name), name))


@pytest.fixture
def oof() -> OofTable:
    """Two members' logits, of the second log(alpha); patients have two images."""
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(CLASSES, size=ROWS // 2), 2)
    scores = rng.normal(size=(ROWS, 2, CLASSES)) + np.eye(CLASSES)[labels][:, None]
    scores[:, 1] = np.log1p(np.exp(scores[:, 1]))
    patients = np.repeat([f"p{at}" for at in range(ROWS // 2)], 2).astype(object)
    fold = np.repeat(np.arange(ROWS // 2) % 3, 2).astype(np.int16)
    return OofTable(("a", "b"), scores.astype(np.float32), labels, patients, fold)


def facts(oof: OofTable, *members: Member, weights: tuple[float, float] = (0.5, 0.5)) -> Any:
    stacked = softmax(oof.logits.astype(float), axis=2).mean(axis=1)
    return doubt_facts(oof, members, stacked, np.array(weights), draws=50, seed=0)


def test_without_an_evidential_member_there_is_nothing_to_tell(oof: OofTable) -> None:
    assert facts(oof, member("a"), member("b")) == {}


def test_mass_entropy_and_the_stacks_doubts_are_scored_against_their_own_errors(
    oof: OofTable,
) -> None:
    rows = facts(oof, member("a"), member("b", evidential={}))["evidential"]

    alpha = np.exp(oof.logits[:, 1].astype(float))
    own = softmax(oof.logits.astype(float), axis=2)
    mean = own.mean(axis=1)
    doubts = {
        ("b", "mass"): (CLASSES / alpha.sum(axis=1), alpha),
        ("b", "entropy"): (entropy(cross_calibrated(oof.logits[:, 1], oof), axis=1), alpha),
        (None, "entropy"): (entropy(mean, axis=1), mean),
        (None, "disagreement"): (
            entropy(mean, axis=1) - entropy(own, axis=2).mean(axis=1),
            mean,
        ),
    }
    assert [(row["whose"], row["kind"]) for row in rows] == list(doubts)
    for row, (doubt, says) in zip(rows, doubts.values(), strict=True):
        wrong = says.argmax(axis=1) != oof.labels
        assert row["wrong"] == wrong.sum()
        assert row["auroc"]["value"] == pytest.approx(roc_auc_score(wrong, doubt), abs=1e-3)
        assert row["auroc"]["low"] < row["auroc"]["value"] < row["auroc"]["high"]
        assert row["mean_wrong"] == pytest.approx(doubt[wrong].mean(), rel=1e-5)
        assert row["mean_right"] == pytest.approx(doubt[~wrong].mean(), rel=1e-5)


def test_one_member_that_weighs_has_nobody_to_disagree_with(oof: OofTable) -> None:
    rows = facts(oof, member("a"), member("b", evidential={}), weights=(0, 1))["evidential"]

    assert [row["kind"] for row in rows] == ["mass", "entropy", "entropy"]


def test_a_folds_temperature_does_not_see_its_labels(oof: OofTable) -> None:
    logits, inside = oof.logits[:, 1], oof.fold == 1
    labels = np.where(inside, (oof.labels + 1) % CLASSES, oof.labels)
    changed = OofTable(oof.members, oof.logits, labels, oof.patients, oof.fold)

    before, after = cross_calibrated(logits, oof), cross_calibrated(logits, changed)

    np.testing.assert_array_equal(before[inside], after[inside])
    assert np.abs(before[~inside] - after[~inside]).max() > 1e-3


@pytest.mark.slow
def test_a_build_scores_the_uncertainty_of_its_out_of_fold_rows(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    built = raymed.build(make(BUILT, "ensemble.meta_learners=[mean]"), tmp_path / "run")

    (rows,) = (
        pd.read_parquet(path)
        for path in (built.run.path / "members").glob("*/oof.parquet")
        if "extras" in pd.read_parquet(path)
    )
    wrong = np.stack(rows["logits"].to_list()).argmax(axis=1) != rows["label"]
    doubt = rows["extras"].str["uncertainty"]
    mass = built.metrics["evidential"][0]
    assert (mass["whose"], mass["kind"]) == ("doubter", "mass")
    assert mass["auroc"]["value"] == pytest.approx(roc_auc_score(wrong, doubt), abs=1e-3)
    assert mass["mean_right"] == pytest.approx(doubt[~wrong].mean(), rel=1e-5)
    page = built.run.report_file.read_text(encoding="utf-8")
    assert '<section id="evidential">' in page
    assert "an evidential loss (Sensoy et al. 2018)" in page
