"""The stack's own score is cross-fitted, its choice is careful, its files are checked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from raymed.ensemble import (
    Candidate,
    OofTable,
    choose,
    cross_fit,
    fit_meta_learner,
    fit_stack,
    join_members,
    read_stack,
    write_stack,
)
from raymed.errors import InputError


def joined(toy: Any, *strengths: float) -> OofTable:
    tables = {f"m{i}": toy.table(f"m{i}", toy.logits(s)) for i, s in enumerate(strengths)}
    return join_members(tables, toy.manifest, toy.folds)


@pytest.mark.parametrize("kind", ["mean", "logistic"])
def test_no_meta_learner_is_scored_on_patients_it_saw(toy: Any, kind: str) -> None:
    """Scrambling the labels of one fold leaves that fold's own predictions as they were."""
    oof = joined(toy, 1, 2)
    before = cross_fit(kind, oof).probabilities
    inside = oof.fold == 1
    labels = oof.labels.copy()
    labels[inside] = (labels[inside] + 1) % 3
    scrambled = OofTable(oof.table, oof.members, oof.logits, labels, oof.patients, oof.fold)

    after = cross_fit(kind, scrambled).probabilities

    np.testing.assert_array_equal(after[inside], before[inside])
    assert np.abs(after[~inside] - before[~inside]).max() > 1e-4  # the others did learn from it


def test_cross_fitting_is_not_fooled_by_members_that_know_nothing(toy: Any) -> None:
    """Ten members of pure noise: fitted on its own rows the stack claims skill it has not."""
    oof = joined(toy, *[0.0] * 10)
    rows = np.arange(len(oof.labels))

    fitted = fit_meta_learner("logistic", oof.logits, oof.labels, oof.patients)
    claimed = -np.log(fitted.probabilities(oof.logits)[rows, oof.labels]).mean()
    honest = -np.log(cross_fit("logistic", oof).probabilities[rows, oof.labels]).mean()

    assert claimed < np.log(3) - 0.05  # "better than chance"
    assert honest > np.log(3)  # it is not


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


@pytest.mark.parametrize("kind", ["mean", "logistic"])
def test_a_stack_reads_back_as_it_was_written(toy: Any, tmp_path: Path, kind: str) -> None:
    oof = joined(toy, 1, 2)
    stack = fit_stack(kind, oof, {"m0": "first", "m1": "second"}, toy.manifest.classes)
    write_stack(stack, tmp_path)

    again = read_stack(tmp_path)

    assert again.members == {"m0": "first", "m1": "second"}
    assert (again.classes, again.folds) == (toy.manifest.classes, 3)
    np.testing.assert_array_equal(
        again.meta_learner.probabilities(oof.logits), stack.meta_learner.probabilities(oof.logits)
    )


def test_a_stack_that_was_changed_on_disk_is_refused(toy: Any, tmp_path: Path) -> None:
    oof = joined(toy, 1)
    write_stack(fit_stack("mean", oof, {"m0": "first"}, toy.manifest.classes), tmp_path)
    file = tmp_path / "stack.json"
    file.write_text(file.read_text().replace('"folds": 3', '"folds": 2'))

    with pytest.raises(InputError, match="no complete stack"):
        read_stack(tmp_path)
