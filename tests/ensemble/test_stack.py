"""The stack's own score is cross-fitted, its choice is careful, its files are checked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from raymed.ensemble import (
    Candidate,
    MetaLearner,
    OofTable,
    Settings,
    assemble_stack,
    choose,
    cross_fit,
    fit_meta_learner,
    predict_folds,
    read_stack,
    write_stack,
)
from raymed.errors import InputError


def joined(toy: Any, *strengths: float) -> OofTable:
    tables = {f"m{i}": toy.table(f"m{i}", toy.logits(s)) for i, s in enumerate(strengths)}
    oof: OofTable = toy.join(tables)
    return oof


def fitted(kind: str, oof: OofTable) -> MetaLearner:
    return fit_meta_learner(kind, oof.logits, oof.labels, oof.patients)


def test_cross_fitting_is_not_fooled_by_members_that_know_nothing(toy: Any) -> None:
    """Ten members of pure noise: fitted on its own rows the stack claims skill it has not."""
    oof = joined(toy, *[0.0] * 10)
    rows = np.arange(len(oof.labels))

    plain = Settings(calibration="none")
    fitted = fit_meta_learner("logistic", oof.logits, oof.labels, oof.patients, plain)
    claimed = -np.log(fitted.probabilities(oof.logits)[rows, oof.labels]).mean()
    honest = -np.log(cross_fit("logistic", oof, plain).probabilities[rows, oof.labels]).mean()

    assert claimed < np.log(3) - 0.05  # "better than chance"
    assert honest > np.log(3)  # it is not


def test_a_combination_that_learned_noise_is_not_made_more_confident(toy: Any) -> None:
    """Its temperature comes from patients that inner folds held out."""
    oof = joined(toy, *[0.0] * 10)

    fitted = fit_meta_learner("logistic", oof.logits, oof.labels, oof.patients)

    assert fitted.calibration.temperature > 2


def test_ties_go_to_the_simpler_one(toy: Any) -> None:
    oof = joined(toy, 2)
    same = cross_fit("mean", oof)

    assert choose([same, Candidate("logistic", same.probabilities)], oof).kind == "mean"


def test_a_clear_winner_is_chosen_whatever_its_place(toy: Any) -> None:
    oof = joined(toy, 2)
    good = softmax(4 * np.eye(3)[oof.labels], axis=1)
    poor = np.full_like(good, 1 / 3)

    assert choose([Candidate("mean", poor), Candidate("logistic", good)], oof).kind == "logistic"
    assert choose([Candidate("mean", good), Candidate("logistic", poor)], oof).kind == "mean"


def test_a_loss_that_few_patients_would_forgive_is_still_no_tie(toy: Any) -> None:
    """One standard error over 60 patients can be more than the .01 that counts as nothing."""
    oof = joined(toy, 2)
    least = cross_fit("mean", oof).probabilities
    worse = softmax(np.log(least) + toy.rng.normal(size=least.shape) * 0.5, axis=1)
    rows = np.arange(len(oof.labels))
    gap = np.log(least[rows, oof.labels] / worse[rows, oof.labels]).mean()
    assert gap > 0.01

    chosen = choose([Candidate("mean", worse), Candidate("logistic", least)], oof)

    assert chosen.kind == "logistic"


def test_the_majority_vote_is_never_chosen(toy: Any) -> None:
    oof = joined(toy, 2)
    good = softmax(4 * np.eye(3)[oof.labels], axis=1)
    poor = np.full_like(good, 1 / 3)

    assert choose([Candidate("mean", poor), Candidate("majority", good)], oof).kind == "mean"


def test_what_cannot_be_cross_fitted_is_refused(toy: Any) -> None:
    oof = joined(toy, 1)
    alike = replace(oof, labels=np.zeros_like(oof.labels))
    together = replace(oof, fold=np.zeros_like(oof.fold))

    with pytest.raises(InputError, match="all rows have class 0"):
        cross_fit("mean", alike)
    with pytest.raises(InputError, match="all patients are in one fold"):
        cross_fit("mean", together)


def test_the_stack_is_applied_a_fold_index_at_a_time(toy: Any) -> None:
    """Averaging members' fold models first would give another answer."""
    learner = fitted("mean", joined(toy, 1, 2))
    logits = np.random.default_rng(0).normal(size=(4, 7, 2, 3)) * 3

    combined = predict_folds(learner, logits)

    expected = np.mean([learner.probabilities(logits[fold]) for fold in range(4)], axis=0)
    np.testing.assert_allclose(combined, expected)
    assert np.abs(combined - learner.probabilities(logits.mean(axis=0))).max() > 0.01


def test_a_stack_that_was_changed_on_disk_is_refused(toy: Any, tmp_path: Path) -> None:
    oof = joined(toy, 1)
    stack = assemble_stack(fitted("mean", oof), oof, {"m0": "first"}, toy.manifest.classes)
    write_stack(stack, tmp_path)
    file = tmp_path / "stack.json"
    file.write_text(file.read_text().replace('"folds": 3', '"folds": 2'))

    with pytest.raises(InputError, match="no complete stack"):
        read_stack(tmp_path)
